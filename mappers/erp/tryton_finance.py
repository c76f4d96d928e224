"""Blocks and payments of Tryton, addressed by the invoice they concern (rule F1).

A payable line and a payment name their invoice only by a reference, through which Tryton's REST cannot read. So the
collector reads the invoice as well and puts it beside, as `milepost_invoice`. Who blocked a payable stands in
`ir.model.log`, which the collector puts beside as `milepost_log`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from contracts_schema.facts import HoldObserved, PaymentMade
from contracts_schema.money import Money
from mappers import values
from mappers.erp import tryton_values as read
from mappers.erp.tryton_invoice import Billed
from mappers.statements import Part

if TYPE_CHECKING:
    from datetime import date

    from mappers.erp.tryton_values import Thing

_BUTTONS = frozenset({"payment_block", "payment_unblock"})
_NOT_LEFT_YET = frozenset({"draft", "submitted", "approved"})


def payable(move_line: Thing, _timezone: str, _time: int) -> list[Part]:
    """What an `account.move.line` says of its block; nothing where it is no line of an invoice.

    Raises:
        ValueError: the flag or the log cannot be understood.
    """
    document = _invoice_of(move_line)
    if "payment_blocked" not in move_line or document is None:
        return []
    own = values.number_key("account.move.line", move_line.get("id"))
    presses = _presses(move_line)
    seen = HoldObserved(
        holder=_holder(move_line, presses),
        held=read.flag(move_line["payment_blocked"]),
        invoice=read.text(document, "reference"),
        by=_user(presses[-1]) if presses else None,
    )
    return [Part((*keys, own), seen) for keys in Billed(document).addresses()]


def payment(record: Thing, timezone: str, time: int) -> list[Part]:
    """What an `account.payment` says: the money that has left under it, in all.

    Raises:
        ValueError: a state, amount or date that cannot be understood.
    """
    state = read.word(record, "state")
    if record.get("kind") == "receivable" or state in _NOT_LEFT_YET:
        return []
    if state not in {"processing", "succeeded", "failed"}:
        raise ValueError(f"the state {values.shown(state)} of a payment is not known")
    document = _invoice_of(record) or _invoice_of(read.one(record, "line") or {})
    currency = values.currency((read.one(record, "currency") or {}).get("code"))
    amount = values.vendor_amount(read.decimal(record.get("amount")), currency)
    body = PaymentMade(
        payment=read.text(record, "number") or values.number_key("account.payment", record.get("id")),
        amount=amount if state == "succeeded" else Money(0, currency),
        paid_on=_paid_on(record, timezone, time),
        invoice=read.text(document, "reference") if document else None,
    )
    return [Part((*_paid_keys(document), values.number_key("account.payment", record.get("id"))), body)]


def _paid_on(record: Thing, timezone: str, time: int) -> date:
    """The payment's date; the day on which it was noted where that date lies still ahead."""
    noted_on = values.day(time, timezone)
    return min(read.day(record.get("date")) or noted_on, noted_on)


def _paid_keys(document: Thing | None) -> tuple[str, ...]:
    """The order line that the paid invoice bills; a payment of several is known by its invoice alone."""
    if document is None:
        return ()
    billed = Billed(document)
    addresses = billed.addresses()
    return addresses[0] if len(addresses) == 1 else billed.document_keys()


def _invoice_of(record: Thing) -> Thing | None:
    """The invoice beside a record, or what a reference to it tells: its number in Tryton."""
    if (document := read.one(record, "milepost_invoice")) is not None:
        return document
    for field in ("move_origin", "origin"):
        found = read.target(record.get(field))
        if found and found[0] == "account.invoice":
            return {"id": found[1]}
    return None


def _presses(move_line: Thing) -> list[Thing]:
    """The presses of the two buttons that the log knows of this line, oldest first."""
    entries = [
        entry
        for entry in read.many(move_line, "milepost_log") or ()
        if read.word(entry, "event") == "button" and read.word(entry, "target") in _BUTTONS
    ]
    return sorted(entries, key=lambda entry: (read.own_time(entry) or 0, str(entry.get("id")).zfill(20)))


def _holder(move_line: Thing, presses: list[Thing]) -> Literal["ours", "other"]:
    """Whose block it is, or was: of the one who pressed `payment_block` last.

    The collector knows the gate's own user and says so in `milepost_gate_user`; it may also name the holder outright.
    """
    named = move_line.get("milepost_holder")
    if named in ("ours", "other"):
        return "ours" if named == "ours" else "other"
    blocks = [entry for entry in presses if entry.get("target") == "payment_block"]
    gate = move_line.get("milepost_gate_user")
    return "ours" if blocks and gate is not None and _user(blocks[-1]) == str(gate) else "other"


def _user(entry: Thing) -> str | None:
    user = entry.get("user") if not isinstance(entry.get("user"), dict) else entry["user"].get("id")
    return str(user) if type(user) is int and 0 < user < 10**18 else None


def keys_of_finance(record: Thing) -> list[tuple[str, ...]]:
    """The addresses of a payable line or a payment, so far as they can be read."""
    try:
        document = _invoice_of(record) or _invoice_of(read.one(record, "line") or {})
        return Billed(document).addresses() if document is not None else []
    except ValueError:
        return []
