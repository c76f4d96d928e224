"""A sheet: what one section of a report says, as rows under named columns, the same for terminal, JSON and CSV.

Numbers are exact until they are written: fractions of whole numbers, rounded half away from zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from msgspec import Struct

from contracts_schema.money import format_amount

DAY_US = 86_400_000_000
Cell = str | int | bool | None


class Sheet(Struct, frozen=True):
    """One section: a title for people, the names of its columns, and its rows. `notes` are sentences below it."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()

    def objects(self) -> list[dict[str, Cell]]:
        """The rows by column."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def written(value: Fraction | int, digits: int) -> str:
    """A number with so many decimals, rounded half away from zero."""
    scaled = abs(value) * 10**digits
    whole = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    sign = "-" if value < 0 and whole else ""
    head, tail = divmod(whole, 10**digits)
    return f"{sign}{head}.{tail:0{digits}d}" if digits else f"{sign}{head}"


def percent(hits: int, of: int) -> str | None:
    """A share in percent with one decimal; None where there is nothing to have a share of."""
    return written(Fraction(100 * hits, of), 1) if of else None


def days(microseconds: Fraction | int) -> str:
    """A time in days with one decimal."""
    return written(Fraction(microseconds) / DAY_US, 1)


def money_days(minor_us: Fraction | int, currency: str) -> str:
    """Money times time (minor units x µs) as an amount held for a day."""
    return format_amount(int(written(Fraction(minor_us) / DAY_US, 0)), currency)


def add_to(sums: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Add to sums by currency; sums of different currencies never meet."""
    for currency, amount in more.items():
        sums[currency] = sums.get(currency, 0) + amount
