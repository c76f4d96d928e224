"""Tryton: invoices, blocks of payables, and payments."""

from datetime import date

import pytest
from tryton_things import (
    a_line,
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
    refused,
)

from contracts_schema.facts import Address, HoldObserved, InvoiceReceived, PaymentMade
from contracts_schema.money import Money

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
