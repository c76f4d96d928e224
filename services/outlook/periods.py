"""Sums of cash lines over periods: by currency, then by month or week, then by category. Never over currencies."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Literal, NamedTuple

from services.outlook.cash import CashLine, Category

By = Literal["month", "week"]
NO_DAY = ""  # the period of what has no day


class Sum(NamedTuple):
    """One cell: minor units of one currency in one period (`2026-07`, `2026-W31`, or NO_DAY) in one category."""

    currency: str
    period: str
    category: Category
    amount: int


def period_of(day: date | None, by: By) -> str:
    """The month or ISO week in which a day lies."""
    if day is None:
        return NO_DAY
    if by == "month":
        return f"{day.year:04d}-{day.month:02d}"
    year, week, _ = day.isocalendar()
    return f"{year:04d}-W{week:02d}"


def sums(lines: Iterable[tuple[str, CashLine]], by: By) -> list[Sum]:
    """The sums of lines with their currencies; what has no day comes last."""
    found: dict[tuple[str, str, Category], int] = {}
    for currency, line in lines:
        key = (currency, period_of(line.day, by), line.category)
        found[key] = found.get(key, 0) + line.amount
    order = sorted(found, key=lambda key: (key[0], key[1] == NO_DAY, key[1], key[2]))
    return [Sum(*key, found[key]) for key in order]
