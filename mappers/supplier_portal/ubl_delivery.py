"""UBL despatch and receipt advices: what the supplier says it delivered, and what was taken in, per order line."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from contracts_schema.facts import DeliveryClaimed, GoodsReceived
from mappers import values
from mappers.statements import Part
from mappers.supplier_portal import ubl_document as ubl
from mappers.supplier_portal.ubl_document import Document, Keys
from mappers.xml import Element

DESPATCHED_BY = "cac:DespatchSupplierParty/cac:Party"
RECEIVED_BY = "cac:DeliveryCustomerParty/cac:Party"
_DELIVERED = "cac:Shipment/cac:Delivery/cbc:ActualDeliveryDate"
_DESPATCHED = "cac:Shipment/cac:Delivery/cac:Despatch/cbc:ActualDespatchDate"
_STATUS, _CANCELLED = "cbc:DocumentStatusCode", "1"  # UNTDID 1225: what the document said is taken back
_RETURN = "4"  # Peppol's type of a despatch advice that sends goods back
_ANSWER = "D"  # Peppol's type of a receipt advice that answers the despatch advice, before any goods came
_RECEIVED, _REJECTED, _SHORT = "cbc:ReceivedQuantity", "cbc:RejectedQuantity", "cbc:ShortQuantity"


def despatch_parts(document: Document) -> tuple[Part, ...]:
    """The claims of a despatch advice, one for each order line; a line that delivers nothing claims nothing.

    Raises:
        ValueError: with a sentence; a quantity or a date is missing or cannot be read.
    """
    kind = ubl.text(document.root, "cbc:DespatchAdviceTypeCode")
    if kind == _RETURN or ubl.text(document.root, _STATUS) == _CANCELLED:
        return ()
    claims: dict[Keys, DeliveryClaimed] = {}
    for line in ubl.elements(document.root, "cac:DespatchLine"):
        with ubl.told_of_line(line):
            keys = document.keys_at(document.line_place(line))
            stated = ubl.quantity(line, "cbc:DeliveredQuantity")
            amount, unit = stated or (None, None)
            if amount != "0":
                claim = DeliveryClaimed(_delivered_on(document, line), amount, unit)
                claims[keys] = _joined_claim(claims[keys], claim) if keys in claims else claim
    return tuple(Part(keys, claim) for keys, claim in claims.items())


def _delivered_on(document: Document, line: Element) -> date:
    found = ubl.day(line, _DELIVERED) or ubl.day(document.root, _DELIVERED)
    found = found or ubl.day(line, _DESPATCHED) or ubl.day(document.root, _DESPATCHED)
    return found or ubl.required_day(document.root, "cbc:IssueDate")


def _joined_claim(one: DeliveryClaimed, other: DeliveryClaimed) -> DeliveryClaimed:
    """Two lines for one order line; quantities of different units have no sum, the claim itself stands."""
    latest = max(one.delivered_on, other.delivered_on)
    if one.quantity is None or other.quantity is None or one.unit != other.unit:
        return DeliveryClaimed(latest)
    return DeliveryClaimed(latest, _sum(one.quantity, other.quantity), one.unit)


def receipt_parts(document: Document) -> tuple[Part, ...]:
    """What one receipt advice took in, one fact for each order line.

    A receipt advice counts one delivery and does not say what was ordered; its document identity keeps the facts of
    several receipts apart. `ShortQuantity` is measured against the despatch advice, where there is one: only without
    one does it tell what is lacking of the order, and only then is it passed on.

    Raises:
        ValueError: with a sentence; a quantity, its unit or a date is missing or cannot be read.
    """
    kind = ubl.text(document.root, "cbc:ReceiptAdviceTypeCode")
    if kind == _ANSWER or ubl.text(document.root, _STATUS) == _CANCELLED:
        return ()
    despatched = bool(ubl.elements(document.root, "cac:DespatchDocumentReference"))
    receipts: dict[Keys, GoodsReceived] = {}
    for line in ubl.elements(document.root, "cac:ReceiptLine"):
        with ubl.told_of_line(line):
            keys = document.keys_at(document.line_place(line))
            receipt = _receipt(document, line, despatched or bool(ubl.elements(line, "cac:DespatchLineReference")))
            receipts[keys] = _joined_receipt(receipts[keys], receipt) if keys in receipts else receipt
    return tuple(Part(keys, receipt) for keys, receipt in receipts.items())


def _receipt(document: Document, line: Element, despatched: bool) -> GoodsReceived:
    received = ubl.quantity(line, _RECEIVED)
    if received is None:
        raise ValueError(f"{_RECEIVED} is missing: how much came in cannot be told")
    rejected = ubl.quantity(line, _REJECTED) or ("0", None)
    short = None if despatched else ubl.quantity(line, _SHORT)
    units = {unit for _, unit in (received, rejected, short or ("0", None)) if unit is not None}
    if len(units) != 1:
        raise ValueError(f"{_RECEIVED} states no unit, or another one than the quantities beside it")
    accepted = Decimal(received[0]) - Decimal(rejected[0])
    if accepted < 0:
        raise ValueError(f"{_REJECTED} {rejected[0]} is more than {_RECEIVED} {received[0]}")
    issued = ubl.required_day(document.root, "cbc:IssueDate")
    return GoodsReceived(
        received=received[0],
        accepted=values.plain(accepted),
        rejected=rejected[0],
        unit=units.pop(),
        received_on=ubl.day(line, "cbc:ReceivedDate") or issued,
        short=short[0] if short else None,
    )


def _joined_receipt(one: GoodsReceived, other: GoodsReceived) -> GoodsReceived:
    """Two lines for one order line."""
    if one.unit != other.unit:
        raise ValueError(f"one order line is received in {one.unit!r} and in {other.unit!r}")
    short = None
    if isinstance(one.short, str) or isinstance(other.short, str):
        short = _sum(one.short or "0", other.short or "0")
    return GoodsReceived(
        received=_sum(one.received, other.received),
        accepted=_sum(one.accepted, other.accepted),
        rejected=_sum(one.rejected, other.rejected),
        unit=one.unit,
        received_on=max(one.received_on, other.received_on),
        short=short,
    )


def _sum(one: str, other: str) -> str:
    return values.quantity(Decimal(one) + Decimal(other))
