"""The money of a contract: what each milestone may be paid, and which part reasons take off (rules C1 to C9).

Everything is exact until the end: what is earned rounds down to minor units, each deduction rounds up, so that rounding
never releases more. The rules follow each other as the position's formula does:

    value -> accepted share -> disputed -> invoiced -> retention -> advance -> late damages   (-> cap, in decide.py)
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple

from contracts_schema.plan import Advance, Milestone
from contracts_schema.reasons import HoldReason as R
from services.reconciliation.case import Case, Whole, in_force
from services.reconciliation.disputes import disputed, named
from services.reconciliation.invoices import Exact
from services.reconciliation.retention import kept_until, retained

ZERO = 0


class Cut(NamedTuple):
    """What one partial reason takes off, in minor units, with a sentence and the facts behind it."""

    reason: R
    amount: int
    detail: str
    facts: tuple[str, ...] = ()


class Allowance(NamedTuple):
    """What may be paid for one milestone to date, before the contract's cap, and what took the rest."""

    allowed: int
    cuts: tuple[Cut, ...]


class _Base(NamedTuple):
    exact: Exact
    cuts: tuple[Cut, ...]


def allowances(contract: Whole, proven: Mapping[str, bool]) -> dict[str, Allowance]:
    """Each milestone's allowance. `proven` says whether every required proof is there or waived (rule C1)."""
    cases, plan = contract.cases, contract.plan
    bases = {m: _base(cases[m], proof) for m, proof in proven.items()}
    if plan.retention is None and plan.advance is None:
        return {m: _allowance(cases[m], base, ZERO, ZERO) for m, base in bases.items()}
    progress = [(cases[m], base.exact) for m, base in bases.items() if in_force(cases[m])]
    kept = retained(contract, progress)
    back = recouped(contract.plan.advance, progress)
    return {m: _allowance(cases[m], base, kept.get(m, ZERO), back.get(m, ZERO)) for m, base in bases.items()}


def _base(case: Case, proven: bool) -> _Base:
    """What is earned, undisputed and invoiced (rules C1, C3, E3); each cut is the step down in whole minor units."""
    carried = min(case.state.carried.amount, case.value) if case.state.carried else 0
    accepted: Exact = case.value * _accepted_share(case) if proven else ZERO
    earned = max(carried, accepted)
    cuts = []
    if accepted > ZERO and earned < case.value:
        cuts.append(Cut(R.PARTLY_ACCEPTED, case.value - floor(earned), case.receipt.detail, case.receipt.facts))
    amount, facts = disputed(case)
    base: Exact = ZERO if amount is None else max(ZERO, earned - amount)
    if base < earned:
        detail = f"{'all of it is in dispute' if amount is None else 'in dispute'}: {named(case)}"
        cuts.append(Cut(R.DISPUTED, floor(earned) - floor(base), detail, facts))
    if case.requires("invoiced"):
        invoiced = (case.state.carried.out if case.state.carried else 0) + newly_invoiced(case)
        if case.invoiced > ZERO and ZERO < invoiced < base:
            cuts.append(Cut(R.PARTLY_INVOICED, floor(base) - floor(invoiced), "the rest is not invoiced", _facts(case)))
        base = max(ZERO, min(base, invoiced))
    return _Base(base, tuple(cut for cut in cuts if cut.amount > 0))


def _facts(case: Case) -> tuple[str, ...]:
    return tuple(fact for invoice in case.counting for fact in invoice.facts)


def _accepted_share(case: Case) -> Exact:
    return case.receipt.share if case.requires("received") else 1


def newly_invoiced(case: Case) -> Exact:
    """Nets of the invoices that count, less what was paid of them before (rules C3, E3)."""
    settled = settled_by(case)
    if not settled:
        return case.invoiced
    worths = ((invoice.worth or ZERO, settled.get(invoice.identity, 0)) for invoice in case.counting)
    return sum(worth - min(paid, max(ZERO, worth)) for worth, paid in worths)


def settled_by(case: Case) -> Mapping[str, int]:
    """What of each invoice was paid before, by what was carried here or to another heir."""
    return {} if case.state.carried is None else case.contract.settled[case.milestone.id]


def recouped(advance: Advance | None, progress: list[tuple[Case, Exact]]) -> dict[str, Exact]:
    """The advance comes back from each payment, in plan order, until it is back (rule C5)."""
    if advance is None:
        return {}
    left, share = Fraction(advance.amount), Fraction(advance.recoup_percent) / 100
    parts: dict[str, Exact] = {}
    for case, base in progress:
        part = parts[case.milestone.id] = min(left, base * share)
        left -= part
    return parts


def late_damages(case: Case, base: Exact) -> tuple[Exact, int]:
    """Percent of base for each day late after the tolerance, up to the cap; and the days (rule C6)."""
    return damages_of(case.milestone, case.completion.met_on, base)


def damages_of(milestone: Milestone, met_on: date | None, base: Exact) -> tuple[Exact, int]:
    """The same of a milestone that is met on a day."""
    terms, due = milestone.late_damages, milestone.due
    if terms is None or due is None or met_on is None:
        return ZERO, 0
    days = max(0, (met_on - due).days - milestone.tolerance_days)
    percent = min(Fraction(terms.percent_per_day) * days, Fraction(terms.cap_percent))
    return base * percent / 100, days


def _allowance(case: Case, base: _Base, kept: Exact, recouped: Exact) -> Allowance:
    damages, days = late_damages(case, base.exact)
    left = floor(base.exact)
    cuts = list(base.cuts)
    for reason, exact, detail in (
        (R.RETENTION, kept, kept_until(case.plan.retention) if kept else ""),
        (R.ADVANCE_RECOUPED, recouped, "pays back the advance"),
        (R.LATE_DAMAGES, damages, "1 day late" if days == 1 else f"{days} days late"),
    ):
        amount = min(left, ceil(exact)) if exact else 0
        if amount > 0:
            cuts.append(Cut(reason, amount, detail))
            left -= amount
    return Allowance(left, _of_what_is_held(case, cuts))


def _of_what_is_held(case: Case, cuts: list[Cut]) -> tuple[Cut, ...]:
    """What was carried is out: no rule holds any of it, so that cuts add up to no more than is held (D9)."""
    if case.state.carried is None:
        return tuple(cuts)
    left, found = max(0, case.value - case.state.carried.amount), []
    for cut in cuts:
        if amount := min(left, cut.amount):
            found.append(cut._replace(amount=amount))
            left -= amount
    return tuple(found)
