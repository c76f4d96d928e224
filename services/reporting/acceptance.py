"""What was right the first time: met, and never set back afterwards or before (FIGURES.md: acceptance)."""

from __future__ import annotations

from collections import Counter
from datetime import date
from itertools import pairwise

from contracts_schema import facts as f
from contracts_schema.fact_fields import Body
from contracts_schema.reasons import HoldReason
from services.reconciliation.crosswalk import Index, Place
from services.reporting.dossier import Dossier, Line, Period
from services.reporting.sheet import Cell, Sheet, percent

RE_OPENED = "re-opened"
REJECTED = "goods rejected"
DISPUTED = "disputed"
WITHDRAWN = "sign-off withdrawn"
CHANGED = "evidence changed"
SETBACKS = (RE_OPENED, REJECTED, DISPUTED, WITHDRAWN, CHANGED)


def first_met(dossier: Dossier, milestone: str) -> date | None:
    """The day of the decision that first saw the milestone met; None for one that never was."""
    lines = dossier.lines.get(milestone, ())
    return next((dossier.day(line.moment) for line in lines if line.decided.status == "met"), None)


def setbacks(dossier: Dossier) -> dict[str, set[str]]:
    """What ever went wrong with each milestone of the plan in force, by the log."""
    found: dict[str, set[str]] = {name: _in_decisions(dossier.lines.get(name, ())) for name in dossier.cases}
    index = Index(dossier.plan)
    for entry in dossier.entries:
        for fact in entry.facts:
            kind = _in_fact(fact.body)
            if kind is not None:
                for name in _homes(index, fact):
                    found.setdefault(name, set()).add(kind)
    return found


def _homes(index: Index, fact: f.Fact) -> list[str]:
    home = index.home(fact.address, fact.body)
    if isinstance(home, str):
        return [home]
    return list(index.milestones) if home is Place.EVERYWHERE else []


def _in_decisions(lines: tuple[Line, ...]) -> set[str]:
    found = set()
    statuses = [line.decided.status for line in lines]
    if any(was == "met" and now != "met" for was, now in pairwise(statuses)):
        found.add(RE_OPENED)
    if any(r.code == HoldReason.EVIDENCE_CHANGED for line in lines for r in line.decided.reasons):
        found.add(CHANGED)
    return found


def _in_fact(body: Body) -> str | None:
    match body:
        case f.GoodsReceived() if body.rejected.strip("0.") != "":
            return REJECTED
        case f.DisputeOpened():
            return DISPUTED
        case f.SignOffWithdrawn():
            return WITHDRAWN
        case _:
            return None


class FirstTime:
    """First-time acceptance of milestones that were first met in the period."""

    def __init__(self, period: Period) -> None:
        self.period = period
        self.of = self.first_time = 0
        self.why: Counter[str] = Counter()

    def add(self, dossier: Dossier) -> None:
        """Count one contract."""
        found = setbacks(dossier)
        for milestone, _ in dossier.counted:
            day = first_met(dossier, milestone.id)
            if day is not None and self.period.holds(day):
                self.of += 1
                self.first_time += not found[milestone.id]
                self.why.update(found[milestone.id])

    def sheet(self) -> Sheet:
        """One row for the rate, then one for each kind of setback."""
        rate = percent(self.first_time, self.of)
        rows: list[tuple[Cell, ...]] = [("accepted at once", self.first_time, self.of, rate)]
        rows += [(kind, self.why[kind], self.of, percent(self.why[kind], self.of)) for kind in SETBACKS]
        columns = ("milestones", "count", "of", "percent")
        return Sheet("acceptance", "First-time acceptance", columns, tuple(rows))
