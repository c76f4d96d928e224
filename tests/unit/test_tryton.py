"""Tryton: orders, project work, records and keys, and any bytes at all."""

import copy
import json
from datetime import date

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutated import mutations
from tryton_things import (
    EACH,
    UNIT,
    a_line,
    a_move,
    a_payable,
    a_payment,
    a_press,
    an_invoice,
    an_order,
    at,
    day,
    decimal,
    facts,
    micros,
    only,
    placed,
    refused,
)

from contracts_schema.errors import MessageError
from contracts_schema.facts import Assessed, Fact, GoodsReceived, InvoiceReceived, ValueAgreed
from contracts_schema.money import Money
from mappers.erp import tryton

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


def test_a_jsonrpc_answer_of_tryton_6_has_lines_and_moves_beside_their_numbers():
    move = {key: value for key, value in a_move().items() if key != "unit"} | {"uom": 1, "uom.": UNIT}
    order = an_order(line={"moves": [1], "moves.": [move], "unit": 1, "unit.": UNIT})
    answer = {"id": 2, "result": [order | {"lines": [1], "lines.": order["lines"]}]}
    assert only(answer, GoodsReceived).body.received == "1"


def test_an_order_of_which_only_the_numbers_of_its_lines_were_read_says_nothing():
    assert facts(an_order() | {"lines": [1, 2]}) == []
    assert [fact.kind for fact in facts(an_order() | {"lines": []})] == ["document.renewed"]


def test_an_error_of_jsonrpc_is_no_object_with_the_number_of_its_question():
    error = refused({"id": 1, "error": ["UserError", ["not allowed", ""]]}, milepost_kind="project.work")
    assert "with an error" in error.sentence
    assert error.doubts == ()


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
