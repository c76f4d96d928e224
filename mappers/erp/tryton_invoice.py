"""Supplier invoices of Tryton.

`number` is Tryton's own; the supplier's is `reference`. Draft invoices appear by themselves after a receipt, and a
cancelled invoice keeps its amounts. The lines tell which order line they bill; what bills none is one more fact, so
that the facts of an invoice add up exactly to its net total.

A credit line's origin is the credited invoice line, not the order line. Where the collector read those lines too,
under `milepost_credited` (`account.invoice.line` with `origin` and `invoice.reference`), the credit is told for the
order line and says which invoices it credits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import structs

from contracts_schema.facts import InvoiceReceived
from contracts_schema.money import Money
from mappers import values
from mappers.erp import tryton_values as read
from mappers.erp.tryton_order import number_keys
from mappers.statements import Part

if TYPE_CHECKING:
    from mappers.erp.tryton_values import Thing

_NO_INVOICE_YET = frozenset({"draft", "validated"})


def invoice(document: Thing, _timezone: str, _time: int) -> list[Part]:
    """What an `account.invoice` says: a fact for each order line it bills and one for the rest.

    Raises:
        ValueError: a state, amount, party or date that cannot be understood or was not read.
    """
    state = read.word(document, "state")
    if state in _NO_INVOICE_YET or document.get("type") == "out":
        return []
    if state == "cancelled" and not (document.get("reference") and document.get("invoice_date")):
        return []  # cancelled before it was ever complete
    return _parts(document)


def number(document: Thing) -> str:
    """The supplier's number of an invoice.

    Raises:
        ValueError: it has none.
    """
    reference = read.text(document, "reference")
    if reference is None:
        raise ValueError("the invoice has no reference, which is the supplier's number")
    return reference


class Billed:
    """Which order lines an invoice bills, and under which keys; worked out once, whatever the size of the invoice."""

    def __init__(self, document: Thing) -> None:
        self._own = (values.number_key("account.invoice", document.get("id")),)
        self._orders = read.many(document, "purchases") or []
        self._order_of: dict[object, list[Thing]] = {}
        for order in self._orders:
            for order_line in _line_numbers(order):
                self._order_of.setdefault(order_line, []).append(order)
        credited = read.many(document, "milepost_credited") or []
        self._credited = {entry["id"]: entry for entry in credited if type(entry.get("id")) is int}
        self._lines = read.many(document, "lines") or []

    def order_line(self, entry: Thing) -> int | None:
        """The order line that an invoice line bills, or that the invoice line it credits had billed."""
        origin = read.target(entry.get("origin"))
        if origin and origin[0] == "account.invoice.line":
            origin = read.target(self._credited.get(origin[1], {}).get("origin"))
        return origin[1] if origin and origin[0] == "purchase.line" else None

    def keys(self, order_line: int) -> tuple[str, ...]:
        """The address of one order line, the invoice's own key last: by it the gate finds the invoice."""
        own = values.number_key("purchase.line", order_line)
        return (own, *self._purchase(self._order_of.get(order_line, [])), *self._own)

    def document_keys(self) -> tuple[str, ...]:
        """The address of what bills no order line."""
        return (*self._purchase([]), *self._own)

    def addresses(self) -> list[tuple[str, ...]]:
        """The addresses of all order lines billed; that of the document where it bills none."""
        found = dict.fromkeys(self.order_line(entry) for entry in self._lines)
        return [self.keys(order_line) for order_line in found if order_line is not None] or [self.document_keys()]

    def credits(self) -> tuple[str, ...] | None:
        """The supplier's numbers of the invoices that this one credits; None where none were read."""
        invoices = [read.one(entry, "invoice") or {} for entry in self._credited.values()]
        return tuple(sorted({name for entry in invoices if (name := read.text(entry, "reference"))})) or None

    def _purchase(self, orders: list[Thing]) -> tuple[str, ...]:
        """The order's number where the invoice belongs to one order, or where one order is known to have the line."""
        candidates = self._orders if len(self._orders) == 1 else orders
        return number_keys(candidates[0]) if len(candidates) == 1 else ()


def keys_of_invoice(document: Thing) -> list[tuple[str, ...]]:
    """The addresses of an invoice, so far as they can be read."""
    try:
        return Billed(document).addresses()
    except ValueError:
        return []


def _parts(document: Thing) -> list[Part]:
    currency = values.currency((read.one(document, "currency") or {}).get("code"))
    total = values.vendor_amount(_needed(document, "untaxed_amount"), currency)
    lines = read.many(document, "lines")
    if lines is None:
        raise ValueError("the lines of the invoice were not read")
    billed = Billed(document)
    nets: dict[int, int] = {}
    for entry in lines:
        order_line = billed.order_line(entry)
        if order_line is not None and (read.word(entry, "type") or "line") == "line":
            net = values.vendor_amount(_needed(entry, "amount"), currency)
            nets[order_line] = nets.get(order_line, 0) + net.minor
    shares = [(billed.keys(order_line), net) for order_line, net in sorted(nets.items())]
    rest = total.minor - sum(nets.values())
    if rest or not shares:
        shares.append((billed.document_keys(), rest))
    gross = _gross(document, currency) if len(shares) == 1 else None
    whole = _received(document, billed, gross, total)
    return [Part(keys, structs.replace(whole, net=Money(net, currency))) for keys, net in shares]


def _received(document: Thing, billed: Billed, gross: Money | None, total: Money) -> InvoiceReceived:
    issued_on = read.day(document.get("invoice_date"))
    if issued_on is None:
        raise ValueError("the invoice has no invoice_date")
    names = _supplier_names(document)
    return InvoiceReceived(
        number=number(document),
        supplier=names[0],
        net=total,
        issued_on=issued_on,
        state=_state(document),
        supplier_identifiers=names,
        business_unit=None,
        gross=gross,
        total=total,
        credits=billed.credits(),
        by=None,
    )


def _state(document: Thing) -> Literal["open", "cancelled", "paid"]:
    state = read.word(document, "state")
    if document.get("type") != "in":
        raise ValueError("the type of the invoice was not read")
    if state == "cancelled":
        return "cancelled"  # whatever its amounts
    if state == "paid":
        return "paid"
    if state != "posted":
        raise ValueError(f"the state {values.shown(state)} of an invoice is not known")
    left = document.get("amount_to_pay")
    return "paid" if left is not None and not read.decimal(left) else "open"


def _supplier_names(document: Thing) -> tuple[str, ...]:
    """The party's code, and after it every identifier and tax number that was read."""
    party = read.one(document, "party") or {}
    code = read.text(party, "code")
    if code is None:
        raise ValueError("the code of the invoice's party was not read")
    numbers = [read.one(document, "party_tax_identifier"), read.one(party, "tax_identifier")]
    numbers += read.many(party, "identifiers") or []
    others = [name for entry in numbers if entry and (name := read.text(entry, "code")) is not None]
    return tuple(dict.fromkeys([code, *others]))


def _gross(document: Thing, currency: str) -> Money | None:
    amount = document.get("total_amount")
    return None if amount is None else values.vendor_amount(read.decimal(amount), currency)


def _needed(thing: Thing, field: str) -> object:
    if thing.get(field) is None:
        raise ValueError(f"the {field} of {thing.get('__name__', 'the invoice')} was not read")
    return read.decimal(thing[field])


def _line_numbers(order: Thing) -> list[object]:
    lines = order.get("lines")
    entries = lines if isinstance(lines, list) else []
    return [entry.get("id") if isinstance(entry, dict) else entry for entry in entries]
