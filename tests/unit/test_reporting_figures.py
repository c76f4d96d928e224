"""Figures over the log, each worked out by hand: what is on time, accepted and signed, and how that goes on."""

from datetime import date
from fractions import Fraction

import pytest
from builders import (
    Story,
    a_contract,
    a_milestone,
    an_amendment,
    disputed,
    met,
    received,
    registered,
    resolved,
    signed,
    waived,
)
from figures import NOW, at, counted, day, four_milestones, rows

from services.reconciliation.calendar import moment_of
from services.reporting.acceptance import FirstTime
from services.reporting.dossier import EVER, Period
from services.reporting.punctuality import Lag, OnTime, Outcome, outcome
from services.reporting.sheet import percent, written
from services.reporting.signing import SignOffTime
from services.reporting.spread import Spread
from services.reporting.trend import Trend

# Numbers as they are written


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(Fraction(1, 3), 1, "0.3"), (Fraction(1, 20), 1, "0.1"), (Fraction(-1, 20), 1, "-0.1"),
     (Fraction(-1, 50), 1, "0.0"), (7, 0, "7"), (Fraction(5, 2), 0, "3"), (Fraction(-5, 2), 0, "-3"),
     (Fraction(1999, 100), 1, "20.0")],
)  # fmt: skip
def test_a_number_is_rounded_half_away_from_zero(value, digits, text):
    assert written(value, digits) == text


def test_a_share_of_nothing_is_no_share():
    assert percent(0, 0) is None
    assert percent(1, 8) == "12.5"


def test_the_median_of_an_even_number_lies_half_way():
    spread = Spread()
    for days in (3, -2, 8, 4):
        spread.add(days)
    assert spread.cells() == (4, "3.3", "3.5", -2, 8)
    assert Spread().cells() == (0, None, None, None, None)


def test_both_days_of_a_period_count():
    period = Period(date(2026, 3, 2), date(2026, 3, 3))
    assert [period.holds(date(2026, 3, day)) for day in (1, 2, 3, 4)] == [False, True, True, False]
    assert EVER.holds(date.min)
    assert period.clip(0, NOW, "Asia/Tokyo") == (moment_of(day(1, hour=15)), moment_of(day(3, hour=15)))


# On time


def test_late_within_the_tolerance_is_not_late():
    due = date(2026, 3, 10)
    assert outcome(due, 3, date(2026, 3, 13), date(2026, 4, 1)) is Outcome.ON_TIME
    assert outcome(due, 3, date(2026, 3, 14), date(2026, 4, 1)) is Outcome.LATE
    assert outcome(due, 3, None, date(2026, 3, 13)) is Outcome.AHEAD
    assert outcome(due, 3, None, date(2026, 3, 14)) is Outcome.OVERDUE


def test_the_on_time_rate_counts_what_is_due_or_met():
    rate = rows(OnTime(EVER, NOW), four_milestones())[0]
    assert rate == {
        "against": "due date in force", "on_time": 1, "met_late": 1, "overdue": 1, "rate_percent": "33.3",
        "not_due_yet": 1,
    }  # fmt: skip


def test_the_on_time_rate_is_of_what_was_due_in_the_period():
    assert rows(OnTime(Period(until=date(2026, 3, 10)), NOW), four_milestones())[0]["rate_percent"] == "50.0"
    nothing = rows(OnTime(Period(until=date(2026, 1, 1)), NOW), four_milestones())[0]
    assert (nothing["on_time"], nothing["rate_percent"]) == (0, None)


def test_a_due_date_that_an_amendment_moved_does_not_make_it_punctual_against_the_first():
    story = Story().tell(registered(a_contract(a_milestone("M1", due="2026-03-05", requires=["met"]))))
    moved = a_contract(a_milestone("M1", due="2026-03-20", requires=["met"]), version=2, amendment=an_amendment())
    at(story, day(10), registered(moved), met("M1", met_on="2026-03-10"))
    in_force, first = rows(OnTime(EVER, NOW), story)
    assert (in_force["on_time"], in_force["met_late"]) == (1, 0)
    assert (first["on_time"], first["met_late"]) == (0, 1)


def test_a_contingency_milestone_that_waits_does_not_count():
    plan = a_contract(
        a_milestone("M1", due="2026-03-05", requires=["met"]),
        a_milestone("M1B", due="2026-03-05", requires=["met"], contingency_for="M1"),
    )  # fmt: skip
    story = at(Story().tell(registered(plan)), day(10), met("M1", met_on="2026-03-04"))
    assert rows(OnTime(EVER, NOW), story)[0]["rate_percent"] == "100.0"


def test_the_lag_is_early_below_zero_and_late_above():
    lag = rows(Lag(EVER), four_milestones())[0]
    assert lag == {"count": 2, "mean_days": "1.0", "median_days": "1.0", "least_days": -2, "most_days": 4}
    assert rows(Lag(Period(since=date(2026, 3, 10))), four_milestones())[0]["count"] == 1


# Sign-off


def test_a_sign_off_takes_the_days_from_met_to_signed_in_the_zone_of_the_contract():
    plan = a_contract(a_milestone("M1", requires=["met", "signed_off"]), timezone="Asia/Tokyo")
    story = Story().tell(registered(plan))
    at(story, day(5, hour=14), met("M1"))  # 23:00 in Tokyo
    at(story, day(7, hour=16), signed())  # 01:00 on the 8th in Tokyo
    signed_row, waiting = rows(SignOffTime(EVER, NOW), story)
    assert (signed_row["count"], signed_row["mean_days"], waiting["count"]) == (1, "3.0", 0)


def test_a_signature_that_was_there_before_takes_no_day_and_a_waiver_is_no_signature():
    plan = a_contract(
        a_milestone("M1", requires=["met", "signed_off"]), a_milestone("M2", requires=["met", "signed_off"])
    )
    story = Story().tell(registered(plan), signed(milestone="M1"))
    at(story, day(5), met("M1"), met("M2"))
    at(story, day(9), waived("SIGN_OFF_MISSING", "M2"))
    sheet = counted(SignOffTime(EVER, NOW), story)
    assert (sheet.objects()[0]["count"], sheet.objects()[0]["most_days"]) == (1, 0)
    assert sheet.notes == ("1 waits ended without a signature: waived, or no longer required",)


def test_a_re_opening_begins_a_new_wait():
    story = Story().tell(registered(a_contract(a_milestone("M1", requires=["met", "signed_off"]))))
    at(story, day(5), met("M1"))
    at(story, day(6), signed())
    at(story, day(10), met("M1", status="notMet"))
    at(story, day(12), met("M1"))
    first, waiting = rows(SignOffTime(EVER, moment_of(day(16))), story)
    assert (first["count"], first["mean_days"]) == (1, "1.0")
    assert (waiting["count"], waiting["mean_days"]) == (1, "4.0")


def test_a_wait_that_a_re_opening_cuts_short_is_no_sign_off_and_waits_no_more():
    story = Story().tell(registered(a_contract(a_milestone("M1", requires=["met", "signed_off"]))))
    at(story, day(5), met("M1"))
    at(story, day(10), met("M1", status="notMet"))
    assert [row["count"] for row in rows(SignOffTime(EVER, NOW), story)] == [0, 0]


# Acceptance and trend


def test_first_time_acceptance_counts_no_milestone_that_was_set_back():
    plan = a_contract(*(a_milestone(f"M{n}", requires=["met"]) for n in range(1, 6)))
    story = Story().tell(registered(plan))
    story.tell(*(met(f"M{n}") for n in range(1, 5)))  # M5 is never met
    story.tell(met("M2", status="notMet"), met("M2"), disputed("1.00", "M3"), resolved("M3"))
    found = {row["milestones"]: (row["count"], row["of"], row["percent"]) for row in rows(FirstTime(EVER), story)}
    assert found["accepted at once"] == (2, 4, "50.0")
    assert (found["re-opened"][0], found["disputed"][0], found["goods rejected"][0]) == (1, 1, 0)


def test_rejected_goods_and_changed_evidence_are_setbacks_and_rejecting_none_is_not():
    plan = a_contract(a_milestone("M1", requires=["met", "received"]), a_milestone("M2", requires=["met", "received"]))
    story = Story().tell(registered(plan), met("M1"), met("M2"))
    story.tell(received("100", milestone="M1", rejected="0.00"), received("90", milestone="M2", rejected="10"))
    found = {row["milestones"]: row["count"] for row in rows(FirstTime(EVER), story)}
    assert (found["accepted at once"], found["goods rejected"]) == (1, 1)


def test_nothing_met_gives_no_rate():
    story = Story().tell(registered(a_contract(a_milestone("M1", requires=["met"]))))
    assert rows(FirstTime(EVER), story)[0]["percent"] is None


def test_the_trend_puts_each_figure_into_its_own_month():
    story = Story().tell(registered(a_contract(
        a_milestone("M1", "100.00", due="2026-03-10", requires=["met"]),
        a_milestone("M2", "50.00", due="2026-03-31", requires=["met"]),
    )))  # fmt: skip
    at(story, day(9), met("M1", met_on="2026-03-08"))
    at(story, day(6, month=4), met("M2", met_on="2026-04-05"))
    march, april = rows(Trend(EVER, moment_of(day(1, month=5))), story)
    assert (march["month"], march["due"], march["on_time"], march["on_time_percent"]) == ("2026-03", 2, 1, "50.0")
    assert (march["met"], march["mean_lag_days"], march["currency"], march["released"]) == (1, "-2.0", "EUR", "100.00")
    assert (april["due"], april["met"], april["mean_lag_days"], april["released"]) == (0, 1, "5.0", "50.00")
    assert april["on_time_percent"] is None


def test_the_trend_counts_what_is_released_step_by_step_and_nothing_that_was_carried_over():
    opening = {"released": "10.00", "as_of": "2026-02-01", "reference": "L-7", "approved_by": "boss"}
    plan = a_contract(a_milestone("M1", "100.00", requires=["received"], opening=opening))
    story = Story().tell(registered(plan), received("40"), received("70"))
    assert story.released("M1") == 70_00
    assert [row["released"] for row in rows(Trend(EVER, NOW), story)] == ["60.00"]
