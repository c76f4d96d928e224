"""UBL documents as text, written part by part, and what the mapper says of them."""

import pytest

from contracts_schema.errors import Unreadable
from contracts_schema.facts import Address, Fact
from contracts_schema.records import Record, Source
from mappers.supplier_portal.ubl import translate

PORTAL = Source("portal", "ubl", "supplier_portal", "supplier.events")
NOON = 1_772_712_000_000  # 5 March 2026, 12:00 UTC
SUPPLIER = "<cac:PartyIdentification><cbc:ID>SUP-1001</cbc:ID></cac:PartyIdentification>"
ORDER = "<cac:OrderReference><cbc:ID>PO-1</cbc:ID></cac:OrderReference>"


def record(value, at=NOON):
    return Record("supplier.events", 0, 0, at, None, (), value)


def facts_of(text, at=NOON) -> tuple[Fact, ...]:
    return translate(record(text.encode() if isinstance(text, str) else text, at), PORTAL)


def refusal_of(text, at=NOON) -> Unreadable:
    with pytest.raises(Unreadable) as caught:
        facts_of(text, at)
    return caught.value


def a_document(kind, inside):
    names = "urn:oasis:names:specification:ubl:schema:xsd:"
    return (
        f'<u:{kind} xmlns:u="{names}{kind}-2" xmlns:cac="{names}CommonAggregateComponents-2" '
        f'xmlns:cbc="{names}CommonBasicComponents-2">{inside}</u:{kind}>'
    )


def amount(name, text, currency="EUR"):
    return f'<cbc:{name} currencyID="{currency}">{text}</cbc:{name}>'


def a_reference(line=None, order=None):
    inside = f"<cbc:LineID>{line}</cbc:LineID>" if line else ""
    inside += f"<cac:OrderReference><cbc:ID>{order}</cbc:ID></cac:OrderReference>" if order else ""
    return f"<cac:OrderLineReference>{inside}</cac:OrderLineReference>"


def a_line(net, *references, tag="InvoiceLine", currency="EUR"):
    return f"<cac:{tag}>{amount('LineExtensionAmount', net, currency)}{''.join(references)}</cac:{tag}>"


def an_invoice(
    *lines, net="100.00", head=ORDER, kind="Invoice", supplier=SUPPLIER, code="EUR", totals="", number="I-1"
):
    stated = "" if net is None else amount("TaxExclusiveAmount", net)
    currency = f"<cbc:DocumentCurrencyCode>{code}</cbc:DocumentCurrencyCode>" if code else ""
    party = f"<cac:AccountingSupplierParty><cac:Party>{supplier}</cac:Party></cac:AccountingSupplierParty>"
    total = f"<cac:LegalMonetaryTotal>{stated}{totals}</cac:LegalMonetaryTotal>"
    dates = "<cbc:IssueDate>2026-03-01</cbc:IssueDate>"
    return a_document(kind, f"<cbc:ID>{number}</cbc:ID>{dates}{currency}{head}{party}{total}{''.join(lines)}")


def only_of_the_document(fault):
    """Nobody knows where it belongs, but what older versions of it say is in doubt (A11)."""
    return [(doubt.document, doubt.address) for doubt in fault.doubts] == [("invoice:SUP-1001/I-1", Address())]


def says_nothing(text):
    """Only that a version of the document is there without a part, so that what an older one said is void (F9)."""
    (fact,) = facts_of(text)
    return fact.kind == "document.renewed" and fact.address == Address() and fact.body.document == fact.document


def nets(facts):
    return {fact.address.keys: fact.body.net.minor for fact in facts}
