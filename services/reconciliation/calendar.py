"""Days: what counts is the day in the contract's zone (rule B6). Working days are those of its holiday calendar."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from contracts_schema.calendars import working_days

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def moment_of(when: datetime) -> int:
    """Microseconds since 1970 of an aware datetime."""
    since = when - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def datetime_of(moment: int) -> datetime:
    """The UTC datetime of a moment in microseconds."""
    return _EPOCH + timedelta(microseconds=moment)


@lru_cache(maxsize=4096)
def _day(hour: int, zone: str, quarter: int) -> date:
    return (_EPOCH + timedelta(hours=hour, minutes=15 * quarter)).astimezone(_zone(zone)).date()


def day_of(moment: int, zone: str) -> date:
    """The day of a moment (µs) in a zone. Zones change only on quarters of an hour, so quarters are remembered."""
    hour, rest = divmod(moment, 3_600_000_000)
    return _day(hour, zone, rest // 900_000_000)


@lru_cache(maxsize=8192)
def midnight(day: date, zone: str) -> int:
    """The moment (µs) at which a day begins in a zone; where the clock skips midnight, the first moment after."""
    return moment_of(midnight_of(day, zone))


@lru_cache(maxsize=8192)
def midnight_of(day: date, zone: str) -> datetime:
    """The same as a UTC datetime."""
    return datetime(day.year, day.month, day.day, tzinfo=_zone(zone)).astimezone(UTC)


def later(day: date, days: int = 1) -> date:
    """So many days after a day, by the calendar; where time ends, its last day (papers are valid until 9999-12-31)."""
    return day + timedelta(days=days) if (date.max - day).days >= days else date.max


@lru_cache(maxsize=16_384)
def working_day(day: date, count: int, calendar: str | None) -> date:
    """The `count`-th working day after a day; the day itself for 0; below 0, as many working days before it.

    Without a calendar one works from Monday to Friday. Where time ends, its first or last day.
    """
    if count == 0:
        return day
    return _after(day, count, calendar) if count > 0 else _before(day, -count, calendar)


def _after(day: date, count: int, calendar: str | None) -> date:
    year = day.year
    days = working_days(calendar, year)
    at = bisect_right(days, day.toordinal()) + count - 1
    while at >= len(days):
        at, year = at - len(days), year + 1
        if year > date.max.year:
            return date.max
        days = working_days(calendar, year)
    return date.fromordinal(days[at])


def _before(day: date, count: int, calendar: str | None) -> date:
    year = day.year
    days = working_days(calendar, year)
    at = bisect_left(days, day.toordinal()) - count
    while at < 0:
        year -= 1
        if year < date.min.year:
            return date.min
        days = working_days(calendar, year)
        at += len(days)
    return date.fromordinal(days[at])


def show_moment(moment: int) -> str:
    """RFC 3339 in UTC, to the microsecond where there are any."""
    return datetime_of(moment).isoformat().replace("+00:00", "Z")
