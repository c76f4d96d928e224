"""UBL invoices and credit notes: what they add up to, who supplies, and where they belong."""

from datetime import date

import pytest
from ubl_texts import (
    NOON,
    ORDER,
    SUPPLIER,
    a_line,
    a_reference,
    amount,
    an_invoice,
    facts_of,
    nets,
    only_of_the_document,
    refusal_of,
)

from contracts_schema.money import Money

# What an invoice adds up to (F4)


def test_lines_to_one_order_line_are_summed_and_the_rest_is_one_more_fact():
    facts = facts_of(
        an_invoice(a_line("60.00", a_reference("1")), a_line("-5.00", a_reference("1")), a_line("20.00"), net="80.00")
    )
    assert nets(facts) == {("order:PO-1/1", "order:PO-1"): 5500, ("order:PO-1",): 2500}
    assert {fact.body.total for fact in facts} == {Money(8000, "EUR")}
    assert {fact.body.gross for fact in facts} == {None}


def test_a_rest_may_be_negative_and_none_of_zero_is_stated():
    line = a_line("100.00", a_reference("1"))
    assert nets(facts_of(an_invoice(line, net="90.00")))[("order:PO-1",)] == -1000
    assert list(nets(facts_of(an_invoice(line, net="100.00")))) == [("order:PO-1/1", "order:PO-1")]


def test_an_invoice_of_zero_is_still_one_fact():
    assert nets(facts_of(an_invoice(net="0.00"))) == {("order:PO-1",): 0}


def test_the_gross_is_told_where_the_document_is_one_fact():
    (fact,) = facts_of(an_invoice(totals=amount("TaxInclusiveAmount", "119.00")))
    assert fact.body.gross == Money(11900, "EUR")


def test_without_the_net_the_payable_amount_is_no_substitute():
    fault = refusal_of(an_invoice(a_line("9.00", a_reference("2")), net=None, totals=amount("PayableAmount", "9.00")))
    assert "TaxExclusiveAmount is missing" in fault.sentence
    assert [doubt.address.keys for doubt in fault.doubts if doubt.document is None] == [("order:PO-1/2", "order:PO-1")]


def test_a_document_that_states_neither_net_nor_currency_is_told_to_state_the_net():
    assert "TaxExclusiveAmount is missing" in refusal_of(an_invoice(net=None, code=None)).sentence


def test_a_total_that_is_the_tax_by_its_national_customization_is_no_net():
    custom = "<cbc:CustomizationID>{}</cbc:CustomizationID>" + ORDER
    assert "OIOUBL 2 states the tax" in refusal_of(an_invoice(head=custom.format("OIOUBL-2.1"))).sentence
    assert facts_of(an_invoice(head=custom.format("urn:cen.eu:en16931:2017")))


@pytest.mark.parametrize(
    ("invoice", "element"),
    [
        (an_invoice(net="1,00"), "cac:LegalMonetaryTotal/cbc:TaxExclusiveAmount: '1,00' is no number"),
        (an_invoice(a_line("7-", a_reference("1"))), "cbc:LineExtensionAmount: '7-' is no number"),
        (an_invoice(code="NRK"), "cbc:DocumentCurrencyCode: currency 'NRK'"),
        (an_invoice().replace("2026-03-01", "01.03.2026"), "cbc:IssueDate: '01.03.2026' is no date"),
    ],
)
def test_a_value_that_cannot_be_read_is_told_with_its_element(invoice, element):
    assert element in refusal_of(invoice).sentence


@pytest.mark.parametrize(
    ("written", "minor"),
    [("489.37500000000006", 48938), ("0.005", 1), ("-0.005", -1), (".5", 50), ("5.", 500), ("+7", 700)],
)
def test_vendor_decimals_are_rounded_half_up_to_the_currency(written, minor):
    assert nets(facts_of(an_invoice(net=written))) == {("order:PO-1",): minor}


@pytest.mark.parametrize("written", ["NaN", "1,00", "1 000", "1_0", "\uff11", ".", "-", "9" * 20, "1e400"])
def test_what_is_no_decimal_is_no_amount(written):
    assert refusal_of(an_invoice(net=written)).doubts


def test_a_line_of_an_order_line_without_an_amount_is_unreadable():
    fault = refusal_of(an_invoice(f"<cac:InvoiceLine>{a_reference('1')}</cac:InvoiceLine>"))
    assert "LineExtensionAmount is missing" in fault.sentence


def test_what_is_wrong_with_a_line_is_told_with_its_number():
    wrong = a_line("1,50", a_reference("1")).replace("<cac:InvoiceLine>", "<cac:InvoiceLine><cbc:ID>7</cbc:ID>")
    sentence = "UBL Invoice: InvoiceLine '7': cbc:LineExtensionAmount: '1,50' is no number"
    assert refusal_of(an_invoice(a_line("1.00", a_reference("1")), wrong)).sentence == sentence
    nameless = refusal_of(an_invoice(a_line("1.00", a_reference("1"), currency="USD"))).sentence
    assert "InvoiceLine without a number: cbc:LineExtensionAmount is in 'USD'" in nameless


def test_lines_that_add_up_beyond_any_amount_are_unreadable():
    huge = a_line("9" * 15, a_reference("1"))
    assert "can hold" in refusal_of(an_invoice(huge, huge, net="1.00")).sentence


# Currency


def test_the_currency_is_the_documents_and_amounts_must_agree():
    assert "is in 'USD'" in refusal_of(an_invoice(a_line("1.00", a_reference("1"), currency="USD"))).sentence
    assert facts_of(an_invoice(code=None))[0].body.net.currency == "EUR"
    assert "ISO 4217" in refusal_of(an_invoice(code="XBB")).sentence


def test_a_net_stated_twice_and_differently_is_unreadable():
    assert "differently" in refusal_of(an_invoice(totals=amount("TaxExclusiveAmount", "99.00"))).sentence


# What credits


def test_a_credit_note_gives_back_and_names_what_it_credits():
    billing = "<cac:BillingReference><cac:InvoiceDocumentReference><cbc:ID>I-0</cbc:ID></cac:InvoiceDocumentReference>"
    (fact,) = facts_of(an_invoice(head=f"{ORDER}{billing}</cac:BillingReference>", kind="CreditNote"))
    assert (fact.body.net, fact.body.total) == (Money(-10000, "EUR"), Money(-10000, "EUR"))
    assert fact.body.credits == ("I-0",)
    assert fact.document == "credit-note:SUP-1001/I-1"


def test_a_self_billed_credit_note_names_the_self_billed_invoices_that_it_credits():
    credited = "<cac:SelfBilledInvoiceDocumentReference><cbc:ID>I-0</cbc:ID></cac:SelfBilledInvoiceDocumentReference>"
    head = f"{ORDER}<cac:BillingReference>{credited}</cac:BillingReference>"
    (fact,) = facts_of(an_invoice(head=head, kind="SelfBilledCreditNote"))
    assert fact.body.credits == ("I-0",)


@pytest.mark.parametrize(
    ("code", "minor"),
    [("380", 10000), ("384", 10000), ("381", -10000), ("81", -10000), ("502", -10000), ("503", -10000)],
)
def test_the_type_of_an_invoice_decides_whether_it_credits(code, minor):
    typed = f"<cbc:InvoiceTypeCode>{code}</cbc:InvoiceTypeCode>{ORDER}"
    assert facts_of(an_invoice(head=typed))[0].body.net.minor == minor


def test_a_negative_invoice_credits_by_its_sign():
    (fact,) = facts_of(an_invoice(net="-100.00"))
    assert fact.body.net.minor == -10000


def test_a_credit_note_below_zero_is_read_in_neither_way():
    typed = f"<cbc:InvoiceTypeCode>381</cbc:InvoiceTypeCode>{ORDER}"
    assert "InvoiceTypeCode 381 says credit note" in refusal_of(an_invoice(head=typed, net="-100.00")).sentence
    assert "CreditNote says credit note" in refusal_of(an_invoice(kind="CreditNote", net="-100.00")).sentence


def test_a_pro_forma_invoice_claims_nothing():
    assert facts_of(an_invoice(head=f"<cbc:InvoiceTypeCode>325</cbc:InvoiceTypeCode>{ORDER}")) == ()


# Who supplies


def test_every_identifier_of_the_supplier_is_kept_and_shared_remarks_are_not():
    tax = "<cac:PartyTaxScheme><cbc:CompanyID>{}</cbc:CompanyID></cac:PartyTaxScheme>"
    legal = "<cac:PartyLegalEntity><cbc:CompanyID>HRB 9</cbc:CompanyID></cac:PartyLegalEntity>"
    party = (
        f"<cbc:EndpointID>730</cbc:EndpointID>{tax.format('Foretaksregisteret')}{tax.format('DE1')}{legal}{SUPPLIER}"
    )
    (fact,) = facts_of(an_invoice(supplier=party))
    assert fact.body.supplier == "SUP-1001"
    assert fact.body.supplier_identifiers == ("SUP-1001", "HRB 9", "DE1", "730")


def test_an_invoice_of_nobody_is_unreadable():
    assert "no identifier" in refusal_of(an_invoice(supplier="")).sentence


def test_what_every_fact_repeats_is_bounded():
    many = "".join(f"<cac:PartyIdentification><cbc:ID>{n}</cbc:ID></cac:PartyIdentification>" for n in range(21))
    assert "more than 20 identifiers" in refusal_of(an_invoice(supplier=many)).sentence


# Where it belongs (F3)


def test_keys_go_from_the_line_to_the_buyers_reference():
    head = (
        f"<cbc:BuyerReference>HALL</cbc:BuyerReference>{ORDER}"
        "<cac:ContractDocumentReference><cbc:ID>C-1</cbc:ID></cac:ContractDocumentReference>"
        "<cac:ProjectReference><cbc:ID>P-1</cbc:ID></cac:ProjectReference>"
    )
    (fact,) = facts_of(an_invoice(a_line("100.00", a_reference("3")), head=head))
    assert fact.address.keys == ("order:PO-1/3", "order:PO-1", "contract:C-1", "project:P-1", "buyer-reference:HALL")


@pytest.mark.parametrize("nothing", ["NA", "N/A", "n/a", "-", "", "  \n "])
def test_values_that_mean_nothing_are_absent(nothing):
    order = f"<cac:OrderReference><cbc:ID>{nothing}</cbc:ID></cac:OrderReference>"
    head = f"<cbc:BuyerReference>HALL</cbc:BuyerReference>{order}"
    (fact,) = facts_of(an_invoice(a_line("100.00", a_reference("1")), head=head))
    assert fact.address.keys == ("buyer-reference:HALL",)


def test_the_order_named_at_the_line_goes_before_the_headers():
    (fact,) = facts_of(an_invoice(a_line("100.00", a_reference("1", "PO-2"))))
    assert fact.address.keys == ("order:PO-2/1", "order:PO-2")


def test_a_line_that_names_two_order_lines_belongs_to_neither():
    assert nets(facts_of(an_invoice(a_line("100.00", a_reference("1"), a_reference("2"))))) == {("order:PO-1",): 10000}


def test_slashes_and_percent_signs_are_encoded():
    (fact,) = facts_of(an_invoice(a_line("100.00", a_reference("5%", "PO/7"))))
    assert fact.address.keys == ("order:PO%2F7/5%25", "order:PO%2F7")


def test_a_credit_notes_project_is_a_document_reference_of_type_50():
    other = "<cac:AdditionalDocumentReference><cbc:ID>{}</cbc:ID><cbc:DocumentTypeCode>{}</cbc:DocumentTypeCode>"
    head = "".join(f"{other.format(*pair)}</cac:AdditionalDocumentReference>" for pair in (("M", 130), ("P-1", 50)))
    assert facts_of(an_invoice(head=head, kind="CreditNote"))[0].address.keys == ("project:P-1",)
    assert only_of_the_document(refusal_of(an_invoice(head=head)))


def test_without_any_reference_it_is_unreadable_and_says_which_would_do():
    fault = refusal_of(an_invoice(head=""))
    assert "OrderReference/ID" in fault.sentence
    assert "BuyerReference" in fault.sentence
    assert only_of_the_document(fault)


def test_a_part_without_a_key_makes_the_document_unreadable_and_doubts_the_others():
    fault = refusal_of(an_invoice(a_line("90.00", a_reference("1", "PO-2")), head=""))
    assert [doubt.address.keys for doubt in fault.doubts if doubt.document is None] == [("order:PO-2/1", "order:PO-2")]


def test_an_unreadable_header_reference_leaves_the_others_in_doubt():
    fault = refusal_of(an_invoice(head=f"<cbc:BuyerReference>{'x' * 400}</cbc:BuyerReference>{ORDER}"))
    assert "cbc:BuyerReference is longer" in fault.sentence
    assert [doubt.address.keys for doubt in fault.doubts if doubt.document is None] == [("order:PO-1",)]


def test_only_what_stands_at_its_proper_place_counts():
    hidden = "<cac:Wrapper><cac:OrderReference><cbc:ID>PO-9</cbc:ID></cac:OrderReference></cac:Wrapper>"
    assert facts_of(an_invoice(head=hidden + ORDER))[0].address.keys == ("order:PO-1",)


def test_a_comment_does_not_cut_a_number_in_two():
    assert facts_of(an_invoice(number="I-1<!-- x -->23"))[0].body.number == "I-123"


# Ids, time and document (F8, F9)


def test_the_same_record_has_the_same_ids_and_two_parts_or_times_differ():
    """There and back again is three events, of which the newest counts; the record's time is all there is (F8)."""
    text = an_invoice(a_line("60.00", a_reference("1")))
    first, again, later = facts_of(text), facts_of(text), facts_of(text, at=NOON + 5000)
    assert first == again
    assert len({fact.id for fact in (*first, *later)}) == 4
    assert {fact.document for fact in first} == {"invoice:SUP-1001/I-1"}


def test_facts_are_unnumbered_and_bear_the_records_time():
    (fact,) = facts_of(an_invoice())
    assert (fact.version, fact.time) == (None, NOON * 1000)
    assert fact.body.issued_on == date(2026, 3, 1)


def test_an_at_sign_in_a_number_does_not_date_the_document():
    assert facts_of(an_invoice(number="I@2026"))[0].document == "invoice:SUP-1001/I%402026"


def test_a_long_document_identity_is_shortened_by_its_hash():
    (fact,) = facts_of(an_invoice(number="9" * 290))
    assert len(fact.id) < 140
