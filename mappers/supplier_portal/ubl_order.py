"""UBL order responses: the days that the supplier promises."""

from __future__ import annotations

from datetime import date

from contracts_schema.facts import Scheduled
from mappers.statements import Part
from mappers.supplier_portal import ubl_document as ubl
from mappers.supplier_portal.ubl_document import Document, Keys, Place
from mappers.xml import Element

SELLER = "cac:SellerSupplierParty/cac:Party"
_REJECTED, _ACCEPTED = ("RE", "27"), ("AP", "29")  # the whole response: UNTDID 4343, and 1225 in older documents
_LINE_REJECTED = "7"  # UNTDID 1229: not accepted
_PROMISES = ("cac:PromisedDeliveryPeriod", "cac:EstimatedDeliveryPeriod")
_WISH = "cac:RequestedDeliveryPeriod"  # the buyer's, repeated; a promise where the order is accepted as it is


def order_response_parts(document: Document) -> tuple[Part, ...]:
    """Forecasts, each under its own order or order line alone: a line's day is not the order's (rule D12).

    A period counts with its end; without one it does not say when the goods will be there. Of several days for one
    order line the latest counts: before that it is not complete.

    Raises:
        ValueError: with a sentence; a date cannot be read, or a line does not say which order line it answers.
    """
    code = ubl.text(document.root, "cbc:OrderResponseCode")
    if code in _REJECTED:
        return ()
    periods = (*_PROMISES, _WISH) if code in _ACCEPTED else _PROMISES
    forecasts: dict[Keys, date] = {}
    whole = _promised(document.root, periods)
    if whole is not None:
        forecasts[ubl.order_keys(document.place)] = whole
    for line in ubl.elements(document.root, "cac:OrderLine"):
        for item in ubl.elements(line, "cac:LineItem"):
            with ubl.told_of_line(item):
                day = _promised(item, periods)
                if day is not None and ubl.text(item, "cbc:LineStatusCode") != _LINE_REJECTED:
                    keys = ubl.order_keys(_line_place(document, line, item))[:1]
                    forecasts[keys] = max(forecasts.get(keys, day), day)
    return tuple(Part(keys, Scheduled(forecast=day)) for keys, day in forecasts.items())


def _line_place(document: Document, line: Element, item: Element) -> Place:
    """The order line that is answered; UBL calls a line item's own number the buyer's, so it may stand in."""
    place = document.line_place(line)
    number = place.line or ubl.text(item, "cbc:ID")
    if place.order is not None and number is None:
        raise ValueError("a line states a day and does not say which order line it answers")
    return Place(place.order, number)


def _promised(parent: Element, periods: tuple[str, ...]) -> date | None:
    """The last day of the first kind of period that states one."""
    for period in periods:
        ends = (ubl.day(found, "cbc:EndDate") for found in ubl.elements(parent, f"cac:Delivery/{period}"))
        days = [day for day in ends if day is not None]
        if days:
            return max(days)
    return None
