"""The gate on a live Tryton: what it did is read from Tryton's own records, with somebody else's key."""

import asyncio
import datetime as dt
import itertools

import pytest
from gate_desk import Desk, command, target

from connectors.finance.simulator import Ledger
from connectors.finance.tryton import TrytonFinance
from connectors.finance.web import WebSettings
from contracts_schema.errors import ConfigurationError
from contracts_schema.payables import CallState

TODAY = dt.datetime.now(dt.UTC).date().isoformat()
_numbers = itertools.count(1)


@pytest.fixture
async def desk(tryton, tmp_path):
    """A gate on this Tryton, with everything else in memory."""
    key = tmp_path / "key"
    key.write_text(tryton.keys["gate"] + "\n")
    made = Desk(Ledger(), tryton.url)
    await made.finance.close()
    finance = TrytonFinance(WebSettings(tryton.url, key, 20), tryton.ids["company"])
    made.finance = made.driver._finance = made.scan._finance = made.gate._finance = finance
    await finance.check()
    await made.start()
    yield made
    await finance.close()


class Invoiced:
    """A posted invoice of one service line, worth 1000.00, and how Tryton shows it."""

    def __init__(self, tryton, number, order, posted):
        self.tryton, self.number = tryton, number
        self.line = order["lines"][0]
        self.id = posted["id"]
        self.payables = posted["lines_to_pay"]

    def blocked(self):
        shown = [self.tryton.rest("GET", f"model/account.move.line/{n}?f=payment_blocked")[1] for n in self.payables]
        return [bool(line["payment_blocked"]) for line in shown]

    def press(self, button, who, line=0):
        return self.tryton.rest("POST", f"model/account.move.line/{self.payables[line]}/{button}", {}, who=who)[0]

    def wants(self, sequence, payable, **fields):
        amounts = {"net": 1000_00, "currency": "USD", "payable": payable}
        return command(sequence, [target(self.number, **amounts)], contract=f"C-{self.number}", **fields)


@pytest.fixture
def invoiced(tryton):
    def make():
        number = f"SIEMAG-{next(_numbers)}"
        line = {"product": tryton.ids["service"], "quantity": 1, "unit_price": "1000.00", "delivery_date": TODAY}
        order = tryton.create_purchase([line])
        return Invoiced(tryton, number, order, tryton.post_invoice(order["id"], number, TODAY))

    return make


def number_of(text):
    return {"__class__": "Decimal", "decimal": text}


def said(desk, wanted):
    return [(a["state"], a.get("detail", "")) for a in desk.said() if a["command_id"] == wanted.command_id]


async def test_hold_repeat_and_release_as_tryton_itself_records_them(desk, invoiced):
    found = invoiced()
    hold, free = found.wants(1, 0), found.wants(2, 1000_00)
    await desk.settle(hold)
    assert found.blocked() == [True]
    await desk.settle(hold)
    assert [state for state, _ in said(desk, hold)] == ["applied", "already_applied"]
    await desk.settle(free)
    assert found.blocked() == [False]
    assert [state for state, _ in said(desk, free)] == ["applied"]


async def test_a_repeated_press_is_refused_by_tryton_and_reading_back_tells_the_truth(desk, invoiced, tryton):
    found = invoiced()
    (bill,) = await desk.finance.find(found.number)
    line = str(found.payables[0])
    assert (await desk.finance.block(bill, line)).state is CallState.DONE
    repeated = await desk.finance.block(bill, line)
    assert (repeated.state, "400" in repeated.sentence) == (CallState.REFUSED, True)
    (again,) = await desk.finance.find(found.number)
    assert (again.lines[0].blocked, again.lines[0].holder, again.lines[0].by) == (
        True,
        "ours",
        str(tryton.users["gate"]),
    )
    hold = found.wants(1, 0)
    await desk.settle(hold)
    assert said(desk, hold)[0][0] == "applied"


async def test_a_clerk_s_block_is_never_lifted(desk, invoiced, tryton):
    found = invoiced()
    assert found.press("payment_block", "clerk") == 200
    hold, free = found.wants(1, 0), found.wants(2, 1000_00)
    await desk.settle(hold)
    await desk.settle(free)
    assert found.blocked() == [True]
    assert said(desk, hold)[0][0] == "already_applied"
    assert said(desk, free)[0][0] == "waiting"
    assert [(o["holder"], o["held"], o["by"]) for o in desk.said("hold.observed")] == [
        ("other", True, str(tryton.users["clerk"]))
    ]
    assert found.press("payment_unblock", "clerk") == 200
    await desk.turn()
    assert [state for state, _ in said(desk, free)] == ["waiting", "already_applied"]


async def test_ours_that_a_clerk_lifted_and_placed_anew_is_the_clerk_s(desk, invoiced):
    found = invoiced()
    await desk.settle(found.wants(1, 0))
    assert [found.press("payment_unblock", "clerk"), found.press("payment_block", "clerk")] == [200, 200]
    await desk.settle(found.wants(2, 1000_00))
    assert found.blocked() == [True]


async def test_our_block_lifted_by_hand_is_told_once(desk, invoiced):
    found = invoiced()
    hold = found.wants(1, 0)
    await desk.settle(hold)
    assert found.press("payment_unblock", "clerk") == 200
    await desk.turn()
    await desk.turn()
    assert found.blocked() == [False]
    assert [(o["holder"], o["held"]) for o in desk.said("hold.observed")] == [("ours", False)]
    assert [state for state, _ in said(desk, hold)] == ["applied"]


async def test_a_draft_payment_goes_with_the_hold_and_the_answer_says_so(desk, invoiced, tryton):
    found = invoiced()
    tryton.create_payment(found.payables[0], TODAY)
    hold = found.wants(1, 0)
    await desk.settle(hold)
    assert found.blocked() == [True]
    assert "1 draft payments" in said(desk, hold)[0][1]


async def test_a_hold_after_the_payment_was_approved_is_too_late(desk, invoiced, tryton):
    found = invoiced()
    payment = tryton.create_payment(found.payables[0], TODAY)["id"]
    for step in ("submit", "approve"):
        tryton.click("account.payment", payment, step)
    hold = found.wants(1, 0)
    await desk.settle(hold)
    state, detail = said(desk, hold)[0]
    assert (state, detail.startswith("HELD_TOO_LATE")) == ("rejected", True)
    assert "approved" in detail
    assert found.blocked() == [True]


async def test_an_invoice_that_is_posted_later_is_blocked_when_it_appears(desk, tryton):
    number = f"SIEMAG-{next(_numbers)}"
    hold = command(1, [target(number, net=1000_00, currency="USD")], contract=f"C-{number}")
    await desk.settle(hold)
    assert said(desk, hold)[0][0] == "waiting"
    line = {"product": tryton.ids["service"], "quantity": 1, "unit_price": "1000.00", "delivery_date": TODAY}
    order = tryton.create_purchase([line])
    found = Invoiced(tryton, number, order, tryton.post_invoice(order["id"], number, TODAY))
    await desk.turn()
    assert found.blocked() == [True]
    assert [state for state, _ in said(desk, hold)] == ["waiting", "applied"]


async def test_an_unclaimed_invoice_under_a_contract_s_order_line_is_blocked(desk, invoiced):
    claimed, other = invoiced(), invoiced()
    desk.wanted.crosswalk = {("erp-eu", f"purchase.line:{claimed.line}"): {"C-1"}}
    await desk.turn()
    assert claimed.blocked() == [True]
    assert other.blocked() == [False]
    assert any("unclaimed" in finding.finding for finding in await desk.wanted.findings())


async def test_of_two_instalments_the_one_that_fits_is_freed(desk, tryton):
    lines = [
        {
            "type": "percent",
            "ratio": number_of("0.25"),
            "divisor": number_of("4"),
            "relativedeltas": [["create", [{"days": 5}]]],
        },
        {"type": "remainder", "relativedeltas": [["create", [{"days": 60}]]]},
    ]
    status, term = tryton.rest(
        "POST",
        "model/account.invoice.payment_term",
        {"name": "A quarter and the rest", "lines": [["create", lines]]},
        who="admin",
    )
    assert status == 200, term
    usual = tryton.ids["payment_term"]
    tryton.ids["payment_term"] = term["id"]
    try:
        line = {"product": tryton.ids["service"], "quantity": 1, "unit_price": "1000.00", "delivery_date": TODAY}
        order = tryton.create_purchase([line])
        number = f"SIEMAG-{next(_numbers)}"
        found = Invoiced(tryton, number, order, tryton.post_invoice(order["id"], number, TODAY))
    finally:
        tryton.ids["payment_term"] = usual
    part = found.wants(1, 600_00)
    await desk.settle(part)
    assert found.blocked() == [False, True]
    state, detail = said(desk, part)[0]
    assert state == "waiting"
    assert "350.00 USD of it lies in line" in detail
    assert "of 750.00 USD" in detail
    await desk.settle(found.wants(2, 1000_00))
    assert found.blocked() == [False, False]


async def test_a_key_that_is_refused_is_a_fault_of_the_set_up(tryton, tmp_path):
    key = tmp_path / "key"
    key.write_text("no key of anybody")
    finance = TrytonFinance(WebSettings(tryton.url, key, 20), tryton.ids["company"])
    with pytest.raises(ConfigurationError, match="401"):
        await finance.check()
    await finance.close()


async def test_two_gates_and_a_redelivery_press_the_button_once(desk, invoiced):
    found = invoiced()
    hold = found.wants(1, 0)
    await desk.send(hold, hold)
    await asyncio.gather(desk.driver.look(f"n:{found.number}"), desk.driver.look(f"n:{found.number}"))
    assert found.blocked() == [True]
    assert desk.driver.counts["block_done"] == 1
