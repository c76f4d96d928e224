"""What was received and accepted, as a share of what was ordered (rule C2). Quantities are exact."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from contracts_schema.plan import Milestone, Plan
from services.reconciliation.policy import Rules
from services.reconciliation.standing import Standing, of
from services.reconciliation.state import Slot
from services.reconciliation.words import Conflict, Word, believed, conflict


class Receipt(NamedTuple):
    """The accepted share (0 to 1), a sentence about it, whether more than ordered was accepted, and the facts."""

    share: Fraction
    detail: str
    over_received: bool
    facts: tuple[str, ...]
    conflict: Conflict | None


NOTHING_RECEIVED = Receipt(Fraction(0), "no receipt is known", False, (), None)


class _Sum(NamedTuple):
    """One source's lines of one unit, added up; `ordered` is None where nobody says how much was ordered."""

    unit: str
    received: Fraction
    accepted: Fraction
    rejected: Fraction
    ordered: Fraction | None


def receipt(standing: Standing, milestone: Milestone, plan: Plan, rules: Rules) -> Receipt:
    """The receipt in the words of the source that counts."""
    slots = of(standing, "goods.received")
    if not slots:
        return NOTHING_RECEIVED
    by_source: dict[str, list[Slot]] = {}
    for slot in slots:
        by_source.setdefault(slot.source, []).append(slot)
    sums = {source: _sums(group, milestone) for source, group in by_source.items()}
    words = [
        Word(
            source, tuple(_shown(s) for s in sums[source]), max(x.order[1] for x in group), tuple(x.fact for x in group)
        )
        for source, group in by_source.items()
    ]
    chosen = believed(words, rules, plan, "received")
    if chosen is None:
        return NOTHING_RECEIVED
    mine = sums[chosen.source]
    shares = [_share(s) for s in mine]
    least = min(shares, default=Fraction(0))
    over = any(s.ordered is not None and s.accepted > s.ordered for s in mine)
    return Receipt(least, _detail(mine), over, chosen.facts, conflict("received", chosen, words))


def _sums(slots: list[Slot], milestone: Milestone) -> list[_Sum]:
    lines: dict[str, list[Slot]] = {}
    for slot in slots:
        lines.setdefault(slot.body.unit, []).append(slot)
    return [_sum(unit, group, milestone) for unit, group in sorted(lines.items())]


def _sum(unit: str, slots: list[Slot], milestone: Milestone) -> _Sum:
    ordered = [_ordered(s) for s in slots]
    total = sum((o for o in ordered if o is not None), Fraction(0)) if None not in ordered else None
    if total is None and milestone.quantity is not None and milestone.unit in (None, unit):
        total = Fraction(milestone.quantity)
    return _Sum(
        unit,
        sum((Fraction(s.body.received) for s in slots), Fraction(0)),
        sum((Fraction(s.body.accepted) for s in slots), Fraction(0)),
        sum((Fraction(s.body.rejected) for s in slots), Fraction(0)),
        total,
    )


def _ordered(slot: Slot) -> Fraction | None:
    """What the line says was ordered: `ordered`, else received + short (rule C2)."""
    body = slot.body
    if isinstance(body.ordered, str):
        return Fraction(body.ordered)
    if isinstance(body.short, str):
        return Fraction(body.received) + Fraction(body.short)
    return None


def _share(s: _Sum) -> Fraction:
    if not s.ordered:
        return Fraction(0)
    return min(Fraction(1), s.accepted / s.ordered)


def _shown(s: _Sum) -> tuple[str, str, str, str]:
    """What sources are compared by: received, accepted and rejected, by unit (rule A9)."""
    return (s.unit, _number(s.received), _number(s.accepted), _number(s.rejected))


def _detail(sums: list[_Sum]) -> str:
    parts = (f"{_number(s.accepted)} of {'?' if s.ordered is None else _number(s.ordered)} {s.unit}" for s in sums)
    return ", ".join(parts) + " accepted"


def _number(value: Fraction) -> str:
    """A quantity as it is written: `2.5`, never `5/2`."""
    if value.denominator == 1:
        return str(value.numerator)
    return f"{Decimal(value.numerator) / value.denominator:f}"
