"""Dialect `http`: a small REST contract that any finance system, or a thin shim before it, can offer (README.md here).

GET  /whoami                              {"user": "milepost"}
GET  /invoices?number=N                   {"invoices": [...], "next": null}
GET  /invoices?state=open&after=ID&limit=N
GET  /invoices/ID                         one invoice, or 404
PUT  /invoices/ID/lines/LINE/hold         {"held": true} blocks the line, {"held": false} frees it
"""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Sequence
from datetime import date
from typing import Any, Literal, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Struct

from connectors.finance.web import Web, WebSettings, without_accounts
from contracts_schema.errors import ConfigurationError, TransientError
from contracts_schema.money import parse_amount
from contracts_schema.payables import Bill, Called, Holder, Payable
from contracts_schema.records import is_identifier

PAGE = 200
PAGES_MOST = 20
NAME_MOST = 300  # characters, as of every identifier of ours
log = logging.getLogger(__name__)
_Kind = TypeVar("_Kind")


class Line(Struct, frozen=True):
    """One payable line on the wire. `held_by` and `freed_by` name the user who did it last."""

    id: str
    gross: str
    held: bool
    due: date | None = None
    held_by: str | None = None
    freed_by: str | None = None
    state: Literal["open", "in_payment", "paid"] = "open"
    payment: str | None = None
    drafts: int = 0


class Invoice(Struct, frozen=True):
    """One invoice on the wire; amounts are decimal strings with the currency's number of decimals."""

    id: str
    number: str | None
    suppliers: tuple[str, ...]
    currency: str
    net: str
    gross: str
    state: Literal["open", "paid", "cancelled"]
    lines: tuple[Line, ...]
    keys: tuple[str, ...] = ()
    business_unit: str | None = None


class Page(Struct, frozen=True):
    """A page of invoices, each of the shape `Invoice`, and behind which id the next one starts."""

    invoices: tuple[Any, ...]
    next: str | None = None


class HttpFinance:
    """A finance system that speaks the contract (port `Finance`)."""

    def __init__(self, settings: WebSettings) -> None:
        self._web = Web(settings)
        self._user: str | None = None

    async def close(self) -> None:
        """Close all connections."""
        await self._web.close()

    async def check(self) -> None:
        """Learn which user we are there.

        Raises:
            TransientError: it does not answer.
            ConfigurationError: it refuses us.
        """
        said = await self._web.read("whoami")
        if not isinstance(said, dict) or not isinstance(said.get("user"), str):
            raise ConfigurationError(["finance: whoami is not answered with a user; check url"])
        self._user = said["user"]

    async def find(self, number: str) -> Sequence[Bill]:
        """Every invoice with this number, of whichever supplier."""
        found: list[object] = []
        asked = {"number": number}
        for _ in range(PAGES_MOST):  # one page by contract; of two invoices on two pages one alone would look meant
            page = await self._page(asked)
            found += page.invoices
            if page.next is None:
                return [bill for bill in await self._bills(found) if bill.number == number]
            asked["after"] = page.next
        raise TransientError(f"finance has more than {PAGES_MOST} pages of invoices with one number")

    async def get(self, bill: str) -> Bill | None:
        """One invoice by id."""
        found = await self._web.read(f"invoices/{quote(bill, safe='')}")
        return None if found is None else (await self._bills([found]))[0]

    async def open_bills(self, after: str | None) -> tuple[Sequence[Bill], str | None]:
        """A page of open invoices; one that cannot be understood is passed over, so that all others are seen."""
        page = await self._page({"state": "open", "limit": PAGE, **({"after": after} if after else {})})
        user, bills = await self._who(), []
        for one in page.invoices:
            try:
                bills.append(_bill(one, user))
            except TransientError as fault:
                log.warning("an open invoice is passed over: %s", fault)
        return bills, page.next

    async def block(self, bill: Bill, line: str) -> Called:
        """Block a line."""
        return await self._hold(bill, line, held=True)

    async def free(self, bill: Bill, line: str) -> Called:
        """Free a line."""
        return await self._hold(bill, line, held=False)

    async def _hold(self, bill: Bill, line: str, *, held: bool) -> Called:
        where = f"invoices/{quote(bill.id, safe='')}/lines/{quote(line, safe='')}/hold"
        return await self._web.change("PUT", where, {"held": held})

    async def _page(self, parameters: dict[str, Any]) -> Page:
        return _read(await self._web.read("invoices", parameters), Page)

    async def _bills(self, invoices: Sequence[object]) -> list[Bill]:
        """Each invoice once, as it was answered last."""
        user = await self._who()
        return list({bill.id: bill for bill in [_bill(one, user) for one in invoices]}.values())

    async def _who(self) -> str:
        if self._user is None:
            await self.check()
        return self._user or ""


def _read(value: object, kind: type[_Kind]) -> _Kind:
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as fault:
        sentence = without_accounts(str(fault))
        raise TransientError(f"finance answers what the contract does not know: {sentence}") from None


def _bill(answered: object, user: str) -> Bill:
    """The invoice in an answer. Raises TransientError where it is none."""
    invoice = _read(answered, Invoice)
    try:
        return _understood(invoice, user)
    except ValueError as fault:
        raise TransientError(f"finance: invoice {invoice.id[:80]!r}: {without_accounts(str(fault))}") from None


def _understood(invoice: Invoice, user: str) -> Bill:
    """The invoice; one with a number that none of ours can be has none, so that it is looked at under its id."""
    if max(len(name) for name in (invoice.id, *(line.id for line in invoice.lines))) > NAME_MOST:
        raise ValueError(f"its id, or that of a line, has more than {NAME_MOST} characters")
    number = unicodedata.normalize("NFC", invoice.number).strip() if invoice.number else None
    number = number if number and len(number) <= NAME_MOST else None
    return Bill(
        id=invoice.id, number=number, suppliers=invoice.suppliers, currency=invoice.currency,
        net=parse_amount(invoice.net, invoice.currency), gross=parse_amount(invoice.gross, invoice.currency),
        state=invoice.state, lines=tuple(_payable(line, invoice.currency, user) for line in invoice.lines),
        keys=invoice.keys, business_unit=invoice.business_unit,
    )  # fmt: skip


def _payable(line: Line, currency: str, user: str) -> Payable:
    def holder(who: str | None) -> Holder:
        return "ours" if who == user else "other"

    who = line.held_by if line.held else line.freed_by
    return Payable(
        id=line.id, gross=parse_amount(line.gross, currency), blocked=line.held, maturity=line.due,
        holder=holder(line.held_by) if line.held else None, by=who if is_identifier(who) else None,
        lifted_by=holder(line.freed_by) if line.freed_by and not line.held else None, state=line.state,
        payment=without_accounts(line.payment[:200]) if line.payment else None, drafts=line.drafts,
    )  # fmt: skip
