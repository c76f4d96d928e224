"""The only door of the thinking room: revisions, reviews, parking, and a defect that is contained."""

from datetime import UTC, datetime, timedelta

import pytest
from builders import (
    OWNER,
    START,
    Story,
    a_contract,
    a_milestone,
    an_amendment,
    attached,
    done,
    held_by,
    met,
    received,
    registered,
    said,
    signed,
    waived,
)
from msgspec.structs import replace

from contracts_schema.reasons import HoldReason
from contracts_schema.rows import OffsetRange, Partition
from services.reconciliation import decide
from services.reconciliation.checks import checks_for
from services.reconciliation.log import read_entry
from services.reconciliation.react import replay
from services.reconciliation.revise import revise, unpark
from services.reconciliation.state import State

MET = a_contract(a_milestone(requires=["met"]))


def test_facts_of_one_transaction_are_one_revision():
    story = Story().tell(registered(MET)).tell_together(met(), attached(), signed())
    assert [len(entry.facts) for entry in story.entries()] == [1, 3]


def test_a_registration_is_a_revision_of_its_own():
    story = Story().tell_together(registered(MET), met())
    assert len(story.entries()[0].facts) == 1
    assert [command["action"] for command in story.commands] == ["hold", "release"]


def test_a_review_runs_at_the_moment_it_was_due_before_a_later_record():
    plan = a_contract(a_milestone(requires=["met"]), compliance=["insurance"])
    paper = said(
        "portal", "compliance.document", None, name="insurance", valid_from="2026-03-03", valid_until="2026-03-04"
    )
    story = Story().tell(registered(plan), paper, met())
    story.now = datetime(2026, 3, 9, tzinfo=UTC)
    story.tell(met("M1", status="notMet"))
    assert story.released() == 10_000
    review = next(entry for entry in story.entries() if entry.cause == "review")
    assert review.moment == int(datetime(2026, 3, 3, tzinfo=UTC).timestamp() * 1e6)


def test_facts_of_one_batch_are_cut_where_a_review_falls_due_between_them():
    plan = a_contract(a_milestone(requires=["met"]))
    story = Story().tell(registered(plan))
    early = story.record(waived("NOT_MET", until="2026-03-05"))
    story.now = datetime(2026, 3, 9, tzinfo=UTC)
    late = story.record(held_by())
    story.carry([early, late])
    assert story.released() == 10_000
    assert "OVER_RELEASED" in story.reasons()


def test_a_timestamp_ahead_of_the_clock_does_not_move_the_contract_ahead():
    story = Story().tell(registered(MET))
    now = int(START.timestamp() * 1e6)
    record = story.record(met())
    ahead = replace(record, offset=9)
    moved = OffsetRange(OWNER, Partition(ahead.topic, 0), 9, 10, now)
    done(story.hallway.carry([ahead], OWNER, [moved], now - 3_600_000_000))
    assert story.state().moment == story.entries()[0].moment


def test_a_parked_fact_counts_from_the_registration_on_and_says_so():
    story = Story().tell(met(), registered(MET))
    assert story.outcomes[0] == "parked"
    assert [origin for report in story.reports for origin in report.unparked] == ["pm.events/0/1"]
    assert story.released() == 10_000


def test_a_registration_for_which_nothing_waits_is_not_looked_at_again():
    story = Story().tell(said("erp", "value.agreed", key="purchase:1", value="1.00"), registered(MET))
    assert [report.rouses for report in story.reports] == [False, False]


@pytest.mark.parametrize("waits_for", [{"milestone": "M1"}, {"milestone": None, "key": "issue:7"}], ids=["id", "key"])
@pytest.mark.parametrize("together", [True, False])
def test_whatever_waits_for_a_registration_counts_from_it_on(waits_for, together):
    contract = registered(a_contract(a_milestone(requires=["met"], refs={"pm": ["issue:7"]})))
    news = (said("pm", "milestone.assessed", **waits_for, status="met"), contract)
    story = Story().tell_together(*news) if together else Story().tell(*news)
    assert story.released() == 10_000


def test_a_registration_is_decided_first_and_what_it_lets_in_is_the_next_revision():
    amended = a_contract(a_milestone(requires=["met"], refs={"pm": ["issue:7"]}), version=2, amendment=an_amendment())
    story = Story().tell(
        registered(MET), said("pm", "milestone.assessed", key="issue:7", status="met"), registered(amended)
    )
    first = Story().tell(registered(MET), said("pm", "milestone.assessed", status="met"))
    assert story.released() == first.released() == 10_000
    released = next(entry for entry in story.entries() if entry.decisions and entry.decisions[0].released)
    assert released.cause == "unparked"


def test_nothing_is_let_in_while_no_version_is_in_force():
    assert unpark(State("C-1")) == ([], False)


@pytest.mark.parametrize(
    ("required", "reason", "fact"),
    [
        ("met", "NOT_MET", {"kind": "milestone.assessed", "status": "met"}),
        ("received", "NOT_RECEIVED", {"kind": "goods.received", "received": "1", "accepted": "1", "rejected": "0",
                                      "ordered": "1", "unit": "u", "received_on": "2026-03-01"}),
        ("evidence:fat", "EVIDENCE_MISSING", {"kind": "evidence.attached", "name": "fat", "sha256": "a" * 64}),
    ],
)  # fmt: skip
def test_the_first_hold_of_a_milestone_whose_proof_is_there_already_says_what_it_waits_for(required, reason, fact):
    source = {"met": "pm", "received": "erp", "evidence:fat": "office"}[required]
    key = {"refs": {source: ["thing:1"]}}
    was = a_contract(a_milestone("M1", requires=["invoiced"], **key))
    heirs = [a_milestone("M1", requires=["invoiced"]), a_milestone("M2", requires=[required], **key)]
    now = a_contract(*heirs, version=2, amendment=an_amendment())
    fact = dict(fact)
    story = Story().tell(registered(was), said(source, fact.pop("kind"), key="thing:1", **fact), registered(now))
    first, second = (command for command in story.commands if command["milestone"] == "M2")
    assert (first["action"], [r["code"] for r in first["reasons"]]) == ("hold", [reason])
    assert (second["action"], second["reasons"]) == ("release", [])


def test_a_moment_never_runs_back():
    story = Story().tell(registered(MET), met())
    state = story.state()
    moment = state.moment
    revise(state, (), moment - 1, "rulebook", story.rules)
    assert state.moment == moment


def test_a_record_with_an_older_timestamp_does_not_move_the_contract_back():
    story = Story().tell(registered(MET))
    story.now -= timedelta(hours=1)
    story.tell(met())
    moments = [entry.moment for entry in story.entries()]
    assert moments == sorted(moments)
    assert len(moments) == 2


def test_a_repeated_registration_changes_nothing():
    story = Story()
    record = story.record(registered(MET))
    story.carry([record])
    story.carry([record])
    assert story.outcomes == ["applied", "duplicate"]
    assert len(story.log()) == 1


def test_a_version_that_does_not_follow_from_the_one_before_is_refused_and_the_one_in_force_stays():
    wrong = a_contract(a_milestone("M2", replaces=["M9"]), version=2, amendment=an_amendment())
    story = Story().tell(registered(MET), registered(wrong))
    assert "'M9' is no milestone of version 1" in story.quarantined[0]
    assert list(story.standings()) == ["M1"]


def test_a_repeat_of_an_implausible_event_meets_the_same_verdict():
    story = Story().tell(registered(MET))
    ahead = met(event="e", time=datetime(2026, 3, 5, tzinfo=UTC))
    story.tell(ahead)
    story.now = datetime(2026, 4, 2, tzinfo=UTC)
    story.tell(ahead)
    assert story.outcomes[-1] == "quarantined"
    assert len(story.quarantined) == 2
    assert "SOURCE_UNREADABLE" in story.reasons()


def a_defect(case):
    raise ZeroDivisionError("a defect of our own")
    yield


def test_a_defect_freezes_one_contract_its_facts_are_kept_and_it_is_undecided(monkeypatch):
    story = Story().tell(registered(MET))
    # No source can cause a defect of our own, so one is put there.
    broken = ((HoldReason.COMPLIANCE_EXPIRED, a_defect),)
    monkeypatch.setattr(decide, "checks_for", lambda kinds: (*checks_for(kinds), *broken))
    story.tell(met())
    assert story.defects[0][1].startswith("ZeroDivisionError")
    assert [str(code) for code in story.position().exceptions] == ["UNDECIDED"]
    assert len(story.commands) == 1
    story.tell(held_by())
    assert len(story.state().deferred) == 2
    monkeypatch.undo()
    mended = Story(release="2")
    mended.store, mended.hallway.store, mended.offset, mended.now = story.store, story.store, 100, story.now
    mended.tell(said("pm", "milestone.scheduled", "M1", due="2026-03-09"))
    assert mended.reasons() == ["MANUAL_HOLD"]
    assert not mended.position().exceptions


def test_a_frozen_contract_stays_frozen_until_another_release_decides_it(monkeypatch):
    story = Story().tell(registered(MET))
    monkeypatch.setattr(decide, "checks_for", lambda kinds: (("", a_defect),))
    story.tell(said("pm", "milestone.scheduled", "M1", due="2026-03-09"))
    monkeypatch.undo()
    story.tell(met())
    assert [str(code) for code in story.position().exceptions] == ["UNDECIDED"]
    assert len(story.commands) == 1
    assert len(story.state().deferred) == 2


def test_every_revision_can_be_done_again_from_the_log():
    story = Story().tell(received("3"), registered(a_contract(a_milestone(requires=["received"]))), received("5"))
    state = State("C-1")
    for row in story.log():
        assert replay(state, read_entry(row), story.rules).row == row


def test_a_changed_rulebook_wakes_every_contract_as_a_revision():
    story = Story().tell(registered(a_contract(a_milestone(requires=["met", "signed_off"]))))
    story.tell(said("portal", "delivery.claimed", "M1", delivered_on="2026-03-01", by="jd"), signed("jane"), met())
    assert story.released() == 10_000
    story.rerule(people={"jane": ["portal:jd"]})
    assert story.entries()[-1].cause == "rulebook"
    assert story.reasons() == ["DUTIES_NOT_SEPARATED"]
    assert story.released() == 10_000
