"""A turbine is bought: the order and its invoices in Tryton, milestones in Redmine, the supplier's bill in UBL."""

import datetime as dt

import yaml

CONTRACT = "C-LIVE-1"
REQUIRES = ["met", "received", "signed_off", "invoiced", "evidence:fat-protocol"]
UNIT_PRICES = {"M1": "118500.00", "M2": "30000.00"}
QUANTITIES = {"M1": 2, "M2": 1}
VALUES = {"M1": "237000.00", "M2": "30000.00"}
UBL = """<?xml version="1.0" encoding="UTF-8"?>
<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"
    xmlns:cac="urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
    xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2">
  <cbc:ID>{number}</cbc:ID>
  <cbc:IssueDate>{issued_on}</cbc:IssueDate>
  <cbc:InvoiceTypeCode>380</cbc:InvoiceTypeCode>
  <cbc:DocumentCurrencyCode>USD</cbc:DocumentCurrencyCode>
  <cac:OrderReference><cbc:ID>{order}</cbc:ID></cac:OrderReference>
  <cac:AccountingSupplierParty><cac:Party>
    <cbc:EndpointID schemeID="9930">DE123456789</cbc:EndpointID>
    <cac:PartyIdentification><cbc:ID>SUP-1001</cbc:ID></cac:PartyIdentification>
  </cac:Party></cac:AccountingSupplierParty>
  <cac:LegalMonetaryTotal>
    <cbc:LineExtensionAmount currencyID="USD">{net}</cbc:LineExtensionAmount>
    <cbc:TaxExclusiveAmount currencyID="USD">{net}</cbc:TaxExclusiveAmount>
    <cbc:PayableAmount currencyID="USD">{net}</cbc:PayableAmount>
  </cac:LegalMonetaryTotal>
  <cac:InvoiceLine>
    <cbc:ID>1</cbc:ID>
    <cbc:InvoicedQuantity unitCode="C62">2</cbc:InvoicedQuantity>
    <cbc:LineExtensionAmount currencyID="USD">{net}</cbc:LineExtensionAmount>
    <cac:OrderLineReference><cbc:LineID>1</cbc:LineID></cac:OrderLineReference>
    <cac:Item><cbc:Name>Turbine rotor</cbc:Name></cac:Item>
  </cac:InvoiceLine>
</Invoice>
"""


def today():
    return dt.datetime.now(dt.UTC).date().isoformat()


class Purchase:
    """One order of two lines, a milestone each, billed before anything is delivered."""

    def __init__(self, tryton, redmine, project):
        self._tryton, self._redmine = tryton, redmine
        goods = {"product": tryton.ids["rotor"], "delivery_date": today()}
        lines = [goods | {"quantity": QUANTITIES[m], "unit_price": UNIT_PRICES[m]} for m in VALUES]
        self.order = tryton.create_purchase(lines, invoice_method="order")
        self.lines = dict(zip(VALUES, self.order["lines"], strict=True))
        self.versions = {m: redmine.create_version(project["id"], m, today())["id"] for m in VALUES}

    def plan(self):
        """The contract's registration, as YAML."""
        supplier = {"id": "SUP-1001", "name": "Siemag Turbines GmbH"}
        return yaml.safe_dump({
            "contract": CONTRACT, "version": 1, "title": "Turbine hall", "buyer": {"id": "BUY-1"}, "supplier": supplier,
            "currency": "USD", "timezone": "Europe/Berlin", "sign_off": {"quorum": 1, "roles": ["site-manager"]},
            "milestones": [self._milestone(number, m) for number, m in enumerate(VALUES, start=1)],
        })  # fmt: skip

    def _milestone(self, number, milestone):
        refs = {
            "erp-eu": [f"purchase.line:{self.lines[milestone]}"],
            "pm": [f"version:{self.versions[milestone]}"],
            "portal": [f"order:{self.order['number']}/{number}"],
        }
        return {
            "id": milestone, "title": f"Turbine, part {number}", "kind": "payment", "value": VALUES[milestone],
            "requires": REQUIRES, "refs": refs,
        }  # fmt: skip

    def bill(self, milestone, number):
        """Post an invoice for one order line under the supplier's number, its other lines put aside for later."""
        self._put_aside_what_does_not_bill(self.lines[milestone])
        return Bill(self._tryton, self._tryton.post_invoice(self.order["id"], number, today(), self.lines[milestone]))

    def bill_in_ubl(self, number):
        """The same invoice for M1 as the supplier's portal sends it."""
        values = {"number": number, "issued_on": today(), "order": self.order["number"], "net": VALUES["M1"]}
        return UBL.format(**values).encode()

    def receive(self, milestone, quantity):
        self._tryton.receive(self.order["id"], {self.lines[milestone]: quantity})

    def close_version(self, milestone):
        self._redmine.update_version(self.versions[milestone], status="closed")

    def _put_aside_what_does_not_bill(self, order_line):
        status, lines = self._tryton.rest("GET", "model/account.invoice.line?f=origin&f=invoice.state")
        assert status == 200, lines
        for line in lines:
            of_this_order = line["origin"] in {f"purchase.line,{other}" for other in self.order["lines"]}
            is_draft = (line["invoice"] or {}).get("state") == "draft"
            if of_this_order and is_draft and line["origin"] != f"purchase.line,{order_line}":
                status, told = self._tryton.rest("DELETE", f"model/account.invoice.line/{line['id']}")
                assert status in (200, 204), told


class Bill:
    """A posted invoice as Tryton itself shows it."""

    def __init__(self, tryton, posted):
        self._tryton, self.payables = tryton, posted["lines_to_pay"]

    def blocked(self):
        """Of each payable line, whether its payment is blocked, and when that was last changed."""
        path = "model/account.move.line/{}?f=payment_blocked&f=write_date"
        shown = [self._tryton.rest("GET", path.format(number))[1] for number in self.payables]
        return [(bool(line["payment_blocked"]), str(line["write_date"])) for line in shown]

    def is_blocked(self):
        return all(blocked for blocked, _ in self.blocked())

    def is_free(self):
        return not any(blocked for blocked, _ in self.blocked())
