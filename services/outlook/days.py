"""How a contract counts days: working days where it has a calendar, plain days where it has none."""

from __future__ import annotations

from bisect import bisect_right
from datetime import date, timedelta
from typing import NamedTuple

from contracts_schema.calendars import working_days
from services.reconciliation.calendar import working_day


class Days(NamedTuple):
    """One way of counting; `calendar` is the contract's."""

    calendar: str | None

    @property
    def unit(self) -> str:
        """What is counted, for people."""
        return "days" if self.calendar is None else "working days"

    def after(self, day: date, count: int) -> date:
        """The day that lies `count` days later, or earlier where it is negative; where time ends, its last day."""
        if self.calendar is not None:
            return working_day(day, count, self.calendar)
        ordinal = day.toordinal() + count
        return date.fromordinal(min(max(ordinal, date.min.toordinal()), date.max.toordinal()))

    def between(self, first: date, last: date) -> int:
        """How many days lead from one day to another: those after `first`, up to and with `last`."""
        if self.calendar is None:
            return (last - first).days
        if last < first:
            return -self.between(last, first)
        if last.year == first.year:
            days = working_days(self.calendar, first.year)
            return bisect_right(days, last.toordinal()) - bisect_right(days, first.toordinal())
        whole = sum(len(working_days(self.calendar, year)) for year in range(first.year + 1, last.year))
        days = working_days(self.calendar, first.year)
        rest = len(days) - bisect_right(days, first.toordinal())
        return rest + whole + bisect_right(working_days(self.calendar, last.year), last.toordinal())


def later(day: date | None, days: int) -> date | None:
    """A day so many plain days later; None where there is none, or where time ends."""
    if day is None or (date.max - day).days < days:
        return None
    return day + timedelta(days=days)
