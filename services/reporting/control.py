"""Control totals: what became of every record that was read, day by day, and whether it adds up."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from services.reporting.sheet import Cell, Sheet

READ = "read"
# What may become of a record, in the order in which the most telling one counts for a record of several facts.
ENDS = ("quarantined", "refused", "deferred", "parked", "applied", "stale", "duplicate", "ignored")
PREFIX = "record."  # how the store names totals of records; the bare names count facts


def gap(counts: Mapping[str, int]) -> int | None:
    """Records of which nobody says what became of them (below zero: too many); None where it was not counted."""
    if not any(name.startswith(PREFIX) for name in counts) and counts.get(READ):
        return None
    return counts.get(READ, 0) - sum(counts.get(PREFIX + end, 0) for end in ENDS)


def control_totals(counts: Mapping[date, Mapping[str, int]]) -> Sheet:
    """A row a day: what was read, what became of it, and what is missing from the sum."""
    rows = [_row(day, counts[day]) for day in sorted(counts)]
    return Sheet(
        "control", "Control totals", ("day", READ, *ENDS, "unaccounted", "adds_up"), tuple(rows), _notes(counts)
    )


def _row(day: date, counts: Mapping[str, int]) -> tuple[Cell, ...]:
    missing = gap(counts)
    ends = tuple(counts.get(PREFIX + end, 0) for end in ENDS)
    return day.isoformat(), counts.get(READ, 0), *ends, missing, None if missing is None else missing == 0


def _notes(counts: Mapping[date, Mapping[str, int]]) -> tuple[str, ...]:
    wrong = [(day, n) for day in sorted(counts) if (n := gap(counts[day]))]
    notes = [f"{day.isoformat()} DOES NOT ADD UP: {n} records are unaccounted for" for day, n in wrong]
    uncounted = [day.isoformat() for day in sorted(counts) if gap(counts[day]) is None]
    if uncounted:
        notes.append(f"{', '.join(uncounted)}: an earlier version counted facts, not records; nothing can be said")
    return tuple(notes)
