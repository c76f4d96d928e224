"""A part that a newer version of its document no longer has is void (rule F9), wherever the document's lines go now."""

from datetime import timedelta

from builders import a_contract, a_milestone, met, micros, registered
from laws.happenings import NAMES
from laws.test_machine import House

from contracts_schema.records import Record


def an_invoice(line):
    """A UBL invoice of 100.00 whose only line is for an order line of PO-1."""
    net = '<cbc:{0} currencyID="EUR">100.00</cbc:{0}>'.format
    party = "<cac:PartyIdentification><cbc:ID>SUP-1</cbc:ID></cac:PartyIdentification>"
    return (
        f'<u:Invoice xmlns:u="{NAMES}Invoice-2" xmlns:cac="{NAMES}CommonAggregateComponents-2" '
        f'xmlns:cbc="{NAMES}CommonBasicComponents-2"><cbc:ID>U-1</cbc:ID><cbc:IssueDate>2026-02-20</cbc:IssueDate>'
        "<cac:OrderReference><cbc:ID>PO-1</cbc:ID></cac:OrderReference>"
        f"<cac:AccountingSupplierParty><cac:Party>{party}</cac:Party></cac:AccountingSupplierParty>"
        f"<cac:LegalMonetaryTotal>{net('TaxExclusiveAmount')}</cac:LegalMonetaryTotal>"
        f"<cac:InvoiceLine>{net('LineExtensionAmount')}<cac:OrderLineReference><cbc:LineID>{line}</cbc:LineID>"
        "</cac:OrderLineReference></cac:InvoiceLine></u:Invoice>"
    ).encode()


def test_a_document_that_no_longer_speaks_of_the_contract_leaves_nothing_behind():
    plan = a_milestone("M1", requires=["invoiced", "met"], refs={"ubl": ["order:PO-1/M1"]})
    story = House().tell(registered(a_contract(plan)))
    for line in ("M1", "M7"):  # of M7 nobody knows
        story.now += timedelta(seconds=1)
        story.carry([Record("ubl.events", 0, 0, micros(story.now) // 1000, None, (), an_invoice(line))])
    assert story.tell(met()).released() == 0
