"""Dialect `ubl`: UBL 2 documents as Peppol carries them, bare or in a Standard Business Document envelope.

Invoice and CreditNote (also self-billed) give `invoice.received`, DespatchAdvice gives `delivery.claimed`,
ReceiptAdvice `goods.received`, OrderResponse `milestone.scheduled`. Other UBL documents carry no milestone fact and
give none (rule F5). Facts are unnumbered; their time is the record's timestamp, never the issue date (rule F8).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from hashlib import sha256
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from contracts_schema.errors import Unreadable
from contracts_schema.facts import ACTUAL_DATES, Address, Doubt, Fact
from contracts_schema.own_facts import DocumentRenewed
from contracts_schema.records import Record, Source, is_identifier
from mappers import values
from mappers.statements import Part
from mappers.supplier_portal import ubl_delivery, ubl_invoice, ubl_order
from mappers.supplier_portal import ubl_document as ubl
from mappers.supplier_portal.ubl_document import Document, Keys
from mappers.xml import Unfinished, parse

MAPPER = 1
_DOCUMENT_MAX = 200  # characters of a document's identity; longer ones are told apart by their hash
_COMPONENTS = {"order": (1, 2), "contract": (1,), "project": (1,), "buyer-reference": (1,)}  # parts of each kind of key
_encode = msgspec.json.Encoder(order="deterministic").encode


class _Reading(NamedTuple):
    """How one kind of document is read: `noun` and the `issuer`'s number identify it."""

    noun: str
    issuer: str
    line: str
    parts: Callable[[Document], tuple[Part, ...]]


_READINGS = {
    "Invoice": _Reading("invoice", ubl_invoice.SUPPLIER, "cac:InvoiceLine", ubl_invoice.invoice_parts),
    "SelfBilledInvoice": _Reading(
        "self-billed-invoice", ubl_invoice.SUPPLIER, "cac:InvoiceLine", ubl_invoice.invoice_parts
    ),
    "CreditNote": _Reading("credit-note", ubl_invoice.SUPPLIER, "cac:CreditNoteLine", ubl_invoice.invoice_parts),
    "SelfBilledCreditNote": _Reading(
        "self-billed-credit-note", ubl_invoice.SUPPLIER, "cac:CreditNoteLine", ubl_invoice.invoice_parts
    ),
    "DespatchAdvice": _Reading(
        "despatch-advice",
        ubl_delivery.DESPATCHED_BY,
        "cac:DespatchLine",
        ubl_delivery.despatch_parts,
    ),
    "ReceiptAdvice": _Reading(
        "receipt-advice", ubl_delivery.RECEIVED_BY, "cac:ReceiptLine", ubl_delivery.receipt_parts
    ),
    "OrderResponse": _Reading("order-response", ubl_order.SELLER, "cac:OrderLine", ubl_order.order_response_parts),
}


def translate(record: Record, source: Source) -> tuple[Fact, ...]:
    """The facts of one UBL document; none where its kind carries no milestone fact.

    Raises:
        Unreadable: no UBL document, or one that cannot be understood or is implausible; `doubts` names every address
            that could still be read (rule A11).
    """
    try:
        kind, root = ubl.payload(parse(record.value or b""))
    except Unfinished as fault:
        return _of_fragment(fault, record, source)
    except ValueError as fault:
        raise Unreadable(f"{fault}") from None
    reading = _READINGS.get(kind)
    if reading is None:
        return ()
    document = Document(kind, root)
    try:
        return _facts(document, reading, record, source)
    except ValueError as fault:
        raise Unreadable(f"UBL {kind}: {fault}", _doubts(document, reading, record, source)) from None


def _of_fragment(fault: Unfinished, record: Record, source: Source) -> tuple[Fact, ...]:
    """Nothing, where there is only too much of a kind that carries no fact: a large catalogue, say (rule F5).

    Raises:
        Unreadable: else, with a doubt for every address that stood before the fault (rule A11).
    """
    try:
        kind, root = ubl.payload(fault.root)
    except ValueError:
        raise Unreadable(f"{fault}") from None
    reading = _READINGS.get(kind)
    if reading is None and fault.crowded:
        return ()
    doubts = () if reading is None else _doubts(Document(kind, root), reading, record, source, whole=True)
    raise Unreadable(f"{fault}", doubts)


def normalise_key(key: str) -> str:
    """A key of the crosswalk as this mapper writes it (rule B5): NFC, trimmed, `%2F` and `%25` in upper case.

    Raises:
        ValueError: no key of this dialect.
    """
    kind, colon, rest = key.strip().partition(":")
    counts = _COMPONENTS.get(kind.strip())
    components = (
        [values.identifier(values.decode_component(component)) for component in rest.split("/")] if rest else []
    )
    if counts is None or not colon or len(components) not in counts:
        kinds = "order:<number>, order:<number>/<line>, contract:<number>, project:<number>, buyer-reference:<text>"
        raise ValueError(f"{key[:80]!r} is none of {kinds}; a / inside a number is written %2F")
    if any(ubl.absent(component) for component in components):
        raise ValueError(f"{key[:80]!r} holds a value that counts as absent in UBL, so no document can bear it")
    return ubl.key(kind.strip(), *components)


def _facts(document: Document, reading: _Reading, record: Record, source: Source) -> tuple[Fact, ...]:
    if document.fault is not None:
        raise ValueError(document.fault)
    time = record.timestamp * 1000
    parts = reading.parts(document)
    if not parts and reading.parts is ubl_invoice.invoice_parts:
        return ()  # a pro forma is no version of an invoice
    identity = _identity(document, reading)
    for part in parts:
        _check_address(part.keys)
        _check_plausible(part, time)
    if reading.parts is ubl_delivery.receipt_parts:
        parts = tuple(part._replace(keys=_as_receipt(identity, part.keys)) for part in parts)
    parts = parts or (Part((), DocumentRenewed(identity)),)  # whatever an older version said is void (rule F9)
    return tuple(_fact(part, identity, time, source.name) for part in parts)


def _identity(document: Document, reading: _Reading) -> str:
    """What names the vendor's document (rule F9): kind, issuer, number; no `@`, which would date it."""
    issuers = ubl.elements(document.root, reading.issuer)
    names = ubl.party_identifiers(issuers[0])[:1] if issuers else ()
    number = ubl.required(document.root, "cbc:ID")
    identity = "/".join(values.encode_component(name).replace("@", "%40") for name in (*names, number))
    return f"{reading.noun}:{identity if len(identity) <= _DOCUMENT_MAX else sha256(identity.encode()).hexdigest()}"


def _as_receipt(identity: str, keys: Keys) -> Keys:
    """A receipt advice counts one delivery. Under a key of its own it is a subject of its own, so that what several say
    of one order line adds up (rules A1, C2)."""
    own = f"{identity}/{values.encode_component(keys[0])}"
    return (own if is_identifier(own) else f"{identity}/{sha256(own.encode()).hexdigest()[:32]}", *keys)


def _check_address(keys: Keys) -> None:
    if not keys:
        raise ValueError(
            "nothing says where it belongs: OrderReference/ID, ContractDocumentReference/ID, ProjectReference/ID "
            "(in a credit note an AdditionalDocumentReference of type 50), BuyerReference, or an OrderLineReference "
            "with its OrderReference/ID would do"
        )


def _check_plausible(part: Part, time: int) -> None:
    """An actual date more than one day ahead of the record is no actual date (rule A11)."""
    name = ACTUAL_DATES.get(str(type(part.body).__struct_config__.tag))
    if name is not None and getattr(part.body, name) > values.day(time, "UTC") + timedelta(days=1):
        raise ValueError(f"{name} {getattr(part.body, name)} lies more than a day ahead of the record")


def _fact(part: Part, document: str, time: int, source: str) -> Fact:
    """A fact whose id is made of the document, its time and what is said: changed there and back again, it is three
    events, of which the newest counts (rules A1, F8)."""
    content = sha256(_encode((source, document, part.keys, part.body))).hexdigest()[:32]
    address = Address(source=source, keys=part.keys) if part.keys else Address()
    return Fact(source, f"{document}@{time}#{content}", address, time, part.body, document=document, mapper=MAPPER)


def _doubts(
    document: Document, reading: _Reading, record: Record, source: Source, *, whole: bool = False
) -> tuple[Doubt, ...]:
    """A doubt at every address that can be read, and about what older versions of the document say elsewhere; any newer
    readable document of the source ends it (rules A11, F9). `whole`: at that of the document in any case."""
    digest = sha256(record.value or b"").digest()
    name = f"{reading.noun}#unreadable-{digest.hex()[:32]}"
    addresses = dict.fromkeys(keys for keys in _addresses(document, reading, whole) if keys)
    doubt = Doubt(source.name, name, Address(), record.timestamp * 1000, digest)
    found = [replace(doubt, address=Address(source=source.name, keys=keys)) for keys in addresses]
    try:
        return (*found, replace(doubt, document=_identity(document, reading)))
    except ValueError:  # nobody can say which document it is
        return tuple(found)


def _addresses(document: Document, reading: _Reading, whole: bool) -> Iterator[Keys]:
    """Where the lines belong, and the document itself where something in it has no line of its own."""
    lines = ubl.elements(document.root, reading.line)
    whole = whole or not lines or bool(ubl.elements(document.root, "cac:AllowanceCharge"))
    for line in lines:
        try:
            keys = document.keys_at(document.line_place(line))
        except ValueError:  # the line cannot be placed, so the document as a whole is in doubt
            keys = document.keys
        whole = whole or keys == document.keys
        yield keys
    if whole:
        yield document.keys
