"""What waits too long: what opens a notice, how it goes up, and what clears it. Days are those of 2026."""

from builders import (
    a_contract,
    a_milestone,
    an_amendment,
    attached,
    disputed,
    held_by,
    invoice,
    lifted_by,
    met,
    received,
    registered,
    resolved,
    said,
)
from noticing import day, open_now, records, story_of, told


def test_a_persons_hold_ages_and_is_told_of_after_five_working_days():
    story = story_of(a_milestone(requires=["met"])).clock(day("2026-03-02")).tell(held_by()).clock(day("2026-04-30"))
    assert told(story) == [
        "2026-03-09 opened HOLD_AGEING M1 MANUAL_HOLD amber 0", "2026-03-16 raised HOLD_AGEING M1 MANUAL_HOLD red 1",
        "2026-03-23 raised HOLD_AGEING M1 MANUAL_HOLD red 2",
    ]  # fmt: skip
    assert told(story.tell(lifted_by()))[3:] == ["2026-04-30 cleared HOLD_AGEING M1 MANUAL_HOLD red 2"]


def test_a_hold_that_is_lifted_in_time_is_never_told_of():
    story = story_of(a_milestone(requires=["met"])).tell(held_by())
    assert story.state().review is not None
    assert story.tell(lifted_by()).state().review is None
    assert told(story.clock(day("2026-12-30"))) == []


def test_what_is_awaited_ages_from_the_day_on_which_the_milestone_was_met():
    story = story_of(a_milestone(requires=["met", "received", "invoiced", "evidence:fat"])).clock(day("2026-06-01"))
    assert told(story) == []
    story.tell(met()).clock(day("2026-06-15"))
    assert told(story) == [
        "2026-06-15 opened HOLD_AGEING M1 NOT_RECEIVED amber 0",
        "2026-06-15 opened HOLD_AGEING M1 EVIDENCE_MISSING amber 0",
        "2026-06-15 opened HOLD_AGEING M1 NOT_INVOICED amber 0",
    ]
    assert [n.owner for n in records(story)] == ["receiving", "milestone owner", "supplier"]
    story.tell(received("100"), attached(), invoice("100.00"))
    assert open_now(story) == []


def test_a_sign_off_without_a_term_ages_like_any_other_proof():
    story = story_of(a_milestone(requires=["met", "signed_off"])).tell(met()).clock(day("2026-03-13"))
    assert told(story) == ["2026-03-13 opened HOLD_AGEING M1 SIGN_OFF_MISSING amber 0"]


def test_the_contracts_own_terms_never_age():
    terms = {"retention": {"steps": [{"rate_percent": "10"}]}, "advance": {"amount": "10.00", "recoup_percent": "10"}}
    late = {"late_damages": {"percent_per_day": "1", "cap_percent": "5"}, "due": "2026-02-01"}
    story = (
        story_of(a_milestone(requires=["met"], **late), value_cap="60.00", **terms).tell(met()).clock(day("2026-12-01"))
    )
    assert {"RETENTION", "ADVANCE_RECOUPED", "LATE_DAMAGES", "CAP_REACHED"} <= {*story.reasons()}
    assert told(story, "C-1", "HOLD_AGEING") == []


def test_a_hold_on_the_contract_is_told_of_once_and_not_by_milestone():
    milestones = [a_milestone(f"M{n}", "25.00", requires=["met"]) for n in range(4)]
    story = story_of(*milestones).clock(day("2026-03-02")).tell(held_by(milestone=None)).clock(day("2026-03-10"))
    assert told(story) == ["2026-03-09 opened HOLD_AGEING MANUAL_HOLD amber 0"]
    assert (records(story)[0].milestone, records(story)[0].amount) == (None, 10_000)
    story.tell(held_by(milestone="M1", hold="H-2")).clock(day("2026-03-17"))
    assert told(story)[1:] == [
        "2026-03-16 raised HOLD_AGEING MANUAL_HOLD red 1", "2026-03-17 opened HOLD_AGEING M1 MANUAL_HOLD amber 0",
    ]  # fmt: skip
    story.tell(lifted_by(milestone=None))
    assert open_now(story) == ["HOLD_AGEING M1 MANUAL_HOLD amber 0"]


def test_a_version_registered_twice_is_told_of_once():
    milestones = [a_milestone(f"M{n}", "25.00", requires=["met"]) for n in range(4)]
    story = story_of(*milestones).tell(registered(a_contract(*milestones, title="Another"))).clock(day("2026-03-13"))
    assert told(story) == ["2026-03-13 opened HOLD_AGEING SOURCE_CONTRADICTS_ITSELF amber 0"]


def test_a_message_that_cannot_be_read_is_told_of_once_for_all_that_it_may_be_about():
    milestones = [a_milestone(f"M{n}", "25.00", requires=["met"]) for n in range(4)]
    story = story_of(*milestones).tell(said("pm", "milestone.assessed", None, status="done"))
    assert {code for n in range(4) for code in story.reasons(f"M{n}")} == {"SOURCE_UNREADABLE", "NOT_MET"}
    assert told(story.clock(day("2026-03-13"))) == ["2026-03-13 opened HOLD_AGEING SOURCE_UNREADABLE amber 0"]
    one = story_of(*milestones).tell(said("pm", "milestone.assessed", "M1", status="done")).clock(day("2026-03-13"))
    assert told(one) == ["2026-03-13 opened HOLD_AGEING M1 SOURCE_UNREADABLE amber 0"]


def test_a_conflict_ages_from_when_it_is_known_and_whoever_is_believed_must_settle_it():
    story = story_of(a_milestone(requires=["met"])).clock(day("2026-03-02")).tell(met(), met(by="erp", status="notMet"))
    story.tell(met(by="erp", status="notMet", percent="10")).clock(day("2026-03-05"))
    assert told(story) == ["2026-03-05 opened CONFLICT_AGEING M1 completion amber 0"]
    assert records(story)[0].owner == "project"
    assert told(story.tell(met(by="erp")))[1:] == ["2026-03-05 cleared CONFLICT_AGEING M1 completion amber 0"]


def test_a_dispute_that_nobody_answers_is_told_of_by_its_amount():
    story = story_of(a_milestone(requires=["met"])).clock(day("2026-03-02"))
    story.tell(disputed("4.99"), disputed(dispute="D-2", source="portal"), disputed("0.00", dispute="D-3"))
    story.clock(day("2026-03-09"))
    assert told(story) == [
        "2026-03-09 opened DISPUTE_UNANSWERED M1 D-1 green 0", "2026-03-09 opened DISPUTE_UNANSWERED M1 D-2 red 0",
        "2026-03-09 opened DISPUTE_UNANSWERED M1 D-3 green 0",
    ]  # fmt: skip
    assert {n.cause: n.owner for n in records(story)} == {"D-1": "supplier", "D-2": "operator", "D-3": "supplier"}
    story.tell(resolved(), resolved(dispute="D-2"), resolved(dispute="D-3"))
    assert open_now(story) == []


def test_a_dispute_about_the_contract_is_told_of_once():
    story = story_of(a_milestone("M1", "50.00"), a_milestone("M2", "50.00")).tell(disputed(milestone=None))
    assert told(story.clock(day("2026-03-06"))) == ["2026-03-06 opened DISPUTE_UNANSWERED D-1 red 0"]
    assert told(story.tell(resolved(milestone=None)))[1:] == ["2026-03-06 cleared DISPUTE_UNANSWERED D-1 red 0"]


def test_what_stands_on_a_milestone_that_was_replaced_is_told_of_once_for_all_its_successors():
    story = story_of(a_milestone(requires=["met"])).clock(day("2026-03-02")).tell(held_by(), disputed("4.00"))
    parts = [a_milestone(name, "50.00", requires=["met"], replaces=["M1"]) for name in ("M2", "M3")]
    story.tell(registered(a_contract(*parts, version=2, amendment=an_amendment()))).clock(day("2026-03-10"))
    assert told(story) == [
        "2026-03-09 opened HOLD_AGEING MANUAL_HOLD amber 0",
        "2026-03-09 opened DISPUTE_UNANSWERED D-1 green 0",
    ]
    story.tell(lifted_by(), resolved())
    assert open_now(story) == []
