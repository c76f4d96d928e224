"""UBL documents to facts: what each rule says, and what any bytes may do."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts_schema.errors import MessageError, Unreadable
from contracts_schema.facts import Address, Fact
from contracts_schema.money import Money
from contracts_schema.records import Record, Source
from mappers.supplier_portal.ubl import normalise_key, translate

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


@pytest.mark.parametrize(("code", "minor"), [("380", 10000), ("384", 10000), ("381", -10000), ("81", -10000)])
def test_the_type_of_an_invoice_decides_whether_it_credits(code, minor):
    typed = f"<cbc:InvoiceTypeCode>{code}</cbc:InvoiceTypeCode>{ORDER}"
    assert facts_of(an_invoice(head=typed))[0].body.net.minor == minor


def test_a_negative_invoice_credits_by_its_sign():
    (fact,) = facts_of(an_invoice(net="-100.00"))
    assert fact.body.net.minor == -10000


def test_a_negative_invoice_of_a_credit_type_is_read_in_neither_way():
    typed = f"<cbc:InvoiceTypeCode>381</cbc:InvoiceTypeCode>{ORDER}"
    assert "is open" in refusal_of(an_invoice(head=typed, net="-100.00")).sentence


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


# Where it belongs (§3.5, F3)


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


# Deliveries, receipts, order responses


def a_despatch(*lines, date="<cbc:ActualDeliveryDate>2026-03-02</cbc:ActualDeliveryDate>"):
    shipment = f"<cac:Shipment><cac:Delivery>{date}</cac:Delivery></cac:Shipment>"
    head = f"<cbc:ID>D-1</cbc:ID><cbc:IssueDate>2026-03-01</cbc:IssueDate>{ORDER}"
    return a_document("DespatchAdvice", head + shipment + "".join(lines))


def a_quantity_line(tag, line, *quantities, more=""):
    inside = "".join(f'<cbc:{name} unitCode="{unit}">{text}</cbc:{name}>' for name, text, unit in quantities)
    return f"<cac:{tag}>{inside}{a_reference(line)}{more}</cac:{tag}>"


def test_a_despatch_claims_a_delivery_per_order_line():
    lines = [a_quantity_line("DespatchLine", "1", ("DeliveredQuantity", text, "C62")) for text in ("4", "1.50")]
    (fact,) = facts_of(a_despatch(*lines))
    assert (fact.body.quantity, fact.body.unit, fact.body.delivered_on) == ("5.5", "C62", date(2026, 3, 2))
    assert fact.body.by is None


def test_quantities_that_add_up_beyond_what_can_be_kept_are_unreadable():
    line = a_quantity_line("DespatchLine", "1", ("DeliveredQuantity", "9" * 15, "C62"))
    assert "too large" in refusal_of(a_despatch(line, line)).sentence


def test_nothing_delivered_is_no_claim():
    assert says_nothing(a_despatch(a_quantity_line("DespatchLine", "1", ("DeliveredQuantity", "0.0", "C62"))))


@pytest.mark.parametrize(
    ("stated", "day"),
    [("<cac:Despatch><cbc:ActualDespatchDate>2026-02-28</cbc:ActualDespatchDate></cac:Despatch>", 28), ("", 1)],
)
def test_the_day_of_despatch_then_of_issue_stands_in_for_that_of_delivery(stated, day):
    (fact,) = facts_of(a_despatch(a_quantity_line("DespatchLine", "1"), date=stated))
    assert fact.body.delivered_on.day == day


def test_a_delivery_more_than_a_day_ahead_is_implausible():
    line = a_quantity_line("DespatchLine", "1")
    ahead = "<cbc:ActualDeliveryDate>2026-03-0{}</cbc:ActualDeliveryDate>"
    assert facts_of(a_despatch(line, date=ahead.format(6)))
    fault = refusal_of(a_despatch(line, date=ahead.format(7)))
    assert "ahead" in fault.sentence
    assert [doubt.scope for doubt in fault.doubts if doubt.document is None] == [None]


def a_receipt(*lines, head=""):
    return a_document(
        "ReceiptAdvice", f"<cbc:ID>R-1</cbc:ID><cbc:IssueDate>2026-03-02</cbc:IssueDate>{ORDER}{head}{''.join(lines)}"
    )


def test_a_receipt_accepts_what_it_does_not_reject():
    line = a_quantity_line("ReceiptLine", "1", ("ReceivedQuantity", "10", "C62"), ("RejectedQuantity", "1.5", "C62"))
    body = facts_of(a_receipt(line))[0].body
    assert (body.received, body.rejected, body.accepted, body.unit) == ("10", "1.5", "8.5", "C62")


def test_what_is_short_of_a_despatch_is_not_what_is_short_of_the_order():
    line = a_quantity_line("ReceiptLine", "1", ("ReceivedQuantity", "6", "C62"), ("ShortQuantity", "4", "C62"))
    assert facts_of(a_receipt(line))[0].body.short == "4"
    assert facts_of(a_receipt(line, head="<cac:DespatchDocumentReference/>"))[0].body.short is None


@pytest.mark.parametrize(
    "quantities",
    [
        [("RejectedQuantity", "1", "C62")],
        [("ReceivedQuantity", "1", "")],
        [("ReceivedQuantity", "1", "C62"), ("RejectedQuantity", "1", "MTR")],
        [("ReceivedQuantity", "1", "C62"), ("RejectedQuantity", "2", "C62")],
        [("ReceivedQuantity", "-1", "C62")],
    ],
)
def test_receipts_that_do_not_add_up_are_unreadable(quantities):
    assert refusal_of(a_receipt(a_quantity_line("ReceiptLine", "1", *quantities))).doubts


def a_response(code, *lines, period=""):
    head = f"<cbc:ID>A-1</cbc:ID><cbc:OrderResponseCode>{code}</cbc:OrderResponseCode>{ORDER}"
    return a_document("OrderResponse", f"{head}<cac:Delivery>{period}</cac:Delivery>{''.join(lines)}")


def a_period(kind, end):
    return f"<cac:{kind}DeliveryPeriod><cbc:EndDate>{end}</cbc:EndDate></cac:{kind}DeliveryPeriod>"


def an_answered_line(number, end, status="5", reference=""):
    item = f"<cbc:ID>{number}</cbc:ID><cbc:LineStatusCode>{status}</cbc:LineStatusCode>"
    delivery = f"<cac:Delivery>{a_period('Promised', end)}</cac:Delivery>"
    return f"<cac:OrderLine><cac:LineItem>{item}{delivery}</cac:LineItem>{reference}</cac:OrderLine>"


def test_a_promised_day_is_a_forecast_under_its_own_line_alone():
    lines = [an_answered_line("9", "2026-12-18", reference=a_reference("1")), an_answered_line("2", "2026-12-01", "7")]
    facts = facts_of(a_response("CA", *lines, period=a_period("Promised", "2026-12-20")))
    assert {fact.address.keys: fact.body.forecast.day for fact in facts} == {("order:PO-1",): 20, ("order:PO-1/1",): 18}


def test_a_rejected_order_promises_nothing():
    assert says_nothing(a_response("RE", an_answered_line("1", "2026-12-18")))


def test_the_buyers_wish_is_a_promise_only_where_the_order_is_accepted():
    wish = a_period("Requested", "2026-12-20")
    assert says_nothing(a_response("AB", period=wish))
    assert len(facts_of(a_response("AP", period=wish))) == 1


# What is no such document


def test_other_ubl_documents_carry_no_fact():
    assert facts_of(a_document("ApplicationResponse", "<cbc:ID>1</cbc:ID>")) == ()


@pytest.mark.parametrize("value", [None, b"", b"{}", b"<a/>", b"\x00\xff", b"<Invoice/>"])
def test_what_is_no_ubl_document_is_unreadable_without_doubts(value):
    assert refusal_of(value).doubts == ()


def test_an_envelope_is_opened_and_must_hold_one_document():
    name = "StandardBusinessDocument"
    header = f'<s:{name} xmlns:s="http://www.unece.org/cefact/namespaces/{name}Header"><s:{name}Header/>'
    envelope = f"{header}{{}}</s:{name}>"
    assert facts_of(envelope.format(an_invoice())) == facts_of(an_invoice())
    assert "not one" in refusal_of(envelope.format(an_invoice() * 2)).sentence


# Crosswalk keys (B5)


@pytest.mark.parametrize(
    ("written", "key"),
    [
        (" order:PO%2f7/ 1 ", "order:PO%2F7/1"),
        ("contract:100%25", "contract:100%25"),
        ("buyer-reference:Mu\u0308nchen", "buyer-reference:M\u00fcnchen"),
        ("project:A:B", "project:A:B"),
    ],
)
def test_crosswalk_keys_are_normalised_as_documents_are(written, key):
    assert normalise_key(written) == key
    assert normalise_key(key) == key


@pytest.mark.parametrize(
    "written",
    ["", "order", "order:", "order:1/2/3", "contract:A/1", "issue:1", "order:NA", "order:5%", "order:/1", "order:\x00"],
)
def test_what_no_document_can_bear_is_no_key(written):
    with pytest.raises(ValueError):
        normalise_key(written)


# Any bytes (law 9)

SOME_AMOUNT = st.one_of(
    st.decimals(-(10**6), 10**6, places=2).map(str), st.sampled_from(["", "NA", "1e3", "x", ".5", "0.005", "9" * 30])
)
SOME_NAME = st.sampled_from(["", "1", "2", "PO-1", "PO/2", "NA", "50", "x" * 301, "5%"])
SOME_LINE = st.builds(
    lambda net, line, order, tag: a_line(net, a_reference(line, order), tag=tag),
    SOME_AMOUNT, SOME_NAME, SOME_NAME, st.sampled_from(["InvoiceLine", "CreditNoteLine"]),
)  # fmt: skip
SOME_INVOICE = st.builds(
    lambda lines, net, kind, order: an_invoice(
        *lines, net=net, kind=kind, head=f"<cac:OrderReference><cbc:ID>{order}</cbc:ID></cac:OrderReference>"
    ),
    st.lists(SOME_LINE, max_size=5), SOME_AMOUNT, st.sampled_from(["Invoice", "CreditNote"]), SOME_NAME,
)  # fmt: skip


def answer(value):
    try:
        return facts_of(value)
    except MessageError:
        return ()


@given(SOME_INVOICE)
@settings(deadline=None)
def test_the_parts_of_any_readable_invoice_add_up_to_its_net(text):
    facts = answer(text)
    if facts:
        assert sum(fact.body.net.minor for fact in facts) == facts[0].body.total.minor
    assert len({fact.id for fact in facts}) == len({fact.address for fact in facts}) == len(facts)


@given(st.binary(max_size=400))
@settings(deadline=None)
def test_any_bytes_are_answered(value):
    answer(value)


@given(SOME_INVOICE, st.integers(0, 5000), st.binary(min_size=1, max_size=6))
@settings(deadline=None)
def test_any_broken_invoice_is_answered(text, at, noise):
    whole = text.encode()
    answer(whole[: at % len(whole)] + noise + whole[at % len(whole) :])
    answer(whole[: at % len(whole)])
