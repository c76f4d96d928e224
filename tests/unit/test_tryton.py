import copy
import json
from datetime import UTC, date, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutated import mutations

from contracts_schema.errors import MessageError, Unreadable
from contracts_schema.facts import (
    Address,
    Assessed,
    Fact,
    GoodsReceived,
    HoldObserved,
    InvoiceReceived,
    PaymentMade,
    ValueAgreed,
)
from contracts_schema.money import Money
from contracts_schema.records import Record, Source
from mappers.erp import tryton

ERP = Source("erp-eu", "tryton", "erp", "erp.events", timezone="Europe/Berlin")
EACH = {"currency": {"code": "EUR"}, "party": {"code": "SUP-1001"}}
UNIT = {"id": 1, "symbol": "u"}


def decimal(text):
    return {"__class__": "Decimal", "decimal": text}


def day(year, month, number):
    return {"__class__": "date", "year": year, "month": month, "day": number}


def at(number, hour=8, microsecond=0):
    return {"__class__": "datetime", "year": 2026, "month": 11, "day": number, "hour": hour, "minute": 0, "second": 0,
            "microsecond": microsecond}  # fmt: skip


def micros(number, hour=8, microsecond=0):
    return int(datetime(2026, 11, number, hour, tzinfo=UTC).timestamp()) * 1_000_000 + microsecond


def placed(error):
    """Where there is doubt, but for those about a document as a whole."""
    return [doubt.address.keys for doubt in error.doubts if doubt.document is None]


def a_move(number=1, **fields):
    move = {"id": number, "state": "done", "origin": "purchase.line,1", "quantity": 1.0, "unit": UNIT}
    dates = {"effective_date": day(2026, 11, 20), "planned_date": day(2027, 2, 20), "create_date": at(20)}
    return move | dates | fields


def an_order(*moves, line=None, **fields):
    lines = [
        {"id": 1, "quantity": 4.0, "unit": UNIT, "amount": decimal("1000.00"), "moves": list(moves)} | (line or {})
    ]
    return {"__name__": "purchase.purchase", "id": 7, "number": "1", "state": "processing", "create_date": at(10),
            "write_date": at(12), "lines": lines} | EACH | fields  # fmt: skip


def an_invoice(*lines, **fields):
    return {"__name__": "account.invoice", "id": 2, "type": "in", "state": "posted", "reference": "INV-1",
            "invoice_date": day(2026, 11, 22), "untaxed_amount": decimal("1000.00"), "write_date": at(22),
            "lines": list(lines) or [a_line(1, "1000.00")]} | EACH | fields  # fmt: skip


def a_line(order_line, amount, **fields):
    return {"id": 9, "origin": order_line and f"purchase.line,{order_line}", "amount": decimal(amount)} | fields


def facts(thing, kind=None, source=ERP, **headers):
    value = thing if isinstance(thing, bytes) else json.dumps(thing).encode()
    encoded = tuple((name.replace("_", "-"), text.encode()) for name, text in headers.items())
    found = tryton.translate(Record("erp.events", 0, 0, 1_795_996_800_000, None, encoded, value), source)
    return [fact for fact in found if kind is None or isinstance(fact.body, kind)]


def only(thing, kind, **headers):
    (fact,) = facts(thing, kind, **headers)
    return fact


def refused(thing, **headers):
    with pytest.raises(Unreadable) as caught:
        facts(thing, **headers)
    return caught.value


# orders


def test_receipts_are_the_done_moves_of_the_order_line():
    order = an_order(a_move(1), a_move(2, quantity=0.5), a_move(3, state="draft"), a_move(4, state="cancelled"))
    body = only(order, GoodsReceived).body
    assert (body.ordered, body.received, body.accepted, body.rejected, body.unit) == ("4", "1.5", "1.5", "0", "u")


def test_the_move_from_dock_to_store_is_no_second_receipt():
    order = an_order(a_move(1), a_move(2, origin="stock.shipment.in,1"), a_move(3, origin="purchase.line,2"))
    assert only(order, GoodsReceived).body.received == "1"


def test_goods_sent_back_are_rejected():
    back = a_move(2, to_location={"type": "supplier"}, effective_date=day(2026, 11, 24))
    body = only(an_order(a_move(1, quantity=3.0), back), GoodsReceived).body
    assert (body.received, body.accepted, body.rejected, body.received_on) == ("3", "2", "1", date(2026, 11, 24))


def test_moves_that_were_not_read_are_not_nothing_received():
    order = an_order()
    del order["lines"][0]["moves"]
    assert not facts(order, GoodsReceived)
    assert not facts(an_order(line={"moves": [4, 5]}), GoodsReceived)
    assert only(an_order(), GoodsReceived).body.received == "0"


def test_a_service_line_says_nothing_of_receipts():
    assert not facts(an_order(line={"movable": 0}), GoodsReceived)
    assert not facts(an_order(line={"product": {"id": 1, "type": "service"}}), GoodsReceived)
    assert not facts(an_order(line={"quantity": -1.0}), GoodsReceived)


def test_a_move_in_another_unit_is_unreadable_and_puts_the_lines_in_doubt():
    error = refused(an_order(a_move(1, unit={"id": 2, "symbol": "kg"})))
    assert placed(error) == [("purchase.line:1", "purchase:1")]
    assert error.doubts[0].time == micros(20)


def test_quantities_never_come_from_a_float_sum():
    body = only(an_order(*[a_move(n, quantity=0.1) for n in range(1, 4)]), GoodsReceived).body
    assert body.received == "0.3"


def test_the_time_is_the_latest_over_all_that_was_read():
    order = an_order(a_move(1, write_date=at(21, microsecond=5)))
    assert {fact.time for fact in facts(order)} == {micros(21, microsecond=5)}


def test_an_order_says_what_each_line_is_worth_under_its_own_key_first():
    fact = only(an_order(number="PO/7"), ValueAgreed)
    assert fact.address.keys == ("purchase.line:1", "purchase:PO%2F7")
    assert fact.body.value == Money(100000, "EUR")
    assert fact.document == "purchase.purchase:7"


@pytest.mark.parametrize("state", ["draft", "quotation", "cancelled"])
def test_an_order_that_does_not_stand_agrees_on_nothing(state):
    assert only(an_order(state=state), ValueAgreed).body.value == Money(0, "EUR")


def test_an_order_in_a_state_of_its_own_is_unreadable():
    assert "state 'parked'" in refused(an_order(state="parked")).sentence


def test_titles_and_subtotals_are_no_order_lines():
    order = an_order()
    order["lines"] += [
        {"id": 2, "type": "subtotal", "amount": decimal("1000.00"), "quantity": None},
        {"id": 3, "type": "title"},
    ]
    assert len(facts(order, ValueAgreed)) == 1


def test_the_forecast_is_the_last_planned_day_of_what_is_still_to_come():
    order = an_order(a_move(1), a_move(2, state="draft", planned_date=day(2027, 3, 1)), a_move(3, state="assigned"))
    (fact,) = [fact for fact in facts(order) if fact.kind == "milestone.scheduled"]
    assert fact.address.keys == ("purchase.line:1",)
    assert fact.body.forecast == date(2027, 3, 1)
    assert fact.body.due is msgspec.UNSET


# invoices


def test_the_facts_of_an_invoice_add_up_exactly_to_its_net_total():
    invoice = an_invoice(
        a_line(1, "489.37500000000006"), a_line(1, "10.00"), a_line(2, "300.00"), a_line(None, "200.62")
    )
    found = facts(invoice, InvoiceReceived)
    assert [fact.body.net.minor for fact in found] == [49938, 30000, 20062]
    assert {fact.body.total for fact in found} == {Money(100000, "EUR")}
    assert [fact.address.keys[0] for fact in found] == ["purchase.line:1", "purchase.line:2", "account.invoice:2"]
    assert all(fact.body.gross is None for fact in found)


def test_the_gate_finds_every_fact_of_an_invoice_by_its_own_key():
    found = facts(an_invoice(a_line(1, "600.00"), a_line(None, "400.00")), InvoiceReceived)
    assert [fact.address.keys[-1] for fact in found] == ["account.invoice:2"] * 2


def test_an_invoice_of_two_orders_is_not_guessed_to_be_of_one():
    orders = [{"id": 7, "number": "1", "lines": [1]}, {"id": 8, "number": "2", "lines": [2, {"id": 3}]}]
    invoice = an_invoice(a_line(1, "1.00"), a_line(3, "2.00"), a_line(4, "3.00"), purchases=orders)
    assert [fact.address.keys for fact in facts(invoice)] == [
        ("purchase.line:1", "purchase:1", "account.invoice:2"),
        ("purchase.line:3", "purchase:2", "account.invoice:2"),
        ("purchase.line:4", "account.invoice:2"),
        ("account.invoice:2",),
    ]


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({}, "open"),
        ({"amount_to_pay": decimal("1000.00")}, "open"),
        ({"amount_to_pay": decimal("0.00")}, "paid"),
        ({"state": "paid"}, "paid"),
        ({"state": "cancelled", "amount_to_pay": decimal("0")}, "cancelled"),
    ],
)
def test_the_state_of_an_invoice(fields, state):
    assert only(an_invoice(**fields), InvoiceReceived).body.state == state


@pytest.mark.parametrize("fields", [{"state": "draft"}, {"state": "validated"}, {"deleted": True},
                                    {"state": "cancelled", "reference": None}])  # fmt: skip
def test_what_is_no_invoice_yet_or_any_more_says_that_nothing_said_before_stands(fields):
    (fact,) = facts(an_invoice(**fields))
    assert (fact.kind, fact.address, fact.document) == ("document.renewed", Address(), "account.invoice:2")


def test_an_invoice_to_a_customer_and_an_order_whose_lines_were_not_read_say_nothing():
    assert facts(an_invoice(type="out")) == []
    assert facts(an_order() | {"lines": None}) == []
    assert facts(an_order() | {"lines": []})[0].kind == "document.renewed"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"reference": None}, "no reference"),
        ({"type": None}, "type"),
        ({"state": "odd"}, "state 'odd'"),
        ({"untaxed_amount": None}, "untaxed_amount"),
        ({"currency": None}, "ISO 4217"),
        ({"party": {"id": 3}}, "code"),
        ({"lines": [1, 2]}, "lines"),
        ({"invoice_date": "2026-11-22"}, "tagged date"),
        ({"invoice_date": day(2026, 13, 1)}, "month"),
        ({"id": None}, "no number"),
    ],
)
def test_an_invoice_that_cannot_be_understood_says_why(fields, sentence):
    assert sentence in refused(an_invoice(**fields)).sentence


def test_every_identifier_of_the_supplier_is_told_the_code_first():
    party = {"code": "SUP-1001", "identifiers": [{"code": "DE123456789"}, {"code": " SUP-1001 "}]}
    body = only(an_invoice(party=party, party_tax_identifier={"code": "ATU1"}), InvoiceReceived).body
    assert (body.supplier, body.supplier_identifiers) == ("SUP-1001", ("SUP-1001", "ATU1", "DE123456789"))


def test_a_credit_line_is_told_for_the_order_line_that_was_billed():
    credited = [{"id": 4, "origin": "purchase.line,1", "invoice": {"id": 2, "reference": "INV-1"}}]
    line = a_line(None, "-100.00", origin="account.invoice.line,4")
    note = an_invoice(line, id=5, reference="CN-1", untaxed_amount=decimal("-100.00"), milepost_credited=credited)
    fact = only(note, InvoiceReceived)
    assert fact.address.keys == ("purchase.line:1", "account.invoice:5")
    assert (fact.body.net, fact.body.credits) == (Money(-10000, "EUR"), ("INV-1",))


# blocks and payments


def a_payable(blocked=1, **fields):
    return {"__name__": "account.move.line", "id": 3, "payment_blocked": blocked, "create_date": at(22),
            "write_date": at(24), "milepost_invoice": an_invoice(write_date=at(26))} | fields  # fmt: skip


def a_press(target, user, hour):
    return {"id": hour, "event": "button", "target": target, "user": user, "create_date": at(25, hour)}


def test_a_block_has_the_time_of_its_own_line():
    fact = only(a_payable(milepost_log=[a_press("payment_block", 3, 9)]), HoldObserved)
    assert fact.time == micros(24)
    assert fact.address.keys == ("purchase.line:1", "account.invoice:2", "account.move.line:3")


def test_the_holder_is_who_pressed_the_button_last():
    log = [a_press("payment_unblock", 2, 10), a_press("payment_block", 3, 9), a_press("post", 2, 11)]
    lifted = only(a_payable(0, milepost_log=log, milepost_gate_user=3), HoldObserved).body
    assert (lifted.holder, lifted.held, lifted.by, lifted.invoice) == ("ours", False, "2", "INV-1")
    assert only(a_payable(milepost_log=log[:2]), HoldObserved).body.holder == "other"
    assert only(a_payable(milepost_holder="ours"), HoldObserved).body.holder == "ours"


def test_a_move_line_that_is_no_payable_of_an_invoice_says_nothing():
    assert facts({"__name__": "account.move.line", "id": 3, "payment_blocked": 0, "create_date": at(1)}) == []


def a_payment(state, **fields):
    return {"__name__": "account.payment", "id": 1, "number": "17", "kind": "payable", "state": state,
            "amount": decimal("1000.00"), "date": day(2026, 11, 25), "write_date": at(26),
            "milepost_invoice": an_invoice()} | EACH | fields  # fmt: skip


@pytest.mark.parametrize("state", ["draft", "submitted", "approved"])
def test_a_payment_that_has_not_left_says_nothing(state):
    assert facts(a_payment(state)) == []


def test_money_has_left_when_the_payment_succeeded_and_is_back_when_it_failed():
    assert only(a_payment("succeeded"), PaymentMade).body == PaymentMade(
        payment="17", amount=Money(100000, "EUR"), paid_on=date(2026, 11, 25), invoice="INV-1"
    )
    for state in ("failed", "processing"):
        assert only(a_payment(state), PaymentMade).body.amount == Money(0, "EUR")


def test_a_payment_dated_ahead_was_made_on_the_day_it_was_noted():
    assert only(a_payment("succeeded", date=day(2027, 1, 1)), PaymentMade).body.paid_on == date(2026, 11, 26)


# project work


@pytest.mark.parametrize(
    ("progress", "status", "percent"),
    [(None, "scheduled", None), (0.0, "scheduled", "0"), (0.4, "partiallyMet", "40"), (1, "met", "100")],
)
def test_progress_tells_the_status(progress, status, percent):
    work = {"__name__": "project.work", "id": 2, "progress": progress, "create_date": at(1), "write_date": None}
    fact = only(work, Assessed)
    assert fact.address.keys == ("project.work:2",)
    assert fact.body == Assessed(status=status, percent=percent, met_on=None)
    assert fact.time == micros(1)


def test_a_deleted_task_has_no_word_from_the_moment_it_was_missed():
    gone = {"__name__": "project.work", "id": 2, "deleted": True, "write_date": at(1)}
    fact = only(gone, Assessed, milepost_observed_at="2026-11-27T08:00:00Z")
    assert fact.body.status is None
    assert fact.time == micros(27)


# records


def test_a_stock_move_alone_or_an_unknown_model_is_ignored():
    assert facts(a_move() | {"__name__": "stock.move"}) == []
    assert facts({"id": 1, "code": "SUP-1001"}, milepost_kind="party.party") == []


def test_the_header_names_the_model_where_the_payload_does_not():
    work = {"id": 2, "progress": 1.0, "create_date": at(1)}
    assert facts([work, work | {"id": 3}], milepost_kind="project.work")
    assert "neither" in refused(work).sentence


def test_a_jsonrpc_answer_has_the_party_beside_its_number():
    invoice = an_invoice(party=3, currency=1) | {"party.": EACH["party"], "currency.": EACH["currency"]}
    answer = {"id": 2, "result": [invoice | {"write_date": None, "_timestamp": "1795309950.72981"}]}
    assert only(answer, InvoiceReceived).time == 1795309950729810


def test_there_and_back_again_are_three_events_and_a_repeat_is_none():
    states = [an_order(a_move(1, write_date=at(20, hour), **extra)) for hour, extra in
              ((9, {}), (10, {"state": "cancelled"}), (11, {}), (11, {}))]  # fmt: skip
    ids = [only(state, GoodsReceived).id for state in states]
    assert len(set(ids)) == 3
    assert ids[2] == ids[3]


def test_ids_of_one_record_are_all_different():
    found = facts([an_order(a_move()), an_invoice(), a_payable()])
    assert len({fact.id for fact in found}) == len(found)


def test_one_unreadable_object_puts_the_whole_record_in_doubt():
    error = refused([an_order(), an_invoice(a_line(2, "1000.00"), reference=None)])
    assert [keys[0] for keys in placed(error)] == [
        "purchase.line:1",
        "purchase.line:2",
    ]
    assert len({doubt.id for doubt in error.doubts}) == len(error.doubts) == 4  # one for each document as a whole, too


def test_a_broken_text_still_puts_the_order_lines_it_names_in_doubt():
    text = json.dumps(an_invoice(a_line(1, "600.00"), a_line(2, "400.00"))).encode()
    error = refused(text[:-20])
    assert placed(error) == [
        ("purchase.line:1",),
        ("purchase.line:2",),
    ]


@pytest.mark.parametrize(
    ("key", "normal"),
    [
        ("purchase.line:01", "purchase.line:1"),
        ("project.work:7", "project.work:7"),
        ("purchase: 00010 ", "purchase:00010"),
        ("purchase:PO%2f7", "purchase:PO%2F7"),
        ("purchase:PO/7", "purchase:PO%2F7"),
        ("account.invoice:2", "account.invoice:2"),
    ],
)
def test_a_key_is_normalised(key, normal):
    assert tryton.normalise_key(key) == normal
    assert tryton.normalise_key(normal) == normal


@pytest.mark.parametrize(
    "key", ["", "1", "purchase:", "purchase.line:x", "purchase.line:0", "version:1", "purchase:5%"]
)
def test_what_is_no_key_is_refused(key):
    with pytest.raises(ValueError):
        tryton.normalise_key(key)


THINGS = [
    an_order(a_move(), a_move(2, to_location={"type": "supplier"})),
    an_invoice(a_line(1, "600.00"), a_line(2, "300.00"), purchases=[{"id": 7, "number": "1", "lines": [1, 2]}]),
    an_invoice(a_line(None, "-1.00", origin="account.invoice.line,4"), milepost_credited=[{"id": 4, "origin": "x,1"}]),
    a_payable(milepost_log=[a_press("payment_block", 3, 9)], milepost_gate_user=3),
    a_payment("failed"),
    {"__name__": "project.work", "id": 2, "progress": 0.5, "create_date": at(1)},
    {"__name__": "purchase.line", "purchase": an_order(), **an_order(a_move())["lines"][0]},
]


@given(st.data())
def test_any_payload_gives_facts_or_a_message_error(data):
    thing = mutations(data, copy.deepcopy(data.draw(st.sampled_from(THINGS))))
    try:
        found = facts(thing)
    except MessageError as error:
        assert len(error.sentence) < 500  # noqa: PT017 -- both outcomes are right, and one is looked at
        return
    for fact in found:
        assert msgspec.json.decode(msgspec.json.encode(fact), type=Fact) == fact


@given(st.binary() | st.text().map(str.encode), st.sampled_from([None, *tryton.FIELDS]))
def test_any_bytes_give_facts_or_a_message_error(raw, model):
    try:
        facts(raw, **({"milepost_kind": model} if model else {}))
    except MessageError:
        return
