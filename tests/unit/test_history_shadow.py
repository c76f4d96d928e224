"""Histories done again in shadow, what would be if, and what an amendment would have made of the past."""

from datetime import UTC, datetime
from hashlib import sha256

from builders import (
    Story,
    a_contract,
    a_milestone,
    an_amendment,
    disputed,
    held_by,
    invoice,
    lifted_by,
    met,
    micros,
    registered,
    said,
    signed,
)
from looking_back import books, log_of

from services.history.differences import Totals
from services.history.replay import replay_contract
from services.history.retrospect import counts_from, registration, retrospect
from services.history.rulebooks import Shelf
from services.history.whatif import Step, under_rules, what_if
from services.reconciliation.policy import make_rules
from services.reconciliation.state import encode_state


def entries(story):
    return [entry for _, entry in log_of(story)]


def facts_of(story, event):
    return story.hallway.reader.read(story.record(event)).facts


def with_people(story, people):
    return make_rules(story.rules.roles, people, story.policy, "ap")


def suppose(story, *steps, **more):
    before = encode_state(state := story.state())
    result = what_if(state, story.rules, steps, micros(story.now), **more)
    assert encode_state(state) == before
    return result


def why(result, milestone="M1"):
    (one,) = [d for d in result.differences if d.milestone == milestone]
    return list(one.why)


def test_what_was_unreadable_then_and_can_be_read_now_comes_out_otherwise():
    story = Story().tell(registered(a_contract(a_milestone("M1", requires=["met"]))))
    raw = story.record(met(met_on="2026-12-01"))
    story.carry([raw])
    assert story.reasons() == ["SOURCE_UNREADABLE", "NOT_MET"]
    plausible = story.hallway.reader.read(story.record(met(met_on="2026-03-01"))).facts
    digest = sha256(raw.value).digest()
    found = replay_contract(entries(story), story.state(), story.rules, story.rules, {digest: plausible})
    (fact,) = found.facts
    assert (fact.revision, fact.fact.startswith("pm/e2#unreadable")) == (2, True)
    assert fact.now == ("milestone.assessed pm/e3",)
    (position,) = found.positions
    assert (position.before.released_to_date.amount, position.after.released_to_date.amount) == ("0.00", "100.00")
    (command,) = found.commands
    assert (command.logged, command.replayed.action) == (None, "release")
    assert not replay_contract(entries(story), story.state(), story.rules, story.rules, {}).differs


def test_other_rules_come_out_otherwise_from_the_revision_on_that_they_matter():
    story = Story().tell(registered(a_contract(a_milestone("M1", requires=["met", "signed_off"]))))
    story.tell(held_by(), signed(by="jane"), met(), lifted_by(by="erna"))
    assert story.released() == 10_000
    found = replay_contract(entries(story), story.state(), story.rules, with_people(story, {"jane": ["erna"]}), {})
    (position,) = found.positions
    assert position.after.reasons == ("DUTIES_NOT_SEPARATED",)
    assert [(c.sequence, c.replayed) for c in found.commands] == [(2, None)]
    assert found.differs
    result = under_rules(
        entries(story), story.state(), story.rules, with_people(story, {"jane": ["erna"]}), (), micros(story.now)
    )
    assert why(result) == ["DUTIES_NOT_SEPARATED holds 100.00: jane signed and lifted a hold"]
    assert result.commands == []


def test_a_contract_that_cannot_be_decided_again_says_so(monkeypatch):
    story = Story().tell(registered(a_contract()))

    def defect(*_args, **_more):
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("services.history.shadow.react", defect)
    found = replay_contract(entries(story), story.state(), story.rules, story.rules, {})
    assert (found.defect, found.differs) == ("ZeroDivisionError: a defect", True)


def test_an_amendment_of_the_value_shows_positions_commands_and_sums():
    story = Story().tell(
        registered(a_contract(a_milestone("M1", "100.00", requires=["met"]), a_milestone("M2"))), met()
    )
    amended = a_contract(
        a_milestone("M1", "150.00", requires=["met"]), a_milestone("M3", "7.00"), version=2, amendment=an_amendment()
    )
    result = suppose(story, Step(micros(story.now), facts_of(story, registered(amended))))
    assert why(result) == ["value is 150.00, not 100.00"]
    assert why(result, "M2") == ["it is in the plan no more"]
    assert why(result, "M3") == ["it is not in the plan as it stands"]
    assert [(c.milestone, c.action, c.released_to_date.amount) for c in result.commands] == [
        ("M1", "release", "150.00"), ("M3", "hold", "0.00"),
    ]  # fmt: skip
    totals = Totals()
    totals.add(result.before, result.after)
    (total,) = totals.sums()
    assert (total.currency, total.value, total.released_to_date) == ("EUR", ("200.00", "157.00"), ("100.00", "150.00"))


def test_facts_are_supposed_on_top_of_what_stands_and_nothing_is_kept():
    story = Story().tell(registered(a_contract(a_milestone(requires=["met", "invoiced"]))), met())
    result = suppose(story, Step(micros(story.now), facts_of(story, invoice("40.00"))))
    assert why(result) == [
        "PARTLY_INVOICED holds 60.00: the rest is not invoiced",
        "NOT_INVOICED does not hold any more (no invoice that counts has arrived)",
    ]  # fmt: skip
    assert story.released() == 0


def test_dates_and_conflicts_that_would_differ_are_told():
    story = Story().tell(registered(a_contract(a_milestone(requires=["met"], due="2026-03-10"))))
    moved = facts_of(story, said("pm", "milestone.scheduled", forecast="2026-04-01"))
    other = facts_of(story, met(by="erp"))
    done = facts_of(story, met(status="notMet"))
    result = suppose(story, *(Step(micros(story.now), facts) for facts in (moved, other, done)))
    assert "forecast is 2026-04-01, not unknown" in why(result)
    assert "conflict about completion opens" in why(result)


def test_a_date_that_passes_ends_what_ends_on_it():
    plan = a_contract(a_milestone(requires=["met"]), compliance=["insurance"])
    story = Story().tell(registered(plan))
    story.tell(said("portal", "compliance.document", None, name="insurance", valid_from="2026-01-01",
                    valid_until="2026-03-09"))  # fmt: skip
    assert suppose(story, Step(micros(datetime(2026, 3, 9, tzinfo=UTC)))).differences == []
    result = suppose(story, Step(micros(datetime(2026, 3, 10, 1, tzinfo=UTC))))
    assert why(result)[0].startswith("COMPLIANCE_EXPIRED holds")


def test_what_is_parked_elsewhere_comes_in_with_the_amendment_that_claims_it():
    story = Story().tell(registered(a_contract(a_milestone(requires=["met"]))))
    keyed = a_contract(a_milestone(requires=["met"], refs={"pm": ["issue:1"]}), version=2, amendment=an_amendment())
    result = suppose(story, Step(micros(story.now), facts_of(story, registered(keyed))),
                     waiting=facts_of(story, met(None, key="issue:1")))  # fmt: skip
    assert [c.action for c in result.commands] == ["release"]


def test_a_registration_that_would_be_refused_says_why():
    story = Story().tell(registered(a_contract()))
    bad = a_contract(a_milestone("M2", replaces=["M9"]), version=2, amendment=an_amendment())
    result = suppose(story, Step(micros(story.now), facts_of(story, registered(bad))))
    assert "'M9' is no milestone of version 1" in result.refused[0]
    assert result.differences == []


# -- the difference an amendment would have made -----------------------------------------------------------------------


def amended_late():
    """100.00 were released in March; in May an amendment says that from 10 March on it had been 60.00 and, with more
    proof, 40.00."""
    story = Story().tell(registered(a_contract(a_milestone("M1", "100.00", requires=["met"]))))
    story.clock(datetime(2026, 3, 12, tzinfo=UTC)).tell(met())
    story.clock(datetime(2026, 4, 2, tzinfo=UTC)).tell(disputed("10.00"))
    story.clock(datetime(2026, 5, 2, tzinfo=UTC))
    amended = a_contract(
        a_milestone("M1", "60.00", requires=["met"]), a_milestone("M2", "40.00", requires=["met", "evidence:fat"]),
        version=2, amendment=an_amendment(effective_from="2026-03-10"),
    )  # fmt: skip
    return story, registered(amended)


def test_an_amendment_that_counts_from_the_past_is_told_beside_what_was_decided():
    story, amendment = amended_late()
    story.tell(amendment)
    log = entries(story)
    fact = registration(log, 2)
    since = counts_from(fact)
    assert since == micros(datetime(2026, 3, 10, tzinfo=UTC))
    rows = retrospect("C-1", log, fact, since, Shelf(books(story)), story.rules)
    told = [
        (w.milestone, w.revision, w.released_then.amount, w.released_with.amount, w.allowed_with.amount, w.more.amount)
        for w in rows
    ]
    assert told[:2] == [
        ("M1", 2, "100.00", "60.00", "60.00", "-40.00"),
        ("M2", 2, "0.00", "0.00", "0.00", "0.00"),
    ]  # fmt: skip
    assert ("M1", 3, "100.00", "60.00", "50.00", "-40.00") in told
    assert [d.released for e in log for d in e.decisions if d.milestone == "M1"][1] == 10_000


def test_before_it_is_registered_it_can_be_supposed():
    story, amendment = amended_late()
    (fact,) = facts_of(story, amendment)
    rows = retrospect("C-1", entries(story), fact, counts_from(fact), Shelf(books(story)), story.rules)
    assert next(w.more.amount for w in rows if w.milestone == "M1") == "-40.00"


def test_an_amendment_that_names_no_day_or_is_not_approved_made_no_difference_to_the_past():
    story = Story()
    for amendment in (an_amendment(), an_amendment(state="proposed", effective_from="2026-03-10")):
        (fact,) = facts_of(story, registered(a_contract(version=2, amendment=amendment)))
        assert counts_from(fact) is None
    assert counts_from(facts_of(story, met())[0]) is None
    assert registration([], 2) is None
