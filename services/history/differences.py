"""Two outcomes of one contract beside each other: positions, dates and commands that differ, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct

from contracts_schema.commands import Amount, Dates
from services.reconciliation.log import Decided, LogEntry
from services.reconciliation.policy import Rules
from services.reconciliation.state import State
from services.reconciliation.view import MilestoneStanding, standings
from services.reconciliation.wire import amount


class Side(Struct, frozen=True):
    """A milestone's position in one of the two outcomes."""

    status: str
    action: str | None
    value: Amount
    released_to_date: Amount
    held: Amount
    reasons: tuple[str, ...]
    exceptions: tuple[str, ...]
    conflicts: tuple[str, ...]
    dates: Dates


class Difference(Struct, frozen=True):
    """A milestone that comes out otherwise; a side of None means that it is in no plan there."""

    contract: str
    milestone: str
    before: Side | None
    after: Side | None
    why: tuple[str, ...]


class Line(Struct, frozen=True):
    """A command in a list. `revision` is the one of its own outcome."""

    contract: str
    milestone: str
    sequence: int
    action: str
    value: Amount
    released_to_date: Amount
    held: Amount
    command_id: str
    revision: int


class Sum(Struct, frozen=True):
    """What all milestones of one currency add up to, before and after; amounts as decimal strings."""

    currency: str
    value: tuple[str, str]
    released_to_date: tuple[str, str]
    held: tuple[str, str]


class Shown(NamedTuple):
    """A milestone as it is compared: its side, with the reasons behind it, amounts in minor units."""

    side: Side
    currency: str
    amounts: tuple[int, int, int]
    reasons: Mapping[str, tuple[int, str]]


Outcome = Mapping[str, Shown]  # milestones by name


def outcome(state: State, rules: Rules) -> Outcome:
    """Every milestone as it stands in a state."""
    return {standing.position.milestone: _shown(standing) for standing in standings(state, rules)}


def _shown(standing: MilestoneStanding) -> Shown:
    p, currency, case = standing.position, standing.currency, standing.case
    days = (
        (None,) * 4
        if case is None
        else (case.baseline.value, case.milestone.due, case.forecast.value, case.completion.met_on)
    )
    side = Side(
        status=standing.status, action=standing.action, value=amount(p.value, currency),
        released_to_date=amount(p.released, currency), held=amount(p.held, currency),
        reasons=tuple(str(r.code) for r in p.reasons), exceptions=tuple(str(e) for e in p.exceptions),
        conflicts=tuple(c.field for c in p.conflicts), dates=Dates(*(d.isoformat() if d else None for d in days)),
    )  # fmt: skip
    reasons = {str(r.code): (r.amount, r.detail) for r in p.reasons}
    return Shown(side, currency, (p.value, p.released, p.held), reasons)


def differences(contract: str, before: Outcome, after: Outcome) -> list[Difference]:
    """The milestones that differ, in the order of the plans."""
    found = []
    for name in dict.fromkeys((*before, *after)):
        a, b = before.get(name), after.get(name)
        if a != b:
            found.append(Difference(contract, name, a and a.side, b and b.side, tuple(_why(a, b))))
    return found


def _why(before: Shown | None, after: Shown | None) -> Iterator[str]:
    if before is None or after is None:
        yield "it is not in the plan as it stands" if before is None else "it is in the plan no more"
        return
    a, b = before.side, after.side
    for name, was, now in (("status", a.status, b.status), ("value", a.value.amount, b.value.amount)):
        if was != now:
            yield f"{name} is {now}, not {was}"
    for name in Dates.__struct_fields__:
        was, now = getattr(a.dates, name), getattr(b.dates, name)
        if was != now:
            yield f"{name} is {now or 'not known'}, not {was or 'unknown'}"
    yield from _reasons(before, after)
    for kind, those, these in (("exception", a.exceptions, b.exceptions), ("conflict about", a.conflicts, b.conflicts)):
        yield from (f"{kind} {one} opens" for one in these if one not in those)
        yield from (f"{kind} {one} is over" for one in those if one not in these)


def _reasons(before: Shown, after: Shown) -> Iterator[str]:
    for code, (held, detail) in after.reasons.items():
        was = before.reasons.get(code)
        if was is None:
            yield f"{code} holds {amount(held, after.currency).amount}: {detail}"
        elif was != (held, detail):
            yield f"{code} holds {amount(held, after.currency).amount} ({detail}), not {_was(was, before)}"
    for code, (_, detail) in before.reasons.items():
        if code not in after.reasons:
            yield f"{code} does not hold any more ({detail})"


def _was(was: tuple[int, str], before: Shown) -> str:
    return f"{amount(was[0], before.currency).amount} ({was[1]})"


def lines(said: Iterable[tuple[LogEntry, Decided]]) -> list[Line]:
    """Commands as lines."""
    return [_line(entry, decided) for entry, decided in said]


def _line(entry: LogEntry, d: Decided) -> Line:
    assert d.said is not None  # noqa: S101 -- callers hand over decisions that said something
    return Line(
        entry.contract, d.milestone, d.said.sequence, d.said.action, amount(d.value, d.currency),
        amount(d.released, d.currency), amount(d.held, d.currency), d.said.command_id, entry.revision,
    )  # fmt: skip


class Totals:
    """What the outcomes of many contracts add up to, before and after, currency by currency."""

    def __init__(self) -> None:
        self._minor: dict[str, list[list[int]]] = {}

    def add(self, before: Outcome, after: Outcome) -> None:
        """Add one contract."""
        for n, side in enumerate((before, after)):
            for shown in side.values():
                total = self._minor.setdefault(shown.currency, [[0, 0, 0], [0, 0, 0]])
                total[n] = [a + b for a, b in zip(total[n], shown.amounts, strict=True)]

    def sums(self) -> list[Sum]:
        """The sums, by currency."""
        return [Sum(currency, *_columns(currency, *both)) for currency, both in sorted(self._minor.items())]


def _columns(currency: str, before: Sequence[int], after: Sequence[int]) -> list[tuple[str, str]]:
    pairs = zip(before, after, strict=True)
    return [(amount(a, currency).amount, amount(b, currency).amount) for a, b in pairs]
