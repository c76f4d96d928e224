"""A dossier: one contract as reports look at it. The log tells what was decided when, the state what is known now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from contracts_schema.facts import ContractRegistered
from contracts_schema.plan import Milestone, Plan
from services.reconciliation.calendar import day_of, later, midnight
from services.reconciliation.case import Case, in_force
from services.reconciliation.crosswalk import index_of
from services.reconciliation.log import Decided, LogEntry
from services.reconciliation.policy import Rules
from services.reconciliation.state import State
from services.reconciliation.versions import register, version_in_force
from services.reconciliation.view import MilestoneStanding, standings


class Line(NamedTuple):
    """One changed decision of a milestone, and the revision (at `moment`, µs) that took it."""

    moment: int
    revision: int
    finance: str | None
    decided: Decided


class Span(NamedTuple):
    """A version of the plan, and the revision (at `moment`, µs) from which on it was in force."""

    moment: int
    revision: int
    plan: Plan


class Stretch(NamedTuple):
    """The time (µs) in which one decision of a milestone stood; it ends where the next one, or the plan, begins."""

    begin: int
    end: int
    decided: Decided


class Dossier(NamedTuple):
    """Everything reports want to know of one contract whose plan has come into force.

    `lines` are the decisions of each milestone, oldest first, also of milestones that have left the plan; `cases` are
    the milestones of the plan in force, and empty where the contract is frozen.
    """

    contract: str
    state: State
    entries: Sequence[LogEntry]
    rules: Rules
    plan: Plan
    spans: tuple[Span, ...]
    lines: Mapping[str, tuple[Line, ...]]
    standings: Mapping[str, MilestoneStanding]
    cases: Mapping[str, Case]

    def day(self, moment: int) -> date:
        """The day of a moment (µs) in the contract's zone (rule B6)."""
        return day_of(moment, self.plan.timezone)

    @property
    def counted(self) -> Iterator[tuple[Milestone, Case]]:
        """Milestones of the plan in force that take part: no contingency that waits, none that was taken over."""
        return ((case.milestone, case) for case in self.cases.values() if in_force(case))

    def stretches(self, milestone: str, now: int) -> Iterator[Stretch]:
        """How long each decision of a milestone stood, until `now` (µs) or until the milestone left the plan."""
        lines = self.lines.get(milestone, ())
        ends = [line.moment for line in lines[1:]] + [self._last_moment(milestone, now)]
        return (
            Stretch(line.moment, max(line.moment, end), line.decided) for line, end in zip(lines, ends, strict=True)
        )

    def _last_moment(self, milestone: str, now: int) -> int:
        """When a milestone left the plan for good; `now` for one that is in it."""
        for span in reversed(self.spans):
            if any(m.id == milestone for m in span.plan.milestones):
                break
            now = span.moment
        return now


class Period(NamedTuple):
    """Days, both of which count; None means that the period is open on that side."""

    since: date | None = None
    until: date | None = None

    def holds(self, day: date) -> bool:
        """Whether a day lies in the period."""
        return (self.since is None or self.since <= day) and (self.until is None or day <= self.until)

    def clip(self, begin: int, end: int, zone: str) -> tuple[int, int]:
        """The part of a time (µs) that lies in the period, in a zone; it may be empty."""
        first = begin if self.since is None else max(begin, midnight(self.since, zone))
        last = end if self.until is None else min(end, midnight(later(self.until), zone))
        return first, max(first, last)


EVER = Period()


def dossier(state: State, entries: Sequence[LogEntry], rules: Rules) -> Dossier | None:
    """The dossier of a contract from its state and its log; None while no version of its plan is in force."""
    if state.in_force == 0:
        return None
    found = {standing.position.milestone: standing for standing in standings(state, rules)}
    cases = {name: standing.case for name, standing in found.items() if standing.case is not None}
    plan = index_of(state.plans[state.in_force].plan).plan
    return Dossier(state.contract, state, entries, rules, plan, tuple(_spans(entries)), _lines(entries), found, cases)


def first_due(dossier: Dossier, milestone: str) -> date | None:
    """The due date under which a milestone first came into force; amendments do not move it."""
    for span in dossier.spans:
        for known in span.plan.milestones:
            if known.id == milestone:
                return known.due
    return None


def _lines(entries: Sequence[LogEntry]) -> Mapping[str, tuple[Line, ...]]:
    found: dict[str, list[Line]] = {}
    for entry in entries:
        for decided in entry.decisions:
            line = Line(entry.moment, entry.revision, entry.finance, decided)
            found.setdefault(decided.milestone, []).append(line)
    return {name: tuple(lines) for name, lines in found.items()}


def _spans(entries: Sequence[LogEntry]) -> Iterator[Span]:
    """Which version was in force from which revision on."""
    known, in_force = State(""), 0
    for entry in entries:
        for fact in entry.facts:
            if isinstance(fact.body, ContractRegistered):
                register(known, fact)
        version = version_in_force(known, entry.moment)
        if version != in_force:
            in_force = version
            yield Span(entry.moment, entry.revision, index_of(known.plans[version].plan).plan)
