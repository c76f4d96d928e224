"""Exceptions: what people must look at (rule D11). They take nothing back and release nothing."""

from __future__ import annotations

from fractions import Fraction

from contracts_schema.money import Money
from contracts_schema.reasons import ExceptionCode as E
from services.reconciliation.case import Case
from services.reconciliation.invoices import Exact, worth
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
    paid, unknown = paid_to_date(case), bool(paid_without_rate(case))
    if (paid > 0 or unknown) and released == 0:
        found.append(E.PAID_WITHOUT_RELEASE)
    elif paid > released or unknown:
        found.append(E.PAID_WHILE_HELD)
    if any(_is_too_late(s) for s in case.of("command.acknowledged", "command")):
        found.append(E.HELD_TOO_LATE)
    return tuple(found)


def _is_too_late(slot: Slot) -> bool:
    return slot.body.state == "rejected" and (slot.body.detail or "").startswith(TOO_LATE)


def paid_to_date(case: Case) -> int:
    """Net minor units that finance says it has paid; a payment of a taxed invoice counts with its net share."""
    return sum(int(worth_of(case, s) or 0) for s in case.of("payment.made", "payment"))


def paid_without_rate(case: Case) -> list[Money]:
    """What finance says it has paid in currencies without a rate: nobody can say that so much was released."""
    payments = case.of("payment.made", "payment")
    return [s.body.amount for s in payments if s.body.amount.minor > 0 and worth_of(case, s) is None]


def worth_of(case: Case, payment: Slot) -> Exact | None:
    """The net of a payment in the contract's currency, by the invoice that it names and its issue date, in the newest
    word of the highest authority (A8, D3, D11). What names none has the rate of its own day; None without a rate."""
    amount: Money = payment.body.amount
    named = [s for s in case.of("invoice.received", "invoice") if _is_named(s, payment)]
    taxed = [s.body for s in _highest_last(case, named) if _is_taxed(s, amount.currency)]
    net = Fraction(amount.minor * taxed[-1].net.minor, taxed[-1].gross.minor) if taxed else amount.minor
    day = _highest_last(case, named)[-1].body.issued_on if named else payment.body.paid_on
    return worth(net, amount.currency, day, case.plan)


def _highest_last(case: Case, slots: list[Slot]) -> list[Slot]:
    return sorted(slots, key=lambda s: (-(case.rules.rank(case.plan, "invoice", s.source) or 0), s.order))


def _is_named(invoice: Slot, payment: Slot) -> bool:
    named = payment.body.invoice
    return named is not None and invoice_number(named) == invoice_number(invoice.body.number)


def _is_taxed(invoice: Slot, currency: str) -> bool:
    gross = invoice.body.gross
    return isinstance(gross, Money) and gross.minor > 0 and gross.currency == currency
