"""UBL despatches, receipts and order responses."""

from datetime import date

import pytest
from ubl_texts import ORDER, a_document, a_reference, facts_of, refusal_of, says_nothing

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


@pytest.mark.parametrize("stated", ["<cbc:DocumentStatusCode>1", "<cbc:DespatchAdviceTypeCode>4"])
def test_a_despatch_that_is_cancelled_or_sends_goods_back_claims_nothing(stated):
    line = a_quantity_line("DespatchLine", "1", ("DeliveredQuantity", "4", "C62"))
    code = f"{stated}</{stated[1:-2]}>"
    assert says_nothing(a_despatch(line).replace("<cbc:IssueDate>", f"{code}<cbc:IssueDate>"))


@pytest.mark.parametrize("stated", ["<cbc:DocumentStatusCode>1", "<cbc:ReceiptAdviceTypeCode>D"])
def test_a_receipt_that_is_cancelled_or_answers_a_despatch_counts_nothing(stated):
    line = a_quantity_line("ReceiptLine", "1", ("ReceivedQuantity", "4", "C62"))
    assert says_nothing(a_receipt(line, head=f"{stated}</{stated[1:-2]}>"))


def test_an_answer_to_a_despatch_needs_no_quantities():
    head = "<cbc:ReceiptAdviceTypeCode>{}</cbc:ReceiptAdviceTypeCode>"
    assert says_nothing(a_receipt(a_quantity_line("ReceiptLine", "1"), head=head.format("D")))
    assert (
        "how much came in" in refusal_of(a_receipt(a_quantity_line("ReceiptLine", "1"), head=head.format("S"))).sentence
    )


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


@pytest.mark.parametrize("code", ["RE", "27"])
def test_a_rejected_order_promises_nothing(code):
    assert says_nothing(a_response(code, an_answered_line("1", "2026-12-18")))


@pytest.mark.parametrize(("code", "promises"), [("AB", 0), ("CA", 0), ("30", 0), ("AP", 1), ("29", 1)])
def test_the_buyers_wish_is_a_promise_only_where_the_order_is_accepted(code, promises):
    response = a_response(code, period=a_period("Requested", "2026-12-20"))
    assert len(facts_of(response)) == 1 if promises else says_nothing(response)
