"""Exceptions: what people must look at (rule D11). They take nothing back and release nothing."""

from __future__ import annotations

from fractions import Fraction

from contracts_schema.money import Money
from contracts_schema.reasons import ExceptionCode as E
from services.reconciliation.case import Case
from services.reconciliation.state import Slot
from services.reconciliation.subject import invoice_number

TOO_LATE = "HELD_TOO_LATE"  # how the gate's answer begins when the payment had been approved before the hold came


def exceptions_of(case: Case, released: int, over_released: bool) -> tuple[E, ...]:
    """All exceptions of one milestone, in the order of `ExceptionCode`."""
    found = []
    if over_released:
        found.append(E.OVER_RELEASED)
    if case.requires("received") and case.receipt.over_received:
        found.append(E.OVER_RECEIVED)
    paid = paid_to_date(case)
    if paid > 0 and released == 0:
        found.append(E.PAID_WITHOUT_RELEASE)
    elif paid > released:
        found.append(E.PAID_WHILE_HELD)
    if any(_is_too_late(s) for s in case.of("command.acknowledged", "command")):
        found.append(E.HELD_TOO_LATE)
    return tuple(found)


def _is_too_late(slot: Slot) -> bool:
    return slot.body.state == "rejected" and (slot.body.detail or "").startswith(TOO_LATE)


def paid_to_date(case: Case) -> int:
    """Net minor units that finance says it has paid; a payment of a taxed invoice counts with its net share."""
    return sum(int(_net_part(case, s)) for s in case.of("payment.made", "payment"))


def _net_part(case: Case, slot: Slot) -> Fraction:
    """The net of a payment by the invoice that it names, in the newest word of the highest authority (A8, D11)."""
    amount: Money = slot.body.amount
    taxed = [s for s in case.of("invoice.received", "invoice") if _is_paid_by(s, slot)]
    if not taxed:
        return Fraction(amount.minor)
    body = max(taxed, key=lambda s: (-(case.rules.rank(case.plan, "invoice", s.source) or 0), s.order)).body
    return Fraction(amount.minor * body.net.minor, body.gross.minor)


def _is_paid_by(invoice: Slot, payment: Slot) -> bool:
    gross, named = invoice.body.gross, payment.body.invoice
    if not isinstance(gross, Money) or gross.minor <= 0 or gross.currency != payment.body.amount.currency:
        return False
    return named is not None and invoice_number(named) == invoice_number(invoice.body.number)
