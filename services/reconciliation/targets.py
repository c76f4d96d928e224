"""Targets: which invoices may be paid, and how much of each (rule E2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from contracts_schema.money import Money
from services.reconciliation.case import Case
from services.reconciliation.invoices import Invoice
from services.reconciliation.money import settled_by
from services.reconciliation.position import Target


def targets(case: Case, released: int) -> tuple[Target, ...]:
    """All standing invoices at the milestone, oldest first; those that count are filled in that order."""
    standing = [i for i in case.invoices if i.stands]
    if not standing:
        return ()
    settled = settled_by(case)
    left = released - (case.state.carried.out if case.state.carried else 0)
    made = []
    for invoice in standing:
        payable = max(0, min(left, _open_part(case, invoice, settled)))
        left -= payable
        made.append(_target(invoice, payable))
    return tuple(made)


def _open_part(case: Case, invoice: Invoice, settled: Mapping[str, int]) -> int:
    """What released money may settle: nothing of a credit note, a foreign currency or another supplier (rule E2)."""
    if invoice not in case.counting or invoice.net.currency != case.plan.currency:
        return 0
    return invoice.net.minor - settled.get(invoice.identity, 0)


def _target(invoice: Invoice, payable: int) -> Target:
    net = invoice.net
    state: Literal["hold", "part", "free"] = "hold" if payable <= 0 else "free" if payable == net.minor else "part"
    return Target(
        invoice.number, invoice.supplier, invoice.supplier_identifiers, invoice.business_unit, invoice.source_keys,
        net, invoice.total, Money(payable, net.currency), state, invoice.identity,
    )  # fmt: skip
