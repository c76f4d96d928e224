"""Disputes: who opened one ends it, or the operator does; until then its amount is held (rule D7)."""

from __future__ import annotations

from contracts_schema.money import Money
from services.reconciliation.case import Case
from services.reconciliation.standing import at_one_place
from services.reconciliation.state import Slot


def open_disputes(case: Case) -> list[Slot]:
    """Every dispute that nobody entitled has resolved since it was opened or corrected."""
    slots = case.of("dispute.opened", "dispute")
    return [s for s in slots if s.kind == "dispute.opened" and not any(_resolves(case, other, s) for other in slots)]


def _resolves(case: Case, other: Slot, opened: Slot) -> bool:
    if other.kind != "dispute.resolved" or other.body.dispute != opened.body.dispute:
        return False
    entitled = case.rules.roles.get(other.source) in ("operator", case.rules.roles.get(opened.source))
    return entitled and at_one_place(other, opened) and other.order[1] > opened.order[1]


def disputed(case: Case) -> tuple[int | None, tuple[str, ...]]:
    """The sum in dispute in minor units (None: all of it), and the facts. A dispute of zero disputes nothing."""
    disputes = open_disputes(case)
    facts = tuple(s.fact for s in disputes)
    amounts = [_minor(case, s.body.amount) for s in disputes]
    if None in amounts:
        return None, facts
    return sum(a for a in amounts if a is not None), facts


def named(case: Case, most: int = 3) -> str:
    """The open disputes that dispute something, each with its reason; of many the first."""
    disputes = [s.body for s in open_disputes(case) if _minor(case, s.body.amount) != 0]
    names = sorted(f"{body.dispute} ({body.reason})" for body in disputes)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _minor(case: Case, amount: Money | None) -> int | None:
    """An amount in another currency cannot be compared: all of the milestone is disputed."""
    if amount is None or amount.currency != case.plan.currency:
        return None
    return amount.minor
