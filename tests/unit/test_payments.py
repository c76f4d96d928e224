"""What finance paid, in net: a payment of a taxed invoice counts with its net share, in whatever order it was told."""

from itertools import permutations

import pytest
from builders import Story, a_contract, a_milestone, invoice, met, paid, registered

# Two systems tell of invoice I-1 with different taxes; finance is believed before the portal.
PORTAL = invoice("100.00", gross="119.00")
FINANCE = invoice("100.00", source="ap", gross="125.00")
ORDERS = list(permutations([PORTAL, FINANCE, paid("125.00", invoice="I-1")]))


def told(*events):
    return Story().tell(registered(a_contract(a_milestone(requires=["met", "invoiced"]))), met(), *events)


@pytest.mark.parametrize("events", ORDERS)
def test_the_word_of_the_highest_authority_tells_the_tax_whatever_came_first(events):
    assert told(*events).position().exceptions == ()


@pytest.mark.parametrize("gross", ["119.00", "125.00"])
def test_a_payment_beyond_the_net_released_is_an_exception(gross):
    story = told(invoice("100.00", gross=gross), paid("125.01", invoice=" I-1"))
    assert [str(code) for code in story.position().exceptions] == (["PAID_WHILE_HELD"] if gross == "119.00" else [])


RATES = [
    {"from": "USD", "rate": "0.92", "valid_from": "2026-01-01"},
    {"from": "USD", "rate": "0.50", "valid_from": "2026-03-02"},
]


def in_dollars(payment):
    plan = a_contract(a_milestone(value="92.00", requires=["met", "invoiced"]), rates=RATES)
    story = Story().tell(registered(plan), met(), invoice("100.00", currency="USD", gross="119.00"), payment)
    assert story.released() == 9_200
    return [str(code) for code in story.position().exceptions]


def test_a_payment_in_another_currency_is_worth_what_its_invoice_is():
    on_the_day = {"invoice": "I-1", "currency": "USD", "paid_on": "2026-03-02"}
    assert in_dollars(paid("119.00", **on_the_day)) == []
    assert in_dollars(paid("120.20", **on_the_day)) == ["PAID_WHILE_HELD"]


def test_a_payment_in_another_currency_that_names_no_invoice_has_the_rate_of_its_day():
    assert in_dollars(paid("100.02", currency="USD", paid_on="2026-03-01")) == ["PAID_WHILE_HELD"]
    assert in_dollars(paid("184.00", currency="USD", paid_on="2026-03-02")) == []


@pytest.mark.parametrize(("status", "code"), [("met", "PAID_WHILE_HELD"), ("notMet", "PAID_WITHOUT_RELEASE")])
def test_a_payment_in_a_currency_without_a_rate_was_never_released(status, code):
    story = Story().tell(registered(a_contract(a_milestone(requires=["met"]))), met(status=status))
    assert story.tell(paid("0.00", "P-0", currency="USD")).position().exceptions == ()
    assert [str(x) for x in story.tell(paid("1.00", currency="USD")).position().exceptions] == [code]
