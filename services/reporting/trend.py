"""The figures month by month, each in the month to which its own day belongs (FIGURES.md: trend)."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

from msgspec import Struct

from contracts_schema.money import format_amount
from services.reporting.acceptance import first_met, setbacks
from services.reporting.dossier import Dossier, Period
from services.reporting.punctuality import KNOWN, Outcome, outcome
from services.reporting.sheet import Cell, Sheet, add_to, percent, written


class Month(Struct):
    """One month: milestones due in it and in time, met in it with their lag, first met in it and accepted at once."""

    due: int = 0
    on_time: int = 0
    met: int = 0
    lag: int = 0
    first_met: int = 0
    first_time: int = 0
    released: dict[str, int] = {}


class Trend:
    """Months of the period."""

    def __init__(self, period: Period, now: int) -> None:
        self.period, self.now = period, now
        self.months: dict[str, Month] = {}

    def add(self, dossier: Dossier) -> None:
        """Count one contract."""
        found = setbacks(dossier)
        for milestone, case in dossier.counted:
            self._punctuality(milestone.due, milestone.tolerance_days, case.completion.met_on, dossier.day(self.now))
            day = first_met(dossier, milestone.id)
            if (month := self._month(day)) is not None:
                month.first_met += 1
                month.first_time += not found[milestone.id]
        for name in dossier.lines:
            self._released(dossier, name)

    def _month(self, day: date | None) -> Month | None:
        if day is None or not self.period.holds(day):
            return None
        return self.months.setdefault(f"{day:%Y-%m}", Month())

    def _punctuality(self, due: date | None, tolerance_days: int, met_on: date | None, today: date) -> None:
        if due is None:
            return
        stands = outcome(due, tolerance_days, met_on, today)
        if stands in KNOWN and (month := self._month(due)) is not None:
            month.due += 1
            month.on_time += stands is Outcome.ON_TIME
        if met_on is not None and (month := self._month(met_on)) is not None:
            month.met += 1
            month.lag += (met_on - due).days

    def _released(self, dossier: Dossier, milestone: str) -> None:
        """What each decision released beyond the one before it; what was carried over was released elsewhere."""
        before = 0
        for line in dossier.lines[milestone]:
            out = line.decided.released - (line.decided.carried or 0)
            if out > before and (month := self._month(dossier.day(line.moment))) is not None:
                add_to(month.released, {line.decided.currency: out - before})
            before = max(before, out)

    def sheet(self) -> Sheet:
        """A row for each month and currency; a month without a release has one row without a currency."""
        columns = (
            "month", "due", "on_time", "on_time_percent", "met", "mean_lag_days", "first_met", "first_time_percent",
            "currency", "released",
        )  # fmt: skip
        return Sheet(
            "trend", "Trend by month", columns, tuple(row for name in sorted(self.months) for row in self._rows(name))
        )

    def _rows(self, name: str) -> list[tuple[Cell, ...]]:
        m = self.months[name]
        lag = written(Fraction(m.lag, m.met), 1) if m.met else None
        figures = (
            name, m.due, m.on_time, percent(m.on_time, m.due), m.met, lag, m.first_met,
            percent(m.first_time, m.first_met),
        )  # fmt: skip
        if not m.released:
            return [(*figures, None, None)]
        return [(*figures, c, format_amount(amount, c)) for c, amount in sorted(m.released.items())]
