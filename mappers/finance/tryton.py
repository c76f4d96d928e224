"""Dialect `tryton`, the finance side: an invoice with its payable lines as the gate looks at it, and what it asks for.

Tryton knows only blocked and free, for each payable line. Whose block it is stands in `ir.model.log`: who pressed
`payment_block` or `payment_unblock` last. A block deletes draft payments and stops no other (rule F6).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from contracts_schema.payables import Bill, Holder, Payable
from mappers import values
from mappers.erp import tryton_values as read
from mappers.erp.tryton_invoice import Billed

if TYPE_CHECKING:
    from mappers.erp.tryton_values import Thing

MODEL = "account.invoice"
LINE = "account.move.line"
LOG = "ir.model.log"
BLOCK = "payment_block"
UNBLOCK = "payment_unblock"

FIELDS = (
    "reference", "type", "state", "currency.code", "party.code", "party.identifiers.code",
    "party_tax_identifier.code", "untaxed_amount", "total_amount", "lines.origin", "purchases.number",
    "purchases.lines", "lines_to_pay.maturity_date", "lines_to_pay.credit", "lines_to_pay.debit",
    "lines_to_pay.second_currency.code", "lines_to_pay.amount_second_currency", "lines_to_pay.payment_blocked",
    "lines_to_pay.reconciliation", "lines_to_pay.payments.state", "lines_to_pay.payments.number",
)  # fmt: skip
LOG_FIELDS = ("resource", "target", "user")
LEAVING = frozenset({"submitted", "approved", "processing", "succeeded"})
IN_FINANCE = ("posted", "paid", "cancelled")


def same_number(number: str) -> list[Any]:
    """The domain of supplier invoices that may bear this number; the answer is compared exactly afterwards."""
    escaped = number.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return [["type", "=", "in"], ["state", "in", list(IN_FINANCE)], ["reference", "ilike", f"%{escaped}%"]]


def by_id(bill: str) -> list[Any]:
    """The domain of one invoice by the id of a `Bill`."""
    return [["type", "=", "in"], ["state", "in", list(IN_FINANCE)], ["id", "=", int(bill.rpartition(":")[2])]]


def open_after(number: int) -> list[Any]:
    """The domain of open supplier invoices behind an id."""
    return [["type", "=", "in"], ["state", "=", "posted"], ["id", ">", number]]


def presses_of(lines: Iterable[object]) -> list[Any]:
    """The domain of the presses of both buttons on these payable lines."""
    wanted = [f"{LINE},{number}" for number in lines]
    return [["resource", "in", wanted], ["event", "=", "button"], ["target", "in", [BLOCK, UNBLOCK]]]


def line_numbers(documents: Iterable[Thing]) -> list[object]:
    """The ids of the payable lines of these invoices, to ask the log about."""
    return [line.get("id") for document in documents for line in read.many(document, "lines_to_pay") or ()]


def last_presses(log: Iterable[Thing]) -> dict[str, dict[str, str]]:
    """By payable line: the user who pressed each button last, and under `last` which button that was.

    Raises:
        ValueError: which press was the last cannot be told.
    """
    found: dict[str, dict[str, str]] = {}
    for entry in sorted(log, key=_number_of_press):
        named = read.target(entry.get("resource"))
        button, user = entry.get("target"), entry.get("user")
        number = user.get("id") if isinstance(user, dict) else user
        if named and named[0] == LINE and isinstance(button, str):
            found.setdefault(str(named[1]), {}).update({button: str(number), "last": button})
    return found


def _number_of_press(entry: Thing) -> int:
    number = entry.get("id")
    if type(number) is not int:  # true and false are none either
        raise ValueError(f"a press of a button: its id {values.shown(number)} is no number")
    return number


def bill(document: Thing, presses: Mapping[str, Mapping[str, str]], gate_user: str) -> Bill:
    """An invoice as the gate looks at it.

    Raises:
        ValueError: something that decides about money was not read, or cannot be understood.
    """
    state = read.word(document, "state")
    currency = values.currency((read.one(document, "currency") or {}).get("code"))
    lines = read.many(document, "lines_to_pay")
    if document.get("type") != "in" or state not in IN_FINANCE or lines is None:
        raise ValueError(f"invoice {values.shown(document.get('id'))}: type, state or payable lines cannot be read")
    shown: Literal["open", "paid", "cancelled"] = (
        "paid" if state == "paid" else "cancelled" if state == "cancelled" else "open"
    )
    return Bill(
        id=values.number_key(MODEL, document.get("id")),
        number=read.text(document, "reference"),
        suppliers=_suppliers(document),
        currency=currency,
        net=values.vendor_amount(read.decimal(document.get("untaxed_amount")), currency).minor,
        gross=values.vendor_amount(read.decimal(document.get("total_amount")), currency).minor,
        state=shown,
        lines=tuple(_payable(line, currency, presses, gate_user) for line in lines),
        keys=tuple(dict.fromkeys(key for keys in Billed(document).addresses() for key in keys)),
    )


def bears(found: Bill, number: str) -> bool:
    """Whether the invoice bears this number, blanks around it and the form of its accents aside (rule C3)."""
    return found.number is not None and found.number == unicodedata.normalize("NFC", number).strip()


def _suppliers(document: Thing) -> tuple[str, ...]:
    party = read.one(document, "party") or {}
    entries = [read.one(document, "party_tax_identifier"), *(read.many(party, "identifiers") or [])]
    names = [read.text(party, "code"), *(read.text(entry, "code") for entry in entries if entry)]
    return tuple(dict.fromkeys(name for name in names if name))


def _payable(line: Thing, currency: str, presses: Mapping[str, Mapping[str, str]], gate_user: str) -> Payable:
    number = str(line.get("id"))
    if "payment_blocked" not in line:
        raise ValueError(f"payable line {values.shown(number)}: whether it is blocked was not read")
    blocked = read.flag(line["payment_blocked"])
    pressed = presses.get(number, {})
    state, payment, drafts = _payments(line)
    lifted = pressed.get(UNBLOCK) if pressed.get("last") == UNBLOCK else None
    return Payable(
        id=number,
        gross=_gross(line, currency),
        blocked=blocked,
        maturity=read.day(line.get("maturity_date")),
        holder=_holder(pressed.get(BLOCK), gate_user) if blocked else None,
        by=pressed.get(BLOCK) if blocked else lifted,
        lifted_by=_holder(lifted, gate_user) if lifted and not blocked else None,
        state=state,
        payment=payment,
        drafts=drafts,
    )


def _holder(user: str | None, gate_user: str) -> Holder:
    return "ours" if user == gate_user else "other"


def _gross(line: Thing, currency: str) -> int:
    """What the line owes at first, in the invoice's currency; a line in the books' currency has no second one."""
    second = read.one(line, "second_currency")
    if second and line.get("amount_second_currency") is not None:
        return -values.vendor_amount(read.decimal(line["amount_second_currency"]), currency).minor
    owed = read.decimal(line.get("credit")) - read.decimal(line.get("debit") or 0)
    return values.vendor_amount(owed, currency).minor


def _payments(line: Thing) -> tuple[Literal["open", "in_payment", "paid"], str | None, int]:
    """How far the payment of a line has come, the payment that leaves, and how many drafts there are."""
    payments = [(read.word(payment, "state"), payment) for payment in read.many(line, "payments") or []]
    leaving = [(state, payment) for state, payment in payments if state in LEAVING]
    name = None
    if leaving:
        state, last = leaving[-1]
        name = f"payment {last.get('number') or last.get('id')} is {state}"
    drafts = sum(state == "draft" for state, _ in payments)
    if line.get("reconciliation") is not None:
        return "paid", name or "it is paid", drafts
    return ("in_payment" if leaving else "open"), name, drafts
