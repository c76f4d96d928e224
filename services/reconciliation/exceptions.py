"""Exceptions: what people must look at (rule D11). They take nothing back and release nothing."""

from __future__ import annotations

from fractions import Fraction

from contracts_schema.money import Money
from contracts_schema.reasons import ExceptionCode as E
from services.reconciliation.case import Case
from services.reconciliation.state import Slot

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
    amount: Money = slot.body.amount
    for invoice in case.standing.get("invoice.received", ()):
        gross = invoice.body.gross
        same = slot.body.invoice == invoice.body.number and isinstance(gross, Money)
        if same and gross.currency == amount.currency and gross.minor > 0:
            return Fraction(amount.minor * invoice.body.net.minor, gross.minor)
    return Fraction(amount.minor)
