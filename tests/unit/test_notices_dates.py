"""What is due and what is late: what opens a notice, how it goes up, and what clears it. Days are those of 2026."""

from datetime import UTC, datetime, timedelta

import pytest
from builders import (
    a_contract,
    a_milestone,
    an_amendment,
    held_by,
    met,
    registered,
    said,
    signed,
)
from noticing import day, forecast, open_now, records, story_of, told


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
