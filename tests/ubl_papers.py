"""Invoices and credit notes as a supplier's portal sends them: UBL documents, small and real enough to be mapped."""

from builders import micros

from contracts_schema.records import Record

NAMES = "urn:oasis:names:specification:ubl:schema:xsd:"


def a_paper(number="U-1", lines=(("M1", "100.00"),), *, order="PO-1", supplier="SUP-1", coin="EUR", kind="Invoice",
            credited=None, net=None, contract=None):  # fmt: skip
    """A document with a net for each order line; `net` is another total, so that a rest belongs to no line."""

    def money(name, amount):
        return f'<cbc:{name} currencyID="{coin}">{amount}</cbc:{name}>'

    def named(tag, inside):
        return f"<cac:{tag}>{inside}</cac:{tag}>"

    def ids(text):
        return f"<cbc:ID>{text}</cbc:ID>"

    rows = "".join(
        named(f"{kind}Line", money("LineExtensionAmount", amount) + named(
            "OrderLineReference", f"<cbc:LineID>{line}</cbc:LineID>"))
        for line, amount in lines
    )  # fmt: skip
    total = net or f"{sum(round(float(amount) * 100) for _, amount in lines) / 100:.2f}"
    party = named("Party", named("PartyIdentification", ids(supplier)))
    reference = named("BillingReference", named("InvoiceDocumentReference", ids(credited))) if credited else ""
    agreed = named("ContractDocumentReference", ids(contract)) if contract else ""
    return (
        f'<u:{kind} xmlns:u="{NAMES}{kind}-2" xmlns:cac="{NAMES}CommonAggregateComponents-2" '
        f'xmlns:cbc="{NAMES}CommonBasicComponents-2">{ids(number)}<cbc:IssueDate>2026-02-20</cbc:IssueDate>'
        f"<cbc:DocumentCurrencyCode>{coin}</cbc:DocumentCurrencyCode>{named('OrderReference', ids(order))}{reference}"
        f"{agreed}{named('AccountingSupplierParty', party)}"
        f"{named('LegalMonetaryTotal', money('TaxExclusiveAmount', total))}{rows}</u:{kind}>"
    ).encode()


def unreadable(paper):
    """The document without its net, which nothing else can tell (rule F4)."""
    return paper.replace(b"TaxExclusiveAmount", b"PayableAmount")


def sent(paper, at):
    """The record of a document at a moment, which is all the time that it has."""
    return Record("ubl.events", 0, 0, micros(at) // 1000, None, (), paper)
