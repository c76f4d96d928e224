"""One invoice claimed by several contracts (rule D8): what each is told, what it costs, and who is left alone."""

from datetime import UTC, date, datetime, timedelta

import pytest
from builders import Story, a_contract, a_milestone, an_amendment, invoice, met, micros, registered, said

from connectors.memory import MemoryBatch
from contracts_schema import facts as f
from contracts_schema.money import Money
from contracts_schema.reasons import HoldReason
from services.reconciliation import decide
from services.reconciliation.checks import checks_for
from services.reconciliation.react import react
from services.reconciliation.state import Arrival

CODE = "INVOICE_CLAIMED_TWICE"
NEXT_YEAR = datetime(2027, 1, 4, 8, tzinfo=UTC)


def plan(contract, *milestones, **terms):
    return registered(a_contract(*(milestones or [a_milestone(requires=["invoiced"])]), contract=contract, **terms))


def two(**terms):
    return Story().tell(plan("A", **terms), plan("B", **terms))


def details(story, contract):
    return [reason.detail for reason in story.position(contract=contract).reasons if reason.code == CODE]


def kinds(story, contract):
    return [[fact.kind for fact in entry.facts] for entry in story.entries(contract)]


# What is told


def test_each_is_told_what_the_other_claims():
    story = two().tell(invoice("60.00", contract="A", total="100.00"), invoice("70.00", contract="B"))
    assert details(story, "A") == [
        "invoice I-1 is claimed for more than its total of 100.00 EUR, also by B (70.00 EUR)"
    ]
    assert details(story, "B") == [
        "invoice I-1 is claimed for more than its total of 100.00 EUR, also by A (60.00 EUR)"
    ]
    (reason,) = [r for r in story.position(contract="B").reasons if r.code == CODE]
    assert reason.facts == ("portal/e4", "milepost/claims/SUP-1/I-1//2")


def test_parts_in_several_currencies_do_not_add_up_and_hold():
    story = two(rates=[{"from": "USD", "rate": "0.92", "valid_from": "2026-01-01"}])
    story.tell(invoice("10.00", contract="A", total="100.00"), invoice("10.00", contract="B", currency="USD"))
    assert details(story, "B") == [
        "invoice I-1 is claimed in several currencies, which do not add up, also by A (10.00 EUR)"
    ]
    within = Story().tell(plan("A", a_milestone("M1"), a_milestone("M2")))
    within.tell(invoice("10.00", contract="A", total="100.00"))
    within.tell(invoice("10.00", milestone="M2", contract="A", currency="USD"))
    assert details(within, "A") == ["invoice I-1 is claimed in several currencies, which do not add up"]


@pytest.mark.parametrize(
    ("net", "rest", "stated", "also"),
    [
        ("-100.00", "-50.00", {"total": "-100.00"}, {"total": "-150.00"}),
        ("100.00", "50.00", {"total": "150.00"}, {"total": {"amount": "200.00", "currency": "USD"}}),
        ("100.00", "50.00", {"total": "150.00"}, {"total": {"amount": "2.00", "currency": "USD"}}),
    ],
    ids=["of a credit note that of two which credits more", "one in dollars is no matter", "whatever it says"],
)
def test_of_several_totals_the_largest_in_the_currency_of_the_parts_counts(net, rest, stated, also):
    within = Story().tell(plan("A", a_milestone("M1"), a_milestone("M2")))
    within.tell(invoice(net, contract="A", **stated), invoice(net, contract="A", source="erp", **also))
    within.tell(invoice(rest, milestone="M2", contract="A"))
    assert details(within, "A") == []
    story = two().tell(invoice(net, contract="A", **stated), invoice(net, contract="A", source="erp", **also))
    story.tell(invoice(rest, contract="B"))
    assert details(story, "B") == []
    story.tell(invoice(rest, contract="B", total={"amount": "9.00", "currency": "USD"}))
    assert details(story, "B") == []


def test_a_total_in_another_currency_alone_is_none_to_compare_with():
    story = two().tell(invoice("10.00", contract="A", total={"amount": "100.00", "currency": "USD"}))
    story.tell(invoice("10.00", contract="B"))
    assert details(story, "B") == [
        "invoice I-1 is claimed in several currencies, which do not add up, also by A (10.00 EUR)"
    ]


def test_of_many_others_the_first_five_are_named():
    names = [f"C-{n:02}" for n in range(9)]
    story = Story().tell(*(plan(name) for name in names))
    story.tell(*(invoice("100.00", contract=name) for name in reversed(names)))
    first = ", ".join(f"C-{n:02} (100.00 EUR)" for n in range(1, 6))
    assert details(story, "C-00") == [
        f"invoice I-1 is claimed for more than its total of 100.00 EUR, also by {first} and others"
    ]
    six = Story().tell(*(plan(name) for name in names[:6]), *(invoice("9.00", contract=name) for name in names[:6]))
    assert details(six, "C-00")[0].endswith("C-05 (9.00 EUR)")


def test_the_invoice_and_what_is_known_of_it_elsewhere_are_one_revision():
    story = two().tell(invoice("100.00", contract="A"), invoice("100.00", contract="B"))
    assert kinds(story, "B") == [["contract.registered"], ["invoice.claimed_elsewhere", "invoice.received"]]
    assert kinds(story, "A")[-1] == ["invoice.claimed_elsewhere"]
    assert story.released(contract="B") == 0


def test_contracts_of_one_transaction_know_of_each_other_at_once():
    story = two().tell_together(invoice("100.00", contract="A"), invoice("100.00", contract="B"))
    assert story.released(contract="A") == story.released(contract="B") == 0
    assert len(story.log("A")) == len(story.log("B")) == 2


def test_a_contract_that_is_registered_with_its_invoice_is_told_too():
    story = Story().tell(plan("A"), invoice("100.00", contract="A"))
    story.tell_together(plan("B"), invoice("100.00", contract="B"))
    assert story.reasons(contract="B") == story.reasons(contract="A") == [CODE]
    assert story.released(contract="B") == 0


def test_invoices_that_waited_for_their_contract_are_claims_when_it_comes():
    story = Story().tell(plan("A"), invoice("100.00", contract="A"), invoice("100.00", contract="B"), plan("B"))
    assert story.reasons(contract="B") == story.reasons(contract="A") == [CODE]
    assert story.released(contract="B") == 0


def test_an_amendment_that_begins_later_gives_the_invoice_up_on_its_day():
    both = [a_milestone("M1", requires=["invoiced"]), a_milestone("M2", requires=["met"])]
    story = Story().tell(plan("A", *both), plan("B"))
    story.tell(invoice("100.00", contract="A"), invoice("100.00", contract="B"))
    later = an_amendment(effective_from="2026-06-01")
    story.tell(registered(a_contract(both[1], contract="A", version=2, amendment=later)))
    assert story.reasons(contract="B") == [CODE]
    story.clock(datetime(2026, 6, 2, tzinfo=UTC))
    assert story.reasons(contract="B") == []
    assert story.released(contract="B") == 100_00


def test_another_supplier_may_use_the_same_number():
    story = Story().tell(plan("A"), plan("B", supplier={"id": "SUP-2"}))
    story.tell(invoice("100.00", contract="A"), invoice("100.00", contract="B", supplier="SUP-2"))
    assert story.reasons(contract="A") == story.reasons(contract="B") == []


def test_what_one_contract_claims_twice_by_itself_is_no_matter_of_another_unit():
    story = Story().tell(plan("A", a_milestone("M1"), a_milestone("M2")), plan("B"))
    story.tell(*(invoice("100.00", milestone=name, contract="A", business_unit="north") for name in ("M1", "M2")))
    story.tell(invoice("100.00", contract="B", business_unit="south"))
    assert CODE in story.reasons("M2", "A")
    assert CODE not in story.reasons(contract="B")
    assert "invoice.claimed_elsewhere" not in {kind for found in kinds(story, "A") for kind in found}


def test_a_name_that_the_supplier_gave_up_leaves_no_claim_behind():
    story = Story().tell(plan("A"), plan("B", supplier={"id": "T"}))
    story.tell(
        invoice("100.00", contract="A", supplier_identifiers=["T"]), invoice("100.00", contract="B", supplier="T")
    )
    assert story.reasons(contract="B") == [CODE]
    story.tell(invoice("100.00", contract="A", supplier_identifiers=None))
    assert story.reasons(contract="A") == story.reasons(contract="B") == []


def test_nobody_else_can_say_it():
    story = two()
    body = {"supplier": "SUP-1", "number": "I-1", "claims": [["C", []]]}
    story.tell(said("ap", "invoice.claimed_elsewhere", None, contract="A", **body))
    assert "is not known" in story.quarantined[0]


# What it costs


@pytest.fixture
def locked(monkeypatch):
    """Every call that locks invoices, with its keys."""
    calls, lock = [], MemoryBatch.lock_invoices

    async def noted(self, keys):
        calls.append(list(keys))
        return await lock(self, keys)

    monkeypatch.setattr(MemoryBatch, "lock_invoices", noted)
    return calls


def test_what_changes_no_claim_asks_the_store_for_nothing(locked):
    story = two().tell(met(contract="A"), invoice("100.00", contract="A"))
    assert len(locked) == 1
    story.tell(invoice("100.00", contract="A", state="paid"), invoice("100.00", source="erp", contract="A"))
    story.tell(met(contract="A"), invoice("100.00", contract="A", issued_on="2026-03-01", state="paid"))
    assert len(locked) == 1
    story.tell(invoice("100.00", contract="A", state="cancelled", source="ap"))
    assert len(locked) == 2
    assert story.store._tables.invoices == {}


def test_an_invoice_that_many_contracts_share_within_its_total_wakes_nobody():
    names = [f"C-{n:02}" for n in range(20)]
    story = Story().tell(*(plan(name) for name in names))
    registered_with = len(story.reports)
    story.tell(*(invoice("5.00", contract=name, total="100.00") for name in names))
    assert not any(report.woken for report in story.reports[registered_with:])
    assert all(len(story.log(name)) == 2 for name in names)
    story.tell(plan("D"), invoice("5.00", contract="D"))
    assert all(story.reasons(contract=name)[0] == CODE for name in (*names, "D"))


def test_what_milepost_says_itself_is_counted_as_no_record():
    story = two().tell(invoice("100.00", contract="A"), invoice("100.00", contract="B"))
    assert story.outcomes == ["applied"] * 4


# What else may happen meanwhile


def test_what_is_found_moves_a_contract_past_no_review_of_its_own():
    """B is due in its own time, when all sources were read that far; A's record does not run its review (rule A5)."""
    due = a_milestone(requires=["met", "invoiced"], due="2026-03-10")
    story = Story().tell(plan("A"), plan("B", due), invoice("100.00", contract="B"))
    review = story.state("B").review
    story.now = NEXT_YEAR
    story.tell(invoice("100.00", contract="A"))
    assert CODE in story.reasons(contract="B")
    assert story.state("B").moment < review == story.state("B").review
    story.clock(NEXT_YEAR + timedelta(days=1))
    assert story.state("B").review != review


def test_what_is_found_is_known_before_anything_of_the_same_transaction_is_decided():
    """A review that falls due between two records cuts the transaction into revisions; the first knows it already."""
    story = Story().tell(plan("A"), plan("B", a_milestone(requires=["invoiced"], due="2026-03-10")))
    story.tell(invoice("100.00", contract="A"))
    first = story.record(invoice("100.00", contract="B"))
    story.now = NEXT_YEAR
    story.carry([first, story.record(met(contract="B"))])
    assert len(story.entries("B")) > 2
    assert story.released(contract="B") == 0


def test_without_a_review_it_is_known_when_it_was_found():
    story = two().tell(invoice("100.00", contract="A"))
    story.now = NEXT_YEAR
    story.tell(invoice("100.00", contract="B"))
    assert story.entries("A")[-1].moment // 1_000_000 == int(story.now.timestamp())


def with_defect(monkeypatch, check):
    """No source can cause a defect of our own, so one is put there."""
    broken = ((HoldReason.COMPLIANCE_EXPIRED, check),)
    monkeypatch.setattr(decide, "checks_for", lambda kinds: (*checks_for(kinds), *broken))


def a_defect(case):
    if case.plan.contract == "B":
        raise ZeroDivisionError("a defect of our own")
    yield from ()


def test_a_contract_that_cannot_be_decided_is_told_when_it_can(monkeypatch):
    story = two().tell(invoice("100.00", contract="B"))
    with_defect(monkeypatch, a_defect)
    story.tell(said("pm", "milestone.scheduled", contract="B", due="2026-03-09"))
    assert story.state("B").frozen
    story.tell(invoice("100.00", contract="A"))
    assert story.reasons(contract="A") == [CODE]
    monkeypatch.undo()
    mended = Story(release="2")
    mended.store, mended.hallway.store, mended.offset, mended.now = story.store, story.store, 100, story.now
    mended.store._tables.wake("B", 0, "upgrade")
    mended.wake(0, 0)
    assert mended.reasons(contract="B") == [CODE]
    assert not mended.state("B").frozen


def test_what_is_found_goes_before_what_was_kept_for_an_upgrade(monkeypatch):
    """A review falls due between two facts that were kept: the revision before it knows already."""
    story = Story().tell(plan("A"), plan("B", a_milestone(requires=["invoiced"], due="2026-03-10")))
    story.tell(invoice("100.00", contract="A"))
    with_defect(monkeypatch, a_defect)
    story.tell(invoice("100.00", contract="B"))
    story.now = NEXT_YEAR
    story.tell(met(contract="B"))
    monkeypatch.undo()
    mended = Story(release="2")
    mended.store, mended.hallway.store, mended.offset = story.store, story.store, 100
    mended.store._tables.wake("B", 0, "upgrade")
    mended.wake(micros(NEXT_YEAR), micros(NEXT_YEAR))
    assert CODE in mended.reasons(contract="B")
    assert mended.released(contract="B") == 0


def test_a_defect_in_what_is_told_freezes_the_contract_and_it_is_found_anew(monkeypatch):
    story = two().tell(invoice("100.00", contract="A"))

    def defect_when_told(case):
        if case.plan.contract == "B" and case.elsewhere:
            raise ZeroDivisionError("a defect of our own")
        yield from ()

    with_defect(monkeypatch, defect_when_told)
    story.tell(invoice("100.00", contract="B"))
    assert [contract for contract, _ in story.defects] == ["B"]
    assert [fact.kind for arrival in story.state("B").deferred for fact in arrival.facts] == ["invoice.received"]
    assert story.reasons(contract="A") == [CODE]
    monkeypatch.undo()
    mended = Story(release="2")
    mended.store, mended.hallway.store, mended.offset, mended.now = story.store, story.store, 100, story.now
    mended.store._tables.wake("B", 0, "upgrade")
    mended.wake(0, 0)
    assert mended.reasons(contract="B") == [CODE]
    assert mended.released(contract="B") == 0


def test_keys_follow_the_plan_in_force_also_under_the_same_version():
    """A version registered again with other keys contradicts itself, and its keys are claimed all the same."""
    first = a_milestone(requires=["invoiced"], refs={"erp": ["line:1"]})
    again = a_milestone(requires=["invoiced"], refs={"erp": ["line:2"]})
    story = Story().tell(invoice("100.00", key="line:2", source="erp"), plan("C-1", first), plan("C-1", again))
    assert [i.number for i in story.standings()["M1"].case.invoices] == ["I-1"]
    assert "parked" in story.tell(invoice("1.00", "I-2", key="line:1", source="erp")).outcomes[-1]


def test_a_part_that_a_newer_version_of_its_document_lacks_is_claimed_no_more():
    """Only vendors' mappers say documents (rule F9): the facts are put where the mapper's would be."""
    story = Story().tell(plan("A", a_milestone("M1", requires=["invoiced"]), a_milestone("M2", requires=["invoiced"])))
    first, then = document_of(1, "M1", "M2"), document_of(2, "M2")
    state = story.state("A")
    react(state, [first], 10**18, story.rules)
    assert [net.minor for net in state.claims["I-1"][0].nets] == [12_000]
    react(state, [then], 10**18, story.rules)
    assert [net.minor for net in state.claims["I-1"][0].nets] == [6_000]


def document_of(edition, *milestones):
    """One version of a document with 60.00 for each of these milestones."""
    body = f.InvoiceReceived("I-1", "SUP-1", Money(6_000, "EUR"), date(2026, 3, 1), "open")
    facts = [
        f.Fact("portal", f"{m}@{edition}", f.Address("A", m), edition, body, None, "invoice", edition=edition)
        for m in milestones
    ]
    return Arrival(tuple(facts), 10**15 * 2, "portal.events/0/1")
