"""Checks of what the supplier asks to be paid."""

from __future__ import annotations

from collections.abc import Iterator

from contracts_schema.money import format_amount
from services.reconciliation.case import Case, Finding
from services.reconciliation.claims import sentence
from services.reconciliation.money import newly_invoiced


def invoiced(case: Case) -> Iterator[Finding]:
    """Where an invoice is required, what counts adds up to more than nothing (rule C3). Zero is never all."""
    if case.requires("invoiced") and (case.invoiced <= 0 or _is_all_paid(case)) and not _is_settled_before(case):
        paid = "what is invoiced here was paid by what was carried elsewhere"
        detail = "no invoice that counts has arrived" if case.invoiced <= 0 else paid
        yield Finding("invoiced", detail, tuple(f for i in case.invoices for f in i.facts))


def _is_all_paid(case: Case) -> bool:
    """Whether nothing was carried to here, and what counts was paid by what was carried elsewhere (rule E3)."""
    carried = case.state.carried
    return carried is not None and carried.out + newly_invoiced(case) <= 0


def _is_settled_before(case: Case) -> bool:
    carried = case.state.carried
    return carried is not None and carried.amount >= case.value


def from_the_supplier(case: Case) -> Iterator[Finding]:
    """Every standing invoice is the contract's supplier's, under any of its identifiers (rule B7)."""
    for invoice in case.invoices:
        if invoice.stands and not invoice.right_supplier:
            detail = f"invoice {invoice.number} is from {invoice.supplier}, not from {case.plan.supplier}"
            yield Finding(invoice.number, detail, invoice.facts)


def within_value(case: Case) -> Iterator[Finding]:
    """Invoices add up to no more than the value and the rounding band (rule C9)."""
    if case.milestone.value is not None and case.invoiced > case.value + case.plan.rounding_band:
        asked, currency = -(-case.invoiced.numerator // case.invoiced.denominator), case.plan.currency
        detail = f"{format_amount(asked, currency)} invoiced, {format_amount(case.value, currency)} is the value"
        yield Finding("invoiced", detail, tuple(f for i in case.counting for f in i.facts))


def claimed_once(case: Case) -> Iterator[Finding]:
    """No invoice is claimed on several milestones, also of other contracts, for more than its total (rule D8)."""
    if not (case.claims or case.elsewhere):
        return
    for invoice in sorted(case.invoices, key=lambda i: i.identity):
        if invoice.stands and invoice.identity in case.claims:
            yield Finding(invoice.number, case.claims[invoice.identity], invoice.facts)
        if invoice.stands and invoice.identity in case.elsewhere:
            told = case.elsewhere[invoice.identity]
            yield Finding(invoice.number, sentence(told.body), (*invoice.facts, told.fact))
