"""Things of Tryton as its REST interface gives them, and what the mapper says of them."""

import json
from datetime import UTC, datetime

import pytest

from contracts_schema.errors import Unreadable
from contracts_schema.records import Record, Source
from mappers.erp import tryton

ERP = Source("erp-eu", "tryton", "erp", "erp.events", timezone="Europe/Berlin")
EACH = {"currency": {"code": "EUR"}, "party": {"code": "SUP-1001"}}
UNIT = {"id": 1, "symbol": "u"}


def decimal(text):
    return {"__class__": "Decimal", "decimal": text}


def day(year, month, number):
    return {"__class__": "date", "year": year, "month": month, "day": number}


def at(number, hour=8, microsecond=0):
    return {"__class__": "datetime", "year": 2026, "month": 11, "day": number, "hour": hour, "minute": 0, "second": 0,
            "microsecond": microsecond}  # fmt: skip


def micros(number, hour=8, microsecond=0):
    return int(datetime(2026, 11, number, hour, tzinfo=UTC).timestamp()) * 1_000_000 + microsecond


def placed(error):
    """Where there is doubt, but for those about a document as a whole."""
    return [doubt.address.keys for doubt in error.doubts if doubt.document is None]


def a_move(number=1, **fields):
    move = {"id": number, "state": "done", "origin": "purchase.line,1", "quantity": 1.0, "unit": UNIT}
    dates = {"effective_date": day(2026, 11, 20), "planned_date": day(2027, 2, 20), "create_date": at(20)}
    return move | dates | fields


def an_order(*moves, line=None, **fields):
    lines = [
        {"id": 1, "quantity": 4.0, "unit": UNIT, "amount": decimal("1000.00"), "moves": list(moves)} | (line or {})
    ]
    return {"__name__": "purchase.purchase", "id": 7, "number": "1", "state": "processing", "create_date": at(10),
            "write_date": at(12), "lines": lines} | EACH | fields  # fmt: skip


def an_invoice(*lines, **fields):
    return {"__name__": "account.invoice", "id": 2, "type": "in", "state": "posted", "reference": "INV-1",
            "invoice_date": day(2026, 11, 22), "untaxed_amount": decimal("1000.00"), "write_date": at(22),
            "lines": list(lines) or [a_line(1, "1000.00")]} | EACH | fields  # fmt: skip


def a_line(order_line, amount, **fields):
    return {"id": 9, "origin": order_line and f"purchase.line,{order_line}", "amount": decimal(amount)} | fields


def facts(thing, kind=None, source=ERP, **headers):
    value = thing if isinstance(thing, bytes) else json.dumps(thing).encode()
    encoded = tuple((name.replace("_", "-"), text.encode()) for name, text in headers.items())
    found = tryton.translate(Record("erp.events", 0, 0, 1_795_996_800_000, None, encoded, value), source)
    return [fact for fact in found if kind is None or isinstance(fact.body, kind)]


def only(thing, kind, **headers):
    (fact,) = facts(thing, kind, **headers)
    return fact


def refused(thing, **headers):
    with pytest.raises(Unreadable) as caught:
        facts(thing, **headers)
    return caught.value


def a_payable(blocked=1, **fields):
    return {"__name__": "account.move.line", "id": 3, "payment_blocked": blocked, "create_date": at(22),
            "write_date": at(24), "milepost_invoice": an_invoice(write_date=at(26))} | fields  # fmt: skip


def a_press(target, user, hour):
    return {"id": hour, "event": "button", "target": target, "user": user, "create_date": at(25, hour)}


def a_payment(state, **fields):
    return {"__name__": "account.payment", "id": 1, "number": "17", "kind": "payable", "state": state,
            "amount": decimal("1000.00"), "date": day(2026, 11, 25), "write_date": at(26),
            "milepost_invoice": an_invoice()} | EACH | fields  # fmt: skip
