"""Asks a Tryton 8 over its REST API for what has changed.

Objects are read with exactly the fields that the mapper reads, in the order of their numbers, so that nothing is left
out while others are made or deleted. A child does not move its parent's dates: an order has changed when one of its
lines or their moves has, an invoice when one of its lines or the lines of its posting has (a payment moves these).

What the mapper needs beside and cannot be reached by a path is read in addition: the invoice of a payable line or a
payment, the lines that a credit note credits, and who pressed which button on a payable line.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import msgspec
from msgspec.json import decode, encode

from connectors.rest import Rest, TooLarge
from contracts_schema.collected import Kind, Page, Seen
from contracts_schema.errors import ConfigurationError, TransientError
from mappers.erp.tryton import FIELDS
from mappers.strict_json import BYTES_MAX

Thing = dict[str, Any]
Domain = list[Any]

PAGE = 50
# Paths under which a write or create date tells of a change; "" is the object itself.
CHANGED_UNDER: Mapping[str, tuple[str, ...]] = {
    "purchase.purchase": ("", "lines.", "lines.moves."),
    "account.invoice": ("", "lines.", "move.lines."),
    "account.move.line": ("",),
    "account.payment": ("",),
    "project.work": ("", "status."),
}
# What of a model can be a milestone's. Sales, customers' invoices and other bookings are none of our business.
OURS: Mapping[str, Domain] = {
    "account.invoice": [["type", "=", "in"]],
    "account.move.line": [["account.type.payable", "=", True], ["move_origin", "like", "account.invoice,%"]],
    "account.payment": [["kind", "=", "payable"]],
}
INVOICE_BESIDE = ("reference", "lines.origin", "purchases.number", "purchases.lines")
CREDITED = ("origin", "invoice.reference")
PRESSED = ("resource", "event", "target", "user", "create_date")
BUTTONS = ["payment_block", "payment_unblock"]

_reference = re.compile(r"(account\.invoice(?:\.line)?),([0-9]{1,18})")


class TrytonPoller:
    """Asks one Tryton (port `Poller`). `gate_user`: login or number of the gate's own user, whose blocks are ours."""

    kinds: Sequence[Kind] = tuple(Kind(model) for model in FIELDS)

    def __init__(self, rest: Rest, gate_user: str | None = None, company: int | None = None, page: int = PAGE) -> None:
        self._rest = rest
        self._gate_login = gate_user
        self._gate_user: int | None = None
        self._company = company
        self._page = page

    @property
    def skew(self) -> int:
        """How far the system's clock is ahead of ours (µs)."""
        return self._rest.skew

    async def page(self, kind: str, after: int, since: int | None) -> Page:
        """Objects of a model numbered above `after`; a page that is too large is asked for again in halves."""
        wanted = [["id", ">", after], *self._ours(kind), *_changed(kind, since)]
        limit = self._page
        while True:
            observed_at = self._rest.now()
            try:
                seen = await self._read(kind, wanted, limit, observed_at)
                return Page(seen, seen[-1].number if len(seen) == limit else None)
            except TooLarge as error:
                if limit == 1:
                    return await self._cut(kind, wanted, error.start, observed_at)
                limit //= 2

    async def is_gone(self, kind: str, number: int) -> bool:
        """Whether Tryton answers 404. It does so too for what the key may not see, so something else must be seen."""
        if await self._rest.get(f"/rest/model/{kind}/{number}", [("f", "id")]) is not None:
            return False
        if not await self._search(kind, self._ours(kind), ["id"], 1):
            raise ConfigurationError([f"nothing of {kind} can be seen any more: the key's user may have lost a right"])
        return True

    def deletion(self, kind: str, number: int, created: str, observed_at: int) -> Seen:
        """An object that was seen to be gone."""
        value = encode({"__name__": kind, "id": number, "deleted": True})
        return Seen(kind, number, value, observed_at, sha256(value).digest()[:16], created, deleted=True)

    async def _read(self, kind: str, wanted: Domain, limit: int, observed_at: int) -> list[Seen]:
        found = await self._search(kind, wanted, FIELDS[kind], limit)
        beside = await self._beside(kind, [decode(raw, type=Thing) for raw in found])
        return [_seen(kind, raw, more, observed_at) for raw, more in zip(found, beside, strict=True)]

    async def _beside(self, kind: str, things: Sequence[Thing]) -> list[dict[str, Any]]:
        """What is put beside each of these objects."""
        beside: list[dict[str, Any]] = [{} for _ in things]
        if kind == "account.invoice":
            await self._put_credited(things, beside)
        if kind in ("account.move.line", "account.payment"):
            await self._put_invoices(things, beside)
        if kind == "account.move.line":
            await self._put_presses(things, beside)
        return beside

    async def _put_credited(self, invoices: Sequence[Thing], beside: Sequence[dict[str, Any]]) -> None:
        """The invoice lines that the lines of these invoices credit."""
        numbers = [_credited_by(invoice) for invoice in invoices]
        lines = await self._by_number("account.invoice.line", {n for of in numbers for n in of}, CREDITED)
        for more, of in zip(beside, numbers, strict=True):
            if of:
                more["milepost_credited"] = [lines[number] for number in of if number in lines]

    async def _put_invoices(self, records: Sequence[Thing], beside: Sequence[dict[str, Any]]) -> None:
        """The invoices to which these payable lines or payments belong."""
        numbers = [_invoice_of(record) for record in records]
        raw = await self._by_number("account.invoice", {n for n in numbers if n is not None}, INVOICE_BESIDE)
        order = list(raw)
        credited: list[dict[str, Any]] = [{} for _ in order]
        await self._put_credited([decode(raw[number], type=Thing) for number in order], credited)
        whole = {n: _joined(raw[n], more) for n, more in zip(order, credited, strict=True)}
        for more, number in zip(beside, numbers, strict=True):
            if number in whole:
                more["milepost_invoice"] = whole[number]

    async def _put_presses(self, lines: Sequence[Thing], beside: Sequence[dict[str, Any]]) -> None:
        """Who pressed which of the two buttons. Tryton lets the log be read only for named objects."""
        if not lines:
            return
        resources = [f"account.move.line,{line['id']}" for line in lines]
        domain = [["resource", "in", resources], ["event", "=", "button"], ["target", "in", BUTTONS]]
        entries = await self._search("ir.model.log", domain, PRESSED, None)
        pressed: dict[str, list[msgspec.Raw]] = {}
        for raw in entries:
            pressed.setdefault(decode(raw, type=Thing)["resource"], []).append(raw)
        gate_user = await self._the_gate_user()
        for resource, more in zip(resources, beside, strict=True):
            more["milepost_log"] = pressed.get(resource, [])
            if gate_user is not None:
                more["milepost_gate_user"] = gate_user

    async def _the_gate_user(self) -> int | None:
        """The number of the gate's own user, looked up once."""
        if self._gate_login is None or self._gate_user is not None:
            return self._gate_user
        if self._gate_login.isascii() and self._gate_login.isdigit():
            self._gate_user = int(self._gate_login)
            return self._gate_user
        found = await self._search("res.user", [["login", "=", self._gate_login]], ["id"], 1)
        if not found:
            raise ConfigurationError([f"collect.gate_user: Tryton has no user {self._gate_login!r} that we may see"])
        self._gate_user = _number(found[0])
        return self._gate_user

    async def _by_number(self, model: str, numbers: set[int], fields: Sequence[str]) -> dict[int, msgspec.Raw]:
        """Objects by number; what we may not see is left out."""
        if not numbers:
            return {}
        found = await self._search(model, [["id", "in", sorted(numbers)]], fields, None)
        return {_number(raw): raw for raw in found}

    async def _search(self, model: str, domain: Domain, fields: Iterable[str], limit: int | None) -> list[msgspec.Raw]:
        """Objects in the order of their numbers, each with its own bytes."""
        params = [("f", field) for field in fields]
        params += [("d", _packed(domain)), ("o", _packed([["id", "ASC"]]))]
        params += [] if limit is None else [("s", str(limit))]
        body = await self._rest.get(f"/rest/model/{model}", params)
        if body is None:
            raise ConfigurationError(["collect.url: there is no such database of a Tryton with user applications"])
        try:
            return decode(body, type=list[msgspec.Raw])
        except msgspec.DecodeError:
            raise TransientError(f"Tryton's answer for {model} is no list of objects") from None

    async def _cut(self, kind: str, wanted: Domain, start: bytes, observed_at: int) -> Page:
        """The beginning of an object larger than an answer may be; the mapper doubts what it names."""
        found = await self._search(kind, wanted, ["id"], 1)
        if not found:
            raise TransientError(f"a {kind} larger than an answer may be has gone meanwhile")
        number = _number(found[0])
        value = start.lstrip(b" [")[:BYTES_MAX]
        return Page([Seen(kind, number, value, observed_at, sha256(value).digest()[:16])], number)

    def _ours(self, kind: str) -> Domain:
        company = [] if self._company is None else [["company", "=", self._company]]
        return [*OURS.get(kind, []), *company]


def context_headers(company: int | None) -> dict[str, str]:
    """The company in whose name we ask, as Tryton's REST takes it."""
    if company is None:
        return {}
    return {"X-Tryton-Context": _packed({"company": company, "companies": [company]})}


def _changed(kind: str, since: int | None) -> Domain:
    """`write_date` is null until the first change, so the date of creation counts as well."""
    if since is None:
        return []
    moment = _tagged(since)
    dates = [f"{path}{name}" for path in CHANGED_UNDER[kind] for name in ("write_date", "create_date")]
    return [["OR", *([date, ">=", moment] for date in dates)]]


def _tagged(moment: int) -> dict[str, object]:
    at = datetime.fromtimestamp(moment / 1e6, UTC)
    day = {"year": at.year, "month": at.month, "day": at.day}
    return {"__class__": "datetime", **day, "hour": at.hour, "minute": at.minute, "second": at.second, "microsecond": 0}


def _packed(value: object) -> str:
    return base64.urlsafe_b64encode(encode(value)).decode()


def _number(raw: msgspec.Raw) -> int:
    number = decode(raw, type=Thing).get("id")
    if type(number) is not int:
        raise TransientError("Tryton's answer has an object without a number")
    return number


def _seen(kind: str, raw: msgspec.Raw, beside: Mapping[str, Any], observed_at: int) -> Seen:
    value = _joined(raw, beside)
    canonical = encode(decode(value), order="deterministic")  # Tryton gives the fields in a new order after each start
    return Seen(kind, _number(raw), bytes(value), observed_at, sha256(canonical).digest()[:16])


def _joined(raw: msgspec.Raw, beside: Mapping[str, Any]) -> msgspec.Raw:
    """The object with what is put beside it, every field of its own in its own bytes."""
    return msgspec.Raw(encode({**decode(raw, type=dict[str, msgspec.Raw]), **beside})) if beside else raw


def _credited_by(invoice: Thing) -> list[int]:
    lines = invoice.get("lines") or []
    found = [_reference.fullmatch(str(line.get("origin"))) for line in lines if isinstance(line, dict)]
    return sorted({int(match[2]) for match in found if match and match[1] == "account.invoice.line"})


def _invoice_of(record: Thing) -> int | None:
    """The invoice of a payable line, or of the line that a payment pays."""
    line = record.get("line")
    origin = line.get("move_origin") if isinstance(line, dict) else record.get("move_origin")
    match = _reference.fullmatch(str(origin))
    return int(match[2]) if match and match[1] == "account.invoice" else None
