"""How a UBL document is read: which element is meant, what counts as absent, and where a line belongs.

Only elements at their proper place are looked at, never "anywhere below": what stands in an extension, a signature or
an attachment cannot pass for the document. A value that stands twice with two meanings is never chosen between.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import NamedTuple

from contracts_schema.money import Money
from contracts_schema.records import is_identifier
from mappers import values
from mappers.xml import Element

_UBL = re.compile(r"\{urn:oasis:names:specification:ubl:schema:xsd:([A-Za-z]{1,60})-2\}([A-Za-z]{1,60})")
_ENVELOPE = "{http://www.unece.org/cefact/namespaces/StandardBusinessDocumentHeader}"
_NAMESPACES = {
    "cac": "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2",
    "cbc": "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2",
}
_CURRENCY = "cbc:DocumentCurrencyCode"
_ABSENT = frozenset({"", "NA", "N/A", "n/a", "-"})  # rule F3
_OF_A_BANK = "SEPA"
_SPACES = re.compile(r"[\t\r\n]")
_POINTED = re.compile(r"([+-]?)([0-9]*)\.([0-9]*)")
_IDENTIFIERS_MAX = 20  # of one party; every fact of the document repeats them
_IDENTIFIERS = (  # rule F4, in this order
    "cac:PartyIdentification/cbc:ID",
    "cac:PartyLegalEntity/cbc:CompanyID",
    "cac:PartyTaxScheme/cbc:CompanyID",
    "cbc:EndpointID",
)

Keys = tuple[str, ...]


class Place(NamedTuple):
    """The order, and the line of it, that something refers to."""

    order: str | None
    line: str | None = None


def payload(root: Element) -> tuple[str, Element]:
    """The kind of a UBL 2 document and its root element, out of a Standard Business Document envelope if it is in one.

    Raises:
        ValueError: it is no UBL 2 document (rule F5).
    """
    if root.tag == f"{_ENVELOPE}StandardBusinessDocument":
        inside = [child for child in root if child.tag != f"{_ENVELOPE}StandardBusinessDocumentHeader"]
        if len(inside) != 1:
            raise ValueError(f"the envelope holds {len(inside)} documents, not one")
        root = inside[0]
    match = _UBL.fullmatch(str(root.tag))
    if match is None or match[1] != match[2]:
        raise ValueError(f"this is no UBL 2 document: its root is {values.shown(str(root.tag))}")
    return match[1], root


def elements(parent: Element, path: str) -> list[Element]:
    """The elements at `path` (`cac:A/cbc:B`, children only), in document order."""
    return parent.findall(path, _NAMESPACES)


def texts(parent: Element, path: str) -> list[str]:
    """The different values at `path`; what rule F3 calls absent is left out, and what a bank has assigned (EN 16931
    BT-90, by which it draws from an account): bank details are read nowhere.

    Raises:
        ValueError: one of them is no plain text of 1 to 300 visible characters.
    """
    found = (_text(element, path) for element in elements(parent, path) if element.get("schemeID") != _OF_A_BANK)
    return list(dict.fromkeys(text for text in found if text is not None))


def text(parent: Element, path: str) -> str | None:
    """The one value at `path`, or None where it is absent.

    Raises:
        ValueError: there are several different ones.
    """
    found = texts(parent, path)
    if len(found) > 1:
        raise ValueError(f"{path} is stated more than once, and differently")
    return found[0] if found else None


def required(parent: Element, path: str) -> str:
    """The one value at `path`.

    Raises:
        ValueError: it is absent, or there are several.
    """
    found = text(parent, path)
    if found is None:
        raise ValueError(f"{path} is missing")
    return found


def day(parent: Element, path: str) -> date | None:
    """The date at `path`; a zone beside it does not shift it.

    Raises:
        ValueError: it is no date.
    """
    found = text(parent, path)
    with _told_of(path):
        return None if found is None else values.vendor_date(found, "UTC")


def required_day(parent: Element, path: str) -> date:
    """The date at `path`.

    Raises:
        ValueError: it is absent, or no date.
    """
    found = required(parent, path)
    with _told_of(path):
        return values.vendor_date(found, "UTC")


def currency(root: Element, total: str) -> str:
    """`DocumentCurrencyCode`, else the currency of the amount at `total` (rule F4).

    Raises:
        ValueError: neither is there, or it is no ISO 4217 code.
    """
    stated, path = text(root, _CURRENCY), _CURRENCY
    if stated is None:
        path = f"currencyID of {total}"
        stated = next((code for element in elements(root, total) if (code := element.get("currencyID"))), None)
    if stated is None:
        raise ValueError(f"neither {_CURRENCY} nor {path} states the currency")
    with _told_of(path):
        return values.currency(stated)


def money(parent: Element, path: str, code: str) -> Money | None:
    """The amount at `path`, rounded half up to the decimals of `code`.

    Raises:
        ValueError: it is no amount, or in another currency than `code`.
    """
    found = text(parent, path)
    if found is None:
        return None
    for element in elements(parent, path):
        stated = element.get("currencyID", code)
        if stated.strip().upper() != code:
            raise ValueError(f"{path} is in {stated[:10]!r}, the document in {code}")
    with _told_of(path):
        return values.vendor_amount(_number(found), code)


def quantity(parent: Element, path: str) -> tuple[str, str | None] | None:
    """The quantity at `path` as a decimal string, with its unit if it states one.

    Raises:
        ValueError: it is no quantity, negative, or stands there twice.
    """
    found = text(parent, path)
    if found is None:
        return None
    units = {element.get("unitCode", "").strip() for element in elements(parent, path)}
    if len(units) > 1:
        raise ValueError(f"{path} is stated in more than one unit")
    unit = units.pop()
    with _told_of(path):
        return values.quantity(_number(found)), values.identifier(unit) if unit not in _ABSENT else None


def party_identifiers(party: Element) -> tuple[str, ...]:
    """Every identifier of a party, the most usual first (rule F4).

    A tax scheme's `CompanyID` without a digit is a remark that many suppliers share ("Foretaksregisteret", "GODKÄND
    FÖR F-SKATT"), and no identifier.

    Raises:
        ValueError: one cannot be read, or there are more than 20.
    """
    found: dict[str, None] = {}
    for path in _IDENTIFIERS:
        for name in texts(party, path):
            if path != "cac:PartyTaxScheme/cbc:CompanyID" or any(sign.isdigit() for sign in name):
                found.setdefault(name)
    if len(found) > _IDENTIFIERS_MAX:
        raise ValueError(f"a party has more than {_IDENTIFIERS_MAX} identifiers")
    return tuple(found)


class Document:
    """A UBL document with what its header says about where it belongs.

    `place` is the order that the header refers to, `keys` are those of the document as a whole, most specific first.
    What the header states wrongly is kept in `fault`, so that a message that cannot be read still tells as much as
    possible about whom it concerns (rule A11).
    """

    def __init__(self, kind: str, root: Element) -> None:
        self.kind = kind
        self.root = root
        self.fault: str | None = None
        order = self._only("cac:OrderReference/cbc:ID")
        self.place = Place(order if self._key("order", order) else None)
        self._shared = tuple(key for key in self._shared_keys() if key is not None)
        self.keys = self.keys_at(self.place)

    def keys_at(self, place: Place) -> Keys:
        """The keys of something in the document that refers to `place`.

        Raises:
            ValueError: a number is too long to be a key.
        """
        return order_keys(place) + self._shared

    def line_place(self, line: Element) -> Place:
        """The order line that a document line refers to.

        An order named at the line goes before the header's. A line number without an order is no reference (rule F3),
        and a line that names several order lines belongs to none of them, at most to their common order.

        Raises:
            ValueError: the reference cannot be read.
        """
        references = elements(line, "cac:OrderLineReference")
        places = {
            Place(text(found, "cac:OrderReference/cbc:ID") or self.place.order, text(found, "cbc:LineID"))
            for found in references
        }
        orders = {place.order for place in places}
        if len(orders) != 1:
            return Place(None) if orders else self.place
        order = orders.pop()
        return Place(order, places.pop().line if order is not None and len(places) == 1 else None)

    def _shared_keys(self) -> Iterator[str | None]:
        yield self._key("contract", self._only("cac:ContractDocumentReference/cbc:ID"))
        yield self._key("project", self._project())
        yield self._key("buyer-reference", self._only("cbc:BuyerReference"))

    def _project(self) -> str | None:
        """The project's number; a credit note has no place for it but a document reference of type 50 (rule F3)."""
        found = self._only("cac:ProjectReference/cbc:ID")
        if found is not None or not self.kind.endswith("CreditNote"):
            return found
        numbers = {
            self._only("cbc:ID", reference)
            for reference in elements(self.root, "cac:AdditionalDocumentReference")
            if self._only("cbc:DocumentTypeCode", reference) == "50"
        }
        return numbers.pop() if len(numbers) == 1 else None

    def _only(self, path: str, parent: Element | None = None) -> str | None:
        """The value at `path` if it is the only one: of several references none can be chosen without guessing."""
        try:
            found = texts(self.root if parent is None else parent, path)
        except ValueError as fault:
            self.fault = self.fault or str(fault)
            return None
        return found[0] if len(found) == 1 else None

    def _key(self, kind: str, number: str | None) -> str | None:
        try:
            return None if number is None else key(kind, number)
        except ValueError as fault:
            self.fault = self.fault or str(fault)
            return None


def order_keys(place: Place) -> Keys:
    """The keys of an order line and of its order.

    Raises:
        ValueError: a number is too long to be a key.
    """
    if place.order is None:
        return ()
    order = (key("order", place.order),)
    return order if place.line is None else (key("order", place.order, place.line), *order)


def key(kind: str, *components: str) -> str:
    """One key of the crosswalk.

    Raises:
        ValueError: it would be longer than 300 characters, or has invisible ones.
    """
    whole = f"{kind}:{'/'.join(values.encode_component(component) for component in components)}"
    if not is_identifier(whole):
        raise ValueError(f"the number of the {kind} is too long for a key")
    return whole


@contextmanager
def told_of_line(line: Element) -> Iterator[None]:
    """Whatever is wrong within a line is told with the line's own number, by which people find it."""
    try:
        yield
    except ValueError as fault:
        number = _plain(line.findtext("cbc:ID", "", _NAMESPACES))
        named = values.shown(number) if number else "without a number"
        raise ValueError(f"{str(line.tag).rpartition('}')[2]} {named}: {fault}") from None


@contextmanager
def _told_of(path: str) -> Iterator[None]:
    """Whatever is wrong with a value is told with the element that bears it."""
    try:
        yield
    except ValueError as fault:
        raise ValueError(f"{path}: {fault}") from None


def absent(value: str) -> bool:
    """Whether a value is one of those that mean nothing (rule F3)."""
    return value in _ABSENT


def _text(element: Element, path: str) -> str | None:
    raw = element.text or ""
    if len(element):
        raise ValueError(f"{path} holds elements where text was expected")
    plain = _plain(raw)
    return None if plain in _ABSENT else _visible(plain, path)


def _plain(raw: str) -> str:
    return _SPACES.sub(" ", raw).strip()


def _visible(plain: str, path: str) -> str:
    try:
        return values.identifier(plain)
    except ValueError:
        raise ValueError(f"{path} is longer than 300 characters, or has invisible ones in it") from None


def _number(plain: str) -> str:
    """XML's decimals may begin or end with the point."""
    match = _POINTED.fullmatch(plain)
    return plain if match is None or not (match[2] or match[3]) else f"{match[1]}{match[2] or 0}.{match[3] or 0}"
