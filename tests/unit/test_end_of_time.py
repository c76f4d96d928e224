"""Days are added within the calendar: where time ends, a term ends with it, and no contract freezes."""

from datetime import date

import pytest
from builders import Story, a_contract, a_milestone, met, registered

from services.reporting.punctuality import Outcome, outcome

LAST = "9999-12-31"


@pytest.mark.parametrize("days", [0, 1, 3650])
def test_a_due_date_at_the_end_of_time_is_met_in_time(days):
    first = a_milestone("M1", None, requires=["met"], due=LAST, tolerance_days=days)
    bonus = a_milestone("M2", requires=["on_time:M1"])
    story = Story().tell(registered(a_contract(first, bonus)), met("M1"))
    assert not story.defects
    assert story.released("M2") == 100_00


def test_reports_count_such_a_date_as_not_due_yet():
    assert outcome(date.max, 3, None, date(2026, 3, 1)) is Outcome.AHEAD
