"""Holiday calendars by name: `DE`, `DE-BE`, or a market such as `XECB`, as the library `holidays` knows them.

Pure: a name and a year give the same days whenever one asks. The library is loaded where a calendar is first used.
"""

from __future__ import annotations

from datetime import date
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holidays import HolidayBase

NEAREST_MOST = 3
SATURDAY = 5


def calendar_fault(name: str) -> str | None:
    """What is wrong with the name of a calendar, with the nearest ones that are known; None where it is known."""
    known = known_calendars()
    if name in known:
        return None
    country = name.partition("-")[0].upper()
    nearest = get_close_matches(name.upper(), [k for k in known if k.partition("-")[0] == country], NEAREST_MOST, 0)
    nearest = nearest or get_close_matches(name.upper(), known, NEAREST_MOST)
    hint = f"; near it are {', '.join(nearest)}" if nearest else " such as DE, DE-BE, GB-SCT, US-TX or XECB"
    return f"{name!r} is no holiday calendar{hint}"


@lru_cache(maxsize=1)
def known_calendars() -> dict[str, None]:
    """Every name, sorted: countries, their parts, and markets."""
    from holidays import list_supported_countries, list_supported_financial

    countries = list_supported_countries(include_aliases=False)
    parts = [f"{country}-{part}" for country, known in countries.items() for part in known]
    return dict.fromkeys(sorted([*countries, *parts, *list_supported_financial(include_aliases=False)]))


@lru_cache(maxsize=1_024)
def working_days(name: str | None, year: int) -> tuple[int, ...]:
    """The working days of a year, as ordinals: without a calendar, or with one that the library no longer knows, Monday
    to Friday. Weekends are those of the calendar's country, and days that it works instead of free ones count."""
    calendar = _holidays(name, year) if name is not None and name in known_calendars() else None
    first, last = date(year, 1, 1).toordinal(), date(year, 12, 31).toordinal()
    return tuple(day for day in range(first, last + 1) if _is_working_day(calendar, date.fromordinal(day)))


def _is_working_day(calendar: HolidayBase | None, day: date) -> bool:
    return calendar.is_working_day(day) if calendar is not None else day.weekday() < SATURDAY


def _holidays(name: str, year: int) -> HolidayBase:
    from holidays import country_holidays, financial_holidays, list_supported_financial

    if name in list_supported_financial(include_aliases=False):
        return financial_holidays(name, years=year)
    country, _, part = name.partition("-")
    return country_holidays(country, subdiv=part or None, years=year)
