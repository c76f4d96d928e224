"""Retention: read like tax brackets over the progress of the whole contract (rule C4).

Progress is the sum of what each milestone has earned (its base), laid end to end in plan order. Each piece of it falls
into the bracket of a step and is kept at that step's rate, within the cap. Where a step says `returns_percent`, and
progress reaches its beginning, that share of everything kept before goes back to the milestones that bore it.
"""

from __future__ import annotations

from datetime import date
from fractions import Fraction

from contracts_schema.plan import Retention
from services.reconciliation.calendar import later
from services.reconciliation.case import Case, Whole, in_force
from services.reconciliation.invoices import Exact

ZERO = Fraction(0)
Progress = list[tuple[Case, Exact]]


def retained(contract: Whole, progress: Progress) -> dict[str, Exact]:
    """What is kept of each milestone, exact minor units; nothing once the defects period has passed."""
    terms = contract.plan.retention
    if terms is None or is_over(contract, terms):
        return {}
    whole = Fraction(sum(c.value for c in contract.cases.values() if in_force(c)))
    return kept_of(terms, whole, progress)


def kept_of(terms: Retention, whole: Fraction, progress: Progress) -> dict[str, Exact]:
    """What these terms keep of each milestone of a contract that is worth `whole`."""
    total = sum((base for _, base in progress), ZERO)
    kept: dict[str, Exact] = {}
    start = ZERO
    for step in terms.steps:
        if step.returns_percent and start <= total and total > 0:
            back = 1 - Fraction(step.returns_percent) / 100
            kept = {milestone: part * back for milestone, part in kept.items()}
        end = whole * Fraction(step.until_percent) / 100 if step.until_percent else None
        _keep(kept, progress, start, end, Fraction(step.rate_percent) / 100, terms.cap)
        if end is None:
            break
        start = end
    return kept


def _keep(
    kept: dict[str, Exact], progress: Progress, start: Fraction, end: Fraction | None, rate: Fraction,
    cap: int | None,
) -> None:  # fmt: skip
    """Keep `rate` of the progress between `start` and `end`, milestone by milestone, until the cap is reached."""
    at: Exact = ZERO
    room = Fraction(cap) - sum(kept.values()) if cap is not None else None
    for case, base in progress:
        low, high = max(at, start), at + base if end is None else min(at + base, end)
        at += base
        if high > low and rate:
            part = (high - low) * rate
            if room is not None:
                part = max(ZERO, min(part, room))
                room -= part
            kept[case.milestone.id] = kept.get(case.milestone.id, ZERO) + part


def is_over(contract: Whole, terms: Retention) -> bool:
    """Whether the milestone that ends retention is met and its defects period, of which both ends count (B6), has
    passed; without a period retention ends on the day of being met."""
    if terms.release_on is None:
        return False
    met_on = contract.cases[terms.release_on].completion.met_on
    return met_on is not None and contract.today >= over_from(terms, met_on)


def over_from(terms: Retention, met_on: date) -> date:
    """The first day without retention, where the milestone that ends it is met on a day."""
    return later(met_on, terms.defects_days + 1) if terms.defects_days else met_on


def kept_until(terms: Retention | None) -> str:
    """What the terms say of the return of what is kept."""
    if terms is None or terms.release_on is None:
        returned = terms is not None and any(step.returns_percent for step in terms.steps)
        return (
            "kept until a later step returns its share" if returned else "kept; no milestone is named that returns it"
        )
    period = f" and {terms.defects_days} days have passed since" if terms.defects_days else ""
    return f"kept until {terms.release_on} is met{period}"
