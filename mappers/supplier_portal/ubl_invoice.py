"""UBL invoices and credit notes: one fact for each order line, one for the rest, together exactly the net (rule F4)."""

from __future__ import annotations

import msgspec

from contracts_schema.facts import InvoiceReceived
from contracts_schema.money import Money
from mappers.statements import Part
from mappers.supplier_portal import ubl_document as ubl
from mappers.supplier_portal.ubl_document import Document, Keys
from mappers.xml import Element

SUPPLIER = "cac:AccountingSupplierParty/cac:Party"
_TOTAL = "cac:LegalMonetaryTotal/cbc:TaxExclusiveAmount"
_GROSS = "cac:LegalMonetaryTotal/cbc:TaxInclusiveAmount"
_LINE_NET = "cbc:LineExtensionAmount"
_CREDITED = (
    "cac:BillingReference/cac:InvoiceDocumentReference/cbc:ID",
    "cac:BillingReference/cac:SelfBilledInvoiceDocumentReference/cbc:ID",
)
# UNTDID 1001, as EN 16931 lists it: the types that credit. A document of such a type states what it gives back without
# a minus sign.
_CREDIT_TYPES = frozenset(["81", "83", "261", "262", "296", "308", "381", "396", "420", "458", "502", "503", "532"])
_CREDITED_MAX = 200  # invoices that one credit note names; every fact of it repeats them
_MINOR_MAX = 10**17
_PRO_FORMA = "325"  # claims nothing


def invoice_parts(document: Document) -> tuple[Part, ...]:
    """The facts of an invoice or a credit note.

    Raises:
        ValueError: with a sentence; an amount, a date or the supplier is missing or cannot be read.
    """
    root = document.root
    if ubl.text(root, "cbc:InvoiceTypeCode") == _PRO_FORMA:
        return ()
    total = _total(root)
    code = total.currency
    sign = _sign(document, total)
    nets = _nets(document, code, total)
    gross = ubl.money(root, _GROSS, code) if len(nets) == 1 else None
    whole = _whole(document, Money(sign * total.minor, code), gross and Money(sign * gross.minor, code))
    return tuple(Part(keys, msgspec.structs.replace(whole, net=Money(sign * net, code))) for keys, net in nets.items())


def _total(root: Element) -> Money:
    """The net of the whole document. OIOUBL 2 states the tax in that place, and the net nowhere."""
    customs = [(element.text or "").strip() for element in ubl.elements(root, "cbc:CustomizationID")]
    if any(custom.startswith("OIOUBL-2") for custom in customs):
        raise ValueError(
            f"cbc:CustomizationID is {customs[0][:40]!r}: OIOUBL 2 states the tax, not the net, in {_TOTAL}; a Peppol "
            "BIS Billing document of it can be read"
        )
    stated = ubl.text(root, _TOTAL) is not None
    total = ubl.money(root, _TOTAL, ubl.currency(root, _TOTAL)) if stated else None
    if total is None:
        raise ValueError(f"{_TOTAL} is missing: no other amount tells the net")
    return total


def _sign(document: Document, total: Money) -> int:
    """-1 for what credits, by the type of the document (UNTDID 1001, EN 16931).

    A credit note below zero charges by the letter of the standard, and credits in what suppliers really send: it is
    read in neither way.
    """
    code = ubl.text(document.root, "cbc:InvoiceTypeCode")
    if document.kind.endswith("CreditNote"):
        kind = document.kind
    elif code in _CREDIT_TYPES:
        kind = f"cbc:InvoiceTypeCode {code}"
    else:
        return 1
    if total.minor < 0:
        raise ValueError(
            f"{kind} says credit note and {_TOTAL} is negative: whether it credits or charges is open; a credit note "
            "states what it gives back without a minus, and what charges again is an invoice"
        )
    return -1


def _nets(document: Document, code: str, total: Money) -> dict[Keys, int]:
    """Net minor units under each address; what no line with a reference of its own accounts for is the rest."""
    tag = "cac:CreditNoteLine" if document.kind.endswith("CreditNote") else "cac:InvoiceLine"
    nets: dict[Keys, int] = {}
    for line in ubl.elements(document.root, tag):
        with ubl.told_of_line(line):
            keys = document.keys_at(document.line_place(line))
            if keys != document.keys:
                nets[keys] = nets.get(keys, 0) + _line_net(line, code)
    rest = total.minor - sum(nets.values())
    whole = {**nets, document.keys: rest} if rest or not nets else nets
    if any(abs(net) >= _MINOR_MAX for net in whole.values()):
        raise ValueError("the lines of one order line, or the rest, add up to more than an amount can hold")
    return whole


def _line_net(line: Element, code: str) -> int:
    net = ubl.money(line, _LINE_NET, code)
    if net is None:
        raise ValueError(f"{_LINE_NET} is missing")
    return net.minor


def _whole(document: Document, total: Money, gross: Money | None) -> InvoiceReceived:
    """The document as if it were one fact."""
    root = document.root
    suppliers = ubl.elements(root, SUPPLIER)
    identifiers = ubl.party_identifiers(suppliers[0]) if len(suppliers) == 1 else ()
    if not identifiers:
        raise ValueError(
            f"{SUPPLIER} bears no identifier, so which supplier claims the money cannot be told: "
            "PartyIdentification/ID, PartyLegalEntity/CompanyID, PartyTaxScheme/CompanyID or EndpointID would do"
        )
    return InvoiceReceived(
        number=ubl.required(root, "cbc:ID"),
        supplier=identifiers[0],
        net=total,
        issued_on=ubl.required_day(root, "cbc:IssueDate"),
        state="open",
        supplier_identifiers=identifiers,
        gross=gross,
        total=total,
        credits=_credited(root) or None if total.minor < 0 else None,
    )


def _credited(root: Element) -> tuple[str, ...]:
    found = dict.fromkeys(number for path in _CREDITED for number in ubl.texts(root, path))
    if len(found) > _CREDITED_MAX:
        raise ValueError(f"it credits more than {_CREDITED_MAX} invoices")
    return tuple(found)
