"""Whether milestones were met in time, and how far from their due dates (FIGURES.md: on-time, lag)."""

from __future__ import annotations

from collections import Counter
from datetime import date
from enum import Enum

from contracts_schema.plan import Milestone
from services.reconciliation.calendar import later
from services.reconciliation.case import Case
from services.reporting.dossier import Dossier, Period, first_due
from services.reporting.sheet import Cell, Sheet, percent
from services.reporting.spread import COLUMNS, Spread


class Outcome(Enum):
    """How a milestone stands to a due date."""

    ON_TIME = "on time"
    LATE = "met late"
    OVERDUE = "not met, overdue"
    AHEAD = "not due yet"


KNOWN = (Outcome.ON_TIME, Outcome.LATE, Outcome.OVERDUE)


def outcome(due: date, tolerance_days: int, met_on: date | None, today: date) -> Outcome:
    """How a milestone stands to its due date; late within the tolerance is not late."""
    last = later(due, tolerance_days)
    if met_on is not None:
        return Outcome.ON_TIME if met_on <= last else Outcome.LATE
    return Outcome.OVERDUE if today > last else Outcome.AHEAD


class OnTime:
    """The on-time rate, against the due date in force and against the first one."""

    def __init__(self, period: Period, now: int) -> None:
        self.period, self.now = period, now
        self.in_force: Counter[Outcome] = Counter()
        self.first: Counter[Outcome] = Counter()

    def add(self, dossier: Dossier) -> None:
        """Count one contract."""
        today = dossier.day(self.now)
        for milestone, case in dossier.counted:
            self._count(self.in_force, milestone, case, milestone.due, today)
            self._count(self.first, milestone, case, first_due(dossier, milestone.id), today)

    def _count(
        self, counter: Counter[Outcome], milestone: Milestone, case: Case, due: date | None, today: date
    ) -> None:
        if due is not None and self.period.holds(due):
            counter[outcome(due, milestone.tolerance_days, case.completion.met_on, today)] += 1

    def sheet(self) -> Sheet:
        """Two rows: against the due date in force, and against the first."""
        rows = tuple(
            _row(name, n) for name, n in (("due date in force", self.in_force), ("first due date", self.first))
        )
        columns = ("against", "on_time", "met_late", "overdue", "rate_percent", "not_due_yet")
        return Sheet("on-time", "On-time rate", columns, rows)


def _row(name: str, counter: Counter[Outcome]) -> tuple[Cell, ...]:
    hits, of = counter[Outcome.ON_TIME], sum(counter[outcome] for outcome in KNOWN)
    return name, hits, counter[Outcome.LATE], counter[Outcome.OVERDUE], percent(hits, of), counter[Outcome.AHEAD]


class Lag:
    """Days from the due date in force to the day on which a milestone was met; early is negative."""

    def __init__(self, period: Period) -> None:
        self.period = period
        self.spread = Spread()

    def add(self, dossier: Dossier) -> None:
        """Count one contract."""
        for milestone, case in dossier.counted:
            met_on = case.completion.met_on
            if milestone.due is not None and met_on is not None and self.period.holds(met_on):
                self.spread.add((met_on - milestone.due).days)

    def sheet(self) -> Sheet:
        """One row."""
        return Sheet("lag", "Lag from due to actual", COLUMNS, (self.spread.cells(),))
