"""What of each invoice was paid before: by what was carried to its milestone, or to another heir (rules B8, C3, E3).

What a replaced milestone had paid of an invoice is told to all of its successors, since any of them may have the parts
of that invoice now. It is counted once: in plan order each part takes up what is left, as far as it reaches. So does
what was paid before Milepost, with the invoices of that time, oldest first.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil

from services.reconciliation.case import Case
from services.reconciliation.invoices import Invoice

Settled = dict[str, dict[str, int]]  # by milestone and invoice identity, minor units


def settled(cases: Iterable[Case]) -> Settled:
    """What was paid before of the invoices that count at these milestones, given in plan order."""
    heirs = [case for case in cases if case.state.carried is not None]
    found: Settled = {case.milestone.id: {} for case in heirs}
    paid: dict[str, dict[str, int]] = {}
    opened: dict[str, int] = {}
    known_to: dict[str, list[Case]] = {}
    for case in heirs:
        carried = case.state.carried
        assert carried is not None  # noqa: S101 -- heirs are those that carry
        paid |= carried.settled
        opened |= carried.opened
        for origin in (*carried.settled, *(f"\x1f{name}" for name in carried.opened)):
            known_to.setdefault(origin, []).append(case)
    left: dict[str, int] = {}
    for origin, invoices in paid.items():
        for identity, amount in invoices.items():
            rest = _take_up(known_to[origin], identity, amount, found)
            left[identity] = left.get(identity, 0) + rest
    for identity, amount in left.items():  # it was paid, whoever has the invoice now
        _take_up(heirs, identity, amount, found)
    for name, amount in opened.items():
        _take_up_oldest(known_to[f"\x1f{name}"], amount, found)
    return found


def _take_up(heirs: list[Case], identity: str, left: int, found: Settled) -> int:
    for case in heirs if left else ():
        for invoice in case.counting:
            if invoice.identity == identity:
                left -= _part(case, invoice, left, found)
    return left


def _take_up_oldest(heirs: list[Case], left: int, found: Settled) -> None:
    for case in heirs:
        until = case.state.carried.until if case.state.carried else None
        for invoice in sorted(case.counting, key=lambda i: (i.issued_on, i.number)):
            if invoice.issued_on.isoformat() <= (until or ""):
                left -= _part(case, invoice, left, found)


def _part(case: Case, invoice: Invoice, left: int, found: Settled) -> int:
    known = found[case.milestone.id]
    before = known.get(invoice.identity, 0)
    part = min(left, max(0, ceil(invoice.worth or 0) - before))
    known[invoice.identity] = before + part
    return part
