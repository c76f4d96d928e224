"""A turn that is taken again loses nothing of what it was taken for."""

from builders import Story, a_contract, a_milestone, met, micros, registered

from contracts_schema.facts import Address, Fact
from contracts_schema.money import Money
from contracts_schema.own_facts import ClaimElsewhere, DocumentRenewed, InvoiceClaimedElsewhere
from services.reconciliation import decide
from services.reconciliation.react import UNPARK
from services.reconciliation.state import Arrival
from services.runtime.containment import NOWHERE, Step

FOUND = InvoiceClaimedElsewhere("SUP-1", "U-1", None, Money(1, "EUR"), (ClaimElsewhere("B", (Money(1, "EUR"),)),))
NEWS = Fact("portal", "n", Address("C-1"), 1, DocumentRenewed("invoice:1"), document="invoice:1", edition=1)


def a_turn(story):
    """A contract that was woken: it has missed a document, and a fact has waited for it."""
    now = micros(story.now)
    (fact,) = story.hallway.reader.read(story.record(met())).facts
    steps = [Step([Arrival((NEWS,), 0, NOWHERE)], now), Step([Arrival((fact,), now, "pm/1")], now, UNPARK)]
    return story.hallway._work(now)._turn("C-1", story.raw(), steps), now


def kinds(state):
    return {slot.kind for slot in state.slots.values()}


def test_what_others_claim_is_said_first_and_every_step_is_taken_again():
    turn, now = a_turn(Story().tell(registered(a_contract(a_milestone(requires=["met"])))))
    turn.tell([FOUND], now)
    assert kinds(turn.state) == {"invoice.claimed_elsewhere", "document.renewed", "milestone.assessed"}
    assert [fact.kind for fact in turn.reaction.entries[0].facts] == ["invoice.claimed_elsewhere", "document.renewed"]


def test_a_contract_that_cannot_be_decided_keeps_all_but_the_claims_which_are_found_anew(monkeypatch):
    story = Story().tell(registered(a_contract(a_milestone(requires=["met"]))))
    turn, now = a_turn(story)

    def defect(*_args, **_more):
        raise ZeroDivisionError

    monkeypatch.setattr(decide, "_position", defect)
    turn.tell([FOUND], now)
    waiting = [fact.kind for arrival in turn.state.deferred for fact in arrival.facts]
    assert turn.state.frozen
    assert waiting == ["document.renewed", "milestone.assessed"]
