"""Working days of holiday calendars, and the calendars that a registration may name."""

from datetime import date

import pytest
from builders import Story, a_contract, registered

from contracts_schema.calendars import calendar_fault, known_calendars, working_days
from services.reconciliation.calendar import later, working_day


@pytest.mark.parametrize(
    ("day", "count", "calendar", "expected"),
    [
        # Christmas: Friday 25 and Saturday 26 December 2026 are holidays in Berlin; New Year's Day is a Friday.
        (date(2026, 12, 24), 1, "DE-BE", date(2026, 12, 28)),
        (date(2026, 12, 24), 1, None, date(2026, 12, 25)),
        (date(2026, 12, 30), 2, "DE-BE", date(2027, 1, 4)),
        # Good Friday 3 and Easter Monday 6 April 2026.
        (date(2026, 4, 2), 1, "DE-BE", date(2026, 4, 7)),
        (date(2026, 4, 2), 1, "XECB", date(2026, 4, 7)),
        (date(2026, 3, 29), 5, "DE-BE", date(2026, 4, 7)),
        # 31 October is a holiday in Brandenburg and none in Berlin; in 2025 it is a Friday.
        (date(2025, 10, 30), 1, "DE-BB", date(2025, 11, 3)),
        (date(2025, 10, 30), 1, "DE-BE", date(2025, 10, 31)),
        # In Israel the week ends on Friday and Saturday, and Sunday is a working day.
        (date(2026, 6, 4), 1, "IL", date(2026, 6, 7)),
        # China works on some Saturdays and Sundays instead: Sunday 4 January 2026 for New Year.
        (date(2026, 1, 3), 1, "CN", date(2026, 1, 4)),
        # Days before, and the day itself.
        (date(2026, 4, 7), -1, "DE-BE", date(2026, 4, 2)),
        (date(2027, 1, 4), -2, "DE-BE", date(2026, 12, 30)),
        (date(2026, 4, 4), -1, None, date(2026, 4, 3)),
        (date(2026, 4, 4), 0, "DE-BE", date(2026, 4, 4)),
        # From a Saturday the next working day is Monday.
        (date(2026, 5, 9), 1, None, date(2026, 5, 11)),
        # More than a year ahead, and back again.
        (date(2026, 1, 2), 261, None, date(2027, 1, 4)),
        (date(2027, 1, 4), -261, None, date(2026, 1, 2)),
        # Where time ends, and where it begins.
        (date(9998, 12, 31), 1, None, date(9999, 1, 1)),
        (date(2, 1, 1), -1, None, date(1, 12, 31)),
        (date(9999, 12, 30), 5, None, date.max),
        (date(1, 1, 2), -5, None, date.min),
    ],
)
def test_a_working_day_is_neither_weekend_nor_holiday(day, count, calendar, expected):
    assert working_day(day, count, calendar) == expected


@pytest.mark.parametrize("calendar", [None, "DE-BE", "IL", "XECB"])
def test_so_many_days_on_and_back_is_the_same_working_day(calendar):
    for day in map(date.fromordinal, working_days(calendar, 2026)):
        assert working_day(working_day(day, 7, calendar), -7, calendar) == day


def test_a_calendar_that_the_library_forgot_means_monday_to_friday():
    assert working_days("XX-YY", 2026) == working_days(None, 2026)


@pytest.mark.parametrize("name", ["DE", "DE-BE", "GB-SCT", "US-TX", "XECB"])
def test_a_calendar_is_a_country_a_part_of_it_or_a_market(name):
    assert calendar_fault(name) is None
    assert name in known_calendars()


@pytest.mark.parametrize(
    ("name", "near"),
    [("DE-BERLIN", "DE-BE"), ("de-be", "DE-BE"), ("DE-XX", "DE-"), ("ECB", "XECB"), ("NYSE", "XNYS"), ("", "such as")],
)
def test_a_name_that_nobody_knows_is_told_with_the_nearest_ones(name, near):
    assert near in calendar_fault(name)
    assert repr(name) in calendar_fault(name)


def test_a_registration_with_an_unknown_calendar_is_refused_by_field_value_and_nearest():
    story = Story().tell(registered(a_contract(calendar="DE-BERLIN")))
    assert "calendar" in story.quarantined[0]
    assert "'DE-BERLIN' is no holiday calendar; near it are DE-BE" in story.quarantined[0]
    assert story.raw() is None


def test_where_time_ends_a_later_day_is_its_last():
    assert later(date(2026, 2, 28)) == date(2026, 3, 1)
    assert later(date(2026, 2, 28), 0) == date(2026, 2, 28)
    assert later(date(9999, 12, 30), 1) == later(date(9999, 12, 30), 5) == date.max
