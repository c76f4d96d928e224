"""Each kind of notice: what opens it, how red it is, how it goes up, and what clears it. Days are those of 2026.

1 March 2026 is a Sunday. Contracts have a value of 100.00, so that an amount is large from 20.00 on.
"""

from datetime import UTC, datetime, timedelta

import pytest
from builders import (
    FAT,
    Story,
    a_contract,
    a_milestone,
    an_amendment,
    attached,
    disputed,
    held_by,
    invoice,
    lifted_by,
    met,
    paid,
    received,
    registered,
    resolved,
    said,
    signed,
    waived,
)
from noticing import day, open_now, records, told

from contracts_schema.notices import NoticeKind
from contracts_schema.reasons import HoldReason
from services.reconciliation.notices import (
    KINDS,
    OF_A_CONTRACT,
    OF_A_MILESTONE,
    OF_A_TERM,
    OF_AN_EXCEPTION,
    OF_CONFLICTS,
    OF_REASONS,
    clears_when,
)
from services.reconciliation.notices.now import notices_now
from services.reconciliation.policy import NoticePolicy, Policy
from services.runtime.explain import accounts


def story_of(*milestones, people=None, policy=None, **terms):
    return Story(people=people or {}, policy=policy or Policy()).tell(registered(a_contract(*milestones, **terms)))


def forecast(when, milestone="M1"):
    return said("pm", "milestone.scheduled", milestone, forecast=when)


# Dates


def test_sign_off_is_due_a_term_after_the_milestone_was_met_and_overdue_the_day_after():
    terms = {"sign_off": {"due_working_days": 5, "roles": ["site-manager"]}, "calendar": "DE-BE"}
    story = story_of(a_milestone(requires=["met", "signed_off"]), **terms)
    story.clock(day("2026-03-27")).tell(met())
    assert told(story) == []  # Good Friday and Easter Monday lie between: it is due on Tuesday 7 April
    story.clock(day("2026-04-30"))
    assert told(story) == [
        "2026-04-01 opened SIGN_OFF_DUE M1 signed_off amber 0",
        "2026-04-08 opened SIGN_OFF_OVERDUE M1 signed_off red 0",
        "2026-04-08 cleared SIGN_OFF_DUE M1 signed_off amber 0",
        "2026-04-15 raised SIGN_OFF_OVERDUE M1 signed_off red 1",
        "2026-04-22 raised SIGN_OFF_OVERDUE M1 signed_off red 2",
    ]
    assert [n.owner for n in records(story)] == ["signers (site-manager)"] * len(records(story))
    story.tell(signed(signed_at="2026-04-30T09:00:00Z"))
    assert told(story)[-1] == "2026-04-30 cleared SIGN_OFF_OVERDUE M1 signed_off red 2"
    assert open_now(story) == []


def test_sign_off_in_time_is_told_of_once_before_and_not_after():
    story = story_of(a_milestone(requires=["met", "signed_off"]), sign_off={"due_working_days": 5})
    story.clock(day("2026-03-02")).tell(met())
    story.clock(day("2026-03-06")).tell(signed(signed_at="2026-03-06T09:00:00Z")).clock(day("2026-04-30"))
    assert told(story) == [
        "2026-03-05 opened SIGN_OFF_DUE M1 signed_off amber 0",
        "2026-03-06 cleared SIGN_OFF_DUE M1 signed_off amber 0",
    ]


def test_where_met_is_not_required_the_term_begins_with_the_due_date():
    requires = {"requires": ["signed_off"]}
    story = story_of(a_milestone(due="2026-03-10", **requires), sign_off={"due_working_days": 1})
    story.clock(day("2026-03-12"))
    assert told(story, "C-1", "SIGN_OFF_DUE", "SIGN_OFF_OVERDUE") == [
        "2026-03-10 opened SIGN_OFF_DUE M1 signed_off amber 0",
        "2026-03-12 opened SIGN_OFF_OVERDUE M1 signed_off red 0",
        "2026-03-12 cleared SIGN_OFF_DUE M1 signed_off amber 0",
    ]
    dateless = story_of(a_milestone(**requires), sign_off={"due_working_days": 1}).clock(day("2026-12-01"))
    assert told(dateless) == []


def test_a_re_opened_milestone_has_a_new_term():
    story = story_of(a_milestone(requires=["met", "signed_off"]), sign_off={"due_working_days": 2})
    story.clock(day("2026-03-02")).tell(met(), signed(signed_at="2026-03-02T13:00:00Z"))
    story.clock(day("2026-03-09")).tell(met(status="notMet")).clock(day("2026-03-16")).tell(met())
    story.clock(day("2026-03-19"))
    assert told(story, "C-1", "SIGN_OFF_OVERDUE") == ["2026-03-19 opened SIGN_OFF_OVERDUE M1 signed_off red 0"]


def test_a_forecast_beyond_the_tolerance_puts_the_milestone_at_risk():
    story = story_of(a_milestone(requires=["met"], due="2026-03-10", tolerance_days=2, owner="jane"))
    story.tell(forecast("2026-03-12"))
    assert told(story) == []
    story.tell(forecast("2026-03-13"))
    story.tell(forecast("2026-03-20"))
    assert told(story) == ["2026-03-01 opened AT_RISK M1 due red 0"]
    assert records(story)[0].owner == "jane"
    assert "expected on 2026-03-13" in records(story)[0].detail
    story.tell(forecast("2026-03-11"))
    assert told(story)[1:] == ["2026-03-01 cleared AT_RISK M1 due red 0"]


def test_without_a_forecast_the_project_tools_due_date_is_what_is_expected():
    story = story_of(a_milestone(requires=["met"], due="2026-03-10"))
    story.tell(said("pm", "milestone.scheduled", due="2026-03-11"))
    assert told(story) == ["2026-03-01 opened AT_RISK M1 due red 0"]
    assert told(story.tell(forecast("2026-03-10")))[1:] == ["2026-03-01 cleared AT_RISK M1 due red 0"]


def test_on_the_last_day_it_is_at_risk_and_not_yet_late():
    story = story_of(a_milestone(requires=["met"], due="2026-03-09", tolerance_days=1)).clock(day("2026-03-10"))
    assert told(story.tell(forecast("2026-03-11"))) == ["2026-03-10 opened AT_RISK M1 due red 0"]


def test_late_within_the_tolerance_is_not_late():
    story = story_of(a_milestone(requires=["met"], due="2026-03-10", tolerance_days=2)).clock(day("2026-03-12"))
    assert told(story) == []
    story.clock(day("2026-03-13"))
    assert told(story) == ["2026-03-13 opened LATE M1 due red 0"]
    story.clock(day("2026-03-27")).tell(met())
    assert told(story)[1:] == [
        "2026-03-20 raised LATE M1 due red 1", "2026-03-27 raised LATE M1 due red 2",
        "2026-03-27 cleared LATE M1 due red 2",
    ]  # fmt: skip
    assert [n.told_to for n in records(story)] == ["project", "operator", "management", "management"]
    assert len({n.opened for n in records(story)}) == 1  # one notice, from its opening to its end


def test_at_risk_becomes_late_on_the_day_after_and_says_so():
    story = (
        story_of(a_milestone(requires=["met"], due="2026-03-10")).tell(forecast("2026-03-20")).clock(day("2026-03-11"))
    )
    assert told(story)[-2:] == ["2026-03-11 opened LATE M1 due red 0", "2026-03-11 cleared AT_RISK M1 due red 1"]
    assert records(story)[-1].detail == "it has become LATE"


def test_an_amended_due_date_clears_what_was_late():
    milestone = a_milestone(requires=["met"], due="2026-03-10")
    story = story_of(milestone).clock(day("2026-03-11"))
    later = a_contract(milestone | {"due": "2026-06-10"}, version=2, amendment=an_amendment())
    assert told(story.tell(registered(later)))[-1] == "2026-03-11 cleared LATE M1 due red 0"


@pytest.mark.parametrize(
    ("zone", "moment"),
    [
        ("Europe/Berlin", "2026-03-29T22:00"),
        ("Pacific/Auckland", "2026-03-29T11:00"),
        ("Asia/Kolkata", "2026-03-29T18:30"),
        ("UTC", "2026-03-30T00:00"),
    ],
)
def test_the_day_after_begins_in_the_contracts_zone_also_where_the_clock_changes(zone, moment):
    """Clocks in Berlin go forward on 29 March 2026: the 30th begins at 22:00 UTC, no longer at 23:00."""
    begins = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    story = story_of(a_milestone(requires=["met"], due="2026-03-29"), timezone=zone)
    assert told(story.clock(begins - timedelta(seconds=1))) == []
    assert told(story.clock(begins)) == ["2026-03-30 opened LATE M1 due red 0"]


def test_what_comes_after_a_late_milestone_is_at_stake_too():
    milestones = [
        a_milestone("M1", None, requires=["met"], due="2026-03-10"),
        a_milestone("M2", "100.00", after=["M1"]),
    ]
    story = story_of(*milestones).clock(day("2026-03-11"))
    assert [(n.milestone, n.amount, n.severity) for n in records(story)] == [("M1", 10_000, "red")]


@pytest.mark.parametrize("status", ["draft", "suspended", "terminated", "closed"])
def test_nobody_works_towards_a_contract_that_is_not_active(status):
    story = story_of(a_milestone(due="2026-03-10"), status=status).tell(held_by()).clock(day("2026-12-01"))
    assert told(story) == []


def test_a_contingency_milestone_is_not_late_before_it_is_activated():
    milestones = [a_milestone("M1", requires=["met"], due="2026-12-01"),
                  a_milestone("M2", "50.00", requires=["met"], due="2026-03-10", contingency_for="M1")]  # fmt: skip
    valueless = a_milestone("M3", None, due="2026-03-10", contingency_for="M1")
    story = story_of(*milestones, valueless).clock(day("2026-03-11"))
    assert told(story) == []
    story.tell(said("office", "milestone.activated", "M2", by="olga", rationale="fallback"))
    assert told(story) == ["2026-03-11 opened LATE M2 due red 0"]


# Ageing


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


# Documents


def paper(first, last, milestone=None):
    return said("portal", "compliance.document", milestone, name="insurance", valid_from=first, valid_until=last)


def test_a_document_that_ends_is_told_of_twenty_working_days_before():
    story = story_of(a_milestone("M1", "50.00", requires=["met"]), a_milestone("M2", "50.00", requires=["met"]),
                     compliance=["insurance"]).tell(paper("2026-01-01", "2026-04-30"))  # fmt: skip
    story.clock(day("2026-05-15"))
    assert told(story) == [
        "2026-04-02 opened DOCUMENT_EXPIRING insurance amber 0", "2026-04-16 raised DOCUMENT_EXPIRING insurance red 1",
        "2026-04-23 raised DOCUMENT_EXPIRING insurance red 2",
    ]  # fmt: skip
    assert records(story)[0].detail == "insurance ends on 2026-04-30"
    assert told(story.tell(paper("2026-05-01", "2027-04-30")))[3:] == [
        "2026-05-15 cleared DOCUMENT_EXPIRING insurance red 2"
    ]


def test_a_document_that_follows_without_a_gap_counts():
    story = story_of(a_milestone(requires=["met"]), compliance=["insurance"])
    story.tell_together(paper("2026-01-01", "2026-03-10"), paper("2026-03-11", "2026-12-31", milestone="M1"))
    assert told(story.clock(day("2026-03-10"))) == []
    with_gap = story_of(a_milestone(requires=["met"]), compliance=["insurance"])
    with_gap.tell_together(paper("2026-01-01", "2026-03-10"), paper("2026-03-12", "2026-12-31", milestone="M1"))
    assert told(with_gap) == ["2026-03-01 opened DOCUMENT_EXPIRING insurance red 1"]
    assert "ends on 2026-03-10" in records(with_gap)[0].detail


def test_a_document_that_was_never_given_is_told_of_after_ten_working_days():
    story = story_of(a_milestone(requires=["met"]), compliance=["insurance"]).clock(day("2026-03-13"))
    assert told(story) == ["2026-03-13 opened DOCUMENT_EXPIRING insurance red 0"]
    assert "never given" in records(story)[0].detail
    story.tell(waived("COMPLIANCE_EXPIRED"))
    assert told(story)[1:] == ["2026-03-13 cleared DOCUMENT_EXPIRING insurance red 0"]


def test_once_nothing_is_held_no_document_is_missed():
    story = story_of(a_milestone(requires=["met"]), compliance=["insurance"]).tell(paper("2026-01-01", "2026-03-20"))
    assert open_now(story) == ["DOCUMENT_EXPIRING insurance amber 0"]
    assert told(story.tell(met()))[1:] == ["2026-03-01 cleared DOCUMENT_EXPIRING insurance amber 0"]
    assert story.released() == 10_000


def test_a_document_for_one_milestone_is_told_of_at_once_where_it_ends_soon():
    story = story_of(a_milestone(requires=["met"]), compliance=["insurance"])
    story.tell(paper("2026-01-01", "2026-03-20", milestone="M1"))
    assert told(story) == ["2026-03-01 opened DOCUMENT_EXPIRING insurance amber 0"]


def test_a_document_without_an_end_never_expires():
    story = story_of(a_milestone(requires=["met"], due="9999-12-31", tolerance_days=3), compliance=["insurance"])
    story.tell(paper("2026-01-01", "9999-12-31"), paper("2026-02-01", "9999-12-30", milestone="M1"))
    story.tell(waived("NOT_MET", until="9999-12-31"))
    assert story.defects == []
    assert told(story) == []


# Money


def test_each_exception_is_told_of_with_its_amount_and_cleared_when_it_ends():
    story = story_of(a_milestone(requires=["met"])).tell(paid("30.00"))
    assert told(story) == ["2026-03-01 opened PAID_WITHOUT_RELEASE M1 red 0"]
    assert records(story)[0].amount == 3_000
    story.tell(met(), met(status="notMet"), paid("90.00", payment="P-2"))
    assert told(story)[1:] == [
        "2026-03-01 cleared PAID_WITHOUT_RELEASE M1 red 0", "2026-03-01 opened OVER_RELEASED M1 red 0",
        "2026-03-01 opened PAID_WHILE_HELD M1 red 0",
    ]  # fmt: skip
    assert [n.amount for n in records(story)[2:]] == [10_000, 2_000]
    story.tell(met(), paid("70.00", payment="P-2"))
    assert open_now(story) == []


def test_a_hold_that_came_too_late_and_more_than_was_ordered():
    story = story_of(a_milestone(requires=["received"])).tell(received("101"))
    late = said("ap", "command.acknowledged", command_id="0" * 64, state="rejected", detail="HELD_TOO_LATE: approved")
    assert told(story.tell(late)) == [
        "2026-03-01 opened OVER_RECEIVED M1 green 0", "2026-03-01 opened HELD_TOO_LATE M1 amber 0",
    ]  # fmt: skip


def test_a_milestone_that_left_the_plan_after_money_went_out_and_one_that_just_left():
    milestones = [a_milestone("M1", requires=["met"]), a_milestone("M2", requires=["met"], due="2026-03-10")]
    story = story_of(*milestones).tell(met()).clock(day("2026-03-11"))
    third = a_milestone("M3", requires=["met"])
    story.tell(registered(a_contract(third, version=2, amendment=an_amendment())))
    assert told(story) == [
        "2026-03-11 opened LATE M2 due red 0", "2026-03-11 opened WITHDRAWN M1 red 0",
        "2026-03-11 cleared LATE M2 due red 0",
    ]  # fmt: skip
    assert open_now(story) == ["WITHDRAWN M1 WITHDRAWN red 0"]
    assert told(story.clock(day("2026-03-18")))[3:] == ["2026-03-18 raised WITHDRAWN M1 red 1"]
    back = a_contract(*milestones[:1], third, version=3, amendment=an_amendment(id="A-3"))
    assert told(story.tell(registered(back)))[-1] == "2026-03-18 cleared WITHDRAWN M1 red 1"


# Sign-off by a bypass


def test_who_signs_before_it_was_met_is_flagged_and_nothing_else_changes():
    story = story_of(a_milestone(requires=["met", "signed_off"])).clock(day("2026-03-02"))
    story.tell(signed(signed_at="2026-03-02T09:00:00Z"))
    assert told(story) == []
    story.tell(met(met_on="2026-03-03"))
    assert told(story) == ["2026-03-02 opened SIGN_OFF_FLAGGED M1 early:jane amber 0"]
    assert story.released() == 10_000
    story.clock(day("2026-03-04")).tell(signed(signed_at="2026-03-04T09:00:00Z"))
    assert told(story)[1:] == ["2026-03-04 cleared SIGN_OFF_FLAGGED M1 early:jane amber 0"]


def test_who_signs_on_the_day_on_which_it_was_met_is_not_flagged():
    story = story_of(a_milestone(requires=["met", "signed_off"]), timezone="Europe/Berlin").clock(day("2026-03-03"))
    story.tell(met(met_on="2026-03-03"), signed(signed_at="2026-03-02T23:00:00Z"))
    assert told(story) == []


def test_who_signs_for_oneself_under_a_waiver_is_flagged():
    requires = ["signed_off"]
    story = story_of(a_milestone(requires=requires), people={"jane": ["portal:jd"]})
    story.tell(said("portal", "delivery.claimed", delivered_on="2026-03-01", by="jd"), signed())
    assert told(story) == []  # it holds: DUTIES_NOT_SEPARATED
    story.tell(waived("DUTIES_NOT_SEPARATED"))
    assert told(story) == ["2026-03-01 opened SIGN_OFF_FLAGGED M1 oneself:jane amber 0"]
    assert "a waiver lets it count" in records(story)[0].detail


def test_met_at_less_than_all_of_it_is_flagged():
    story = story_of(a_milestone(requires=["met"])).tell(met(percent="60"))
    assert told(story) == ["2026-03-01 opened SIGN_OFF_FLAGGED M1 percent amber 0"]
    assert told(story.tell(met(percent="100")))[1:] == ["2026-03-01 cleared SIGN_OFF_FLAGGED M1 percent amber 0"]


def test_explain_shows_what_is_odd_about_a_sign_off():
    story = story_of(a_milestone(requires=["met", "signed_off", "evidence:fat"]))
    story.tell(met(), attached(), signed(evidence={"fat": FAT}), met(status="notMet"))
    (account,) = accounts(story.state(), story.rules)
    assert [n for n in account.notes if n.startswith("Sign-off: the signature of jane is superseded")]


# How red, and how often


def test_a_notice_is_told_again_only_when_it_rises():
    story = story_of(a_milestone("M1", "10.00", requires=["met"]), a_milestone("M2", "90.00"))
    story.tell(paid("1.00"))
    assert told(story) == ["2026-03-01 opened PAID_WITHOUT_RELEASE M1 amber 0"]
    story.tell(paid("2.00"), paid("4.99"))
    assert len(told(story)) == 1
    story.tell(paid("5.00"))
    assert told(story)[1:] == ["2026-03-01 raised PAID_WITHOUT_RELEASE M1 red 0"]
    story.tell(paid("1.00"))
    assert len(told(story)) == 2
    assert open_now(story) == ["PAID_WITHOUT_RELEASE M1 PAID_WITHOUT_RELEASE amber 0"]  # as it stands now
    story.tell(paid("5.00"))
    assert len(told(story)) == 2


def test_amounts_of_a_currency_may_be_given_as_they_are():
    policy = Policy(notices=NoticePolicy(amounts={"EUR": (1_000_000, 2_000_000)}))
    story = story_of(a_milestone(requires=["met"]), policy=policy).tell(paid("30.00"))
    assert told(story) == ["2026-03-01 opened PAID_WITHOUT_RELEASE M1 amber 0"]


def test_the_policy_says_when_and_to_whom():
    policy = Policy(notices=NoticePolicy(
        hold_days={"default": 1}, escalate_after={"default": (1, 2, 3)}, escalate_to=("boss",),
        matrix={"possible": ("green",) * 3, "likely": ("green",) * 3, "happened": ("amber",) * 3},
    ))  # fmt: skip
    story = story_of(a_milestone(requires=["met"]), policy=policy).clock(day("2026-03-02")).tell(held_by())
    story.clock(day("2026-03-06"))
    assert told(story) == [
        "2026-03-03 opened HOLD_AGEING M1 MANUAL_HOLD green 0", "2026-03-04 raised HOLD_AGEING M1 MANUAL_HOLD green 1",
        "2026-03-05 raised HOLD_AGEING M1 MANUAL_HOLD amber 2", "2026-03-06 raised HOLD_AGEING M1 MANUAL_HOLD amber 3",
    ]  # fmt: skip
    assert [n.told_to for n in records(story)] == ["operator", "boss", "boss", "boss"]
    assert story.rules.rulebook.hash != Story().rules.rulebook.hash


def test_a_notice_that_opens_again_is_another_one():
    story = story_of(a_milestone(requires=["met"], due="2026-03-10")).tell(
        forecast("2026-03-20"), forecast("2026-03-09")
    )
    story.tell(forecast("2026-03-20"))
    assert [n.opened for n in records(story)] == [2, 2, 4]


def test_every_kind_has_a_function_and_says_what_clears_it():
    exceptions = [kind for kind, _ in OF_AN_EXCEPTION.values()]
    rows = [kind for table in (OF_A_MILESTONE, OF_REASONS, OF_A_TERM, OF_CONFLICTS, OF_A_CONTRACT) for kind, _ in table]
    assert {*rows, *exceptions, NoticeKind.WITHDRAWN} == {*NoticeKind} == {*KINDS}
    assert all(clears_when(kind, "MANUAL_HOLD") for kind in NoticeKind)
    assert all(clears_when(NoticeKind.HOLD_AGEING, reason) for reason in HoldReason)


def test_what_people_know_never_becomes_milder_while_it_is_open():
    story = story_of(a_milestone("M1", "10.00", requires=["met"]), a_milestone("M2", "90.00", requires=["met"]))
    story.clock(day("2026-03-02")).tell(paid("5.00"), paid("1.00")).clock(day("2026-03-09"))
    assert told(story) == [
        "2026-03-02 opened PAID_WITHOUT_RELEASE M1 red 0", "2026-03-09 raised PAID_WITHOUT_RELEASE M1 red 1",
    ]  # fmt: skip
    holds = story_of(a_milestone("M1", "10.00", requires=["met"]), a_milestone("M2", "90.00", requires=["met"]))
    holds.clock(day("2026-03-02")).tell(held_by(hold="H-1")).clock(day("2026-03-04")).tell(held_by(hold="H-2"))
    holds.clock(day("2026-03-17")).tell(
        lifted_by(hold="H-1")
    )  # the older one goes, the younger has stood for less long
    holds.clock(day("2026-03-31"))
    assert told(holds) == [
        "2026-03-09 opened HOLD_AGEING M1 MANUAL_HOLD green 0", "2026-03-16 raised HOLD_AGEING M1 MANUAL_HOLD amber 1",
        "2026-03-25 raised HOLD_AGEING M1 MANUAL_HOLD red 2",
    ]  # fmt: skip


def test_a_step_that_people_know_of_stays_when_only_the_severity_rises():
    policy = Policy(notices=NoticePolicy(matrix=NoticePolicy().matrix | {"possible": ("green", "green", "red")}))
    small, other = a_milestone("M1", "10.00", requires=["met"]), a_milestone("M2", "90.00", requires=["met"])
    story = story_of(small, other, policy=policy).clock(day("2026-03-02")).tell(held_by(hold="H-1"))
    story.clock(day("2026-03-04")).tell(held_by(hold="H-2")).clock(day("2026-03-17")).tell(lifted_by(hold="H-1"))
    large = a_contract(small | {"value": "100.00"}, other, version=2, amendment=an_amendment())
    assert told(story.tell(registered(large)))[-1] == "2026-03-17 raised HOLD_AGEING M1 MANUAL_HOLD red 1"


def test_of_a_frozen_contract_there_is_what_was_told_last():
    story = story_of(a_milestone(requires=["met"])).tell(paid("30.00"))
    frozen = story.state()
    frozen.frozen = "2"
    (shown,) = notices_now(frozen, story.rules)
    assert (shown.kind, shown.milestone, shown.severity) == ("PAID_WITHOUT_RELEASE", "M1", "red")
    assert shown.detail == "told before the contract was frozen"


def test_before_a_version_is_in_force_nothing_is_open():
    story = Story().tell(said("pm", "milestone.assessed", status="met"), registered(a_contract(version=2)))
    assert notices_now(story.state(), story.rules) == []


def test_an_amount_is_large_from_its_limit_on():
    story = story_of(a_milestone(requires=["met"]))
    story.tell(disputed("20.00"), disputed("19.99", dispute="D-2"), disputed("5.00", dispute="D-3"))
    found = {n.cause: n.severity for n in records(story.clock(day("2026-03-06")))}
    assert found == {"D-1": "red", "D-2": "amber", "D-3": "amber"}


def test_a_document_that_has_ended_has_happened_and_of_several_the_first_end_counts():
    policy = Policy(notices=NoticePolicy(document_days=0))
    story = story_of(a_milestone("M1", "50.00", requires=["met"]), a_milestone("M2", "50.00", requires=["met"]),
                     compliance=["insurance"], policy=policy)  # fmt: skip
    story.tell(paper("2026-01-01", "2026-04-30", milestone="M1"), paper("2026-01-01", "2026-03-05", milestone="M2"))
    assert told(story.clock(day("2026-03-06"))) == [
        "2026-03-05 opened DOCUMENT_EXPIRING insurance amber 0", "2026-03-06 raised DOCUMENT_EXPIRING insurance red 0",
    ]  # fmt: skip
    assert [n.detail for n in records(story)] == ["insurance ends on 2026-03-05", "insurance ended on 2026-03-05"]


def test_who_did_two_duties_and_did_not_sign_is_no_flag_of_the_sign_off():
    story = story_of(a_milestone(requires=["signed_off"])).tell(held_by(), lifted_by(by="dora"), signed())
    story.tell(said("portal", "delivery.claimed", delivered_on="2026-03-01", by="dora"), waived("DUTIES_NOT_SEPARATED"))
    assert told(story) == []


def test_what_falls_due_between_two_records_of_one_batch_is_told_on_its_day():
    story = story_of(a_milestone(requires=["met", "signed_off"]), sign_off={"due_working_days": 5})
    story.now = day("2026-03-02")
    first = story.record(met())
    story.now = day("2026-03-20")
    story.carry([first, story.record(said("erp", "value.agreed", value="100.00"))])
    assert told(story, "C-1", "SIGN_OFF_DUE") == [
        "2026-03-05 opened SIGN_OFF_DUE M1 signed_off amber 0", "2026-03-10 cleared SIGN_OFF_DUE M1 signed_off amber 0",
    ]  # fmt: skip
