"""The gate before a simulated finance system: whatever that does, one effect, told as it is."""

import asyncio

import pytest
from gate_desk import COMMANDS, Desk, a_desk, command, invoice, record, target

from connectors.finance.http import Line
from connectors.finance.simulator import Ledger, serving
from contracts_schema.rows import FenceLost, Partition
from services.runtime.outgoing import command_row

HOLD = command(1, [target(payable=0)])
FREE = command(2, [target(payable=100_00)])


def a_ledger(*invoices, **settings):
    ledger = Ledger(**settings)
    for one in invoices or (invoice(),):
        ledger.post(one)
    return ledger


async def test_a_hold_blocks_a_release_frees_and_each_is_told_once():
    async with a_desk(a_ledger()) as desk:
        await desk.settle(HOLD)
        assert desk.ledger.line("inv:INV-1", "1").held
        await desk.settle(FREE)
        assert not desk.ledger.line("inv:INV-1", "1").held
        await desk.turn()
        assert [(a["command_id"], a["state"]) for a in desk.said()] == [
            (HOLD.command_id, "applied"), (FREE.command_id, "applied"),
        ]  # fmt: skip
        assert desk.ledger.calls == [("inv:INV-1", "1", True), ("inv:INV-1", "1", False)]
        assert {(a["contract"], a["milestone"]) for a in desk.said()} == {("C-1", "M1")}


@pytest.mark.parametrize("manners", [{}, {"toggles": True}, {"refuses_repeats": True}])
async def test_repeats_are_answered_and_call_nothing(manners):
    async with a_desk(a_ledger(**manners)) as desk:
        await desk.settle(HOLD)
        for _ in range(3):
            await desk.settle(HOLD)
        assert desk.ledger.calls == [("inv:INV-1", "1", True)]
        assert desk.ledger.line("inv:INV-1", "1").held
        assert desk.states() == ["applied", "already_applied", "already_applied", "already_applied"]


async def test_a_hold_finds_a_toggle_already_blocked_and_leaves_it():
    held = invoice(lines=[Line("1", "100.00", held=True, held_by="clerk")])
    async with a_desk(a_ledger(held, toggles=True)) as desk:
        await desk.settle(HOLD)
        assert desk.ledger.calls == []
        assert desk.states() == ["already_applied"]
        assert [(o["holder"], o["held"], o["by"]) for o in desk.said("hold.observed")] == [("other", True, "clerk")]
        await desk.settle(FREE)
        assert desk.ledger.calls == []
        assert desk.states(FREE) == ["waiting"]


async def test_an_older_release_is_superseded_and_never_applied():
    async with a_desk(a_ledger()) as desk:
        await desk.settle(HOLD, command(3, [target(payable=0)], value=2000_00))
        await desk.settle(FREE)
        assert desk.states(FREE) == ["superseded"]
        assert desk.ledger.line("inv:INV-1", "1").held


async def test_a_command_whose_invoice_is_not_there_waits_and_is_applied_when_it_appears():
    async with a_desk(Ledger()) as desk:
        await desk.settle(HOLD)
        await desk.turn()
        assert desk.states() == ["waiting"]
        desk.ledger.post(invoice())
        await desk.turn()
        assert desk.states() == ["waiting", "applied"]
        assert desk.ledger.pay_run() == []


@pytest.mark.parametrize("fault", ["silent_after", "error_after"])
async def test_a_call_that_was_done_without_an_answer_is_told_from_reading(fault):
    async with a_desk(a_ledger()) as desk:
        desk.ledger.faults.append(fault)
        await desk.settle(HOLD)
        assert desk.states() == ["applied"]
        assert len(desk.ledger.calls) == 1


@pytest.mark.parametrize("fault", ["silent_before", "error_before"])
async def test_a_call_without_an_answer_that_was_not_done_is_unknown_then_settled_under_the_same_id(fault):
    async with a_desk(a_ledger()) as desk:
        desk.ledger.faults.append(fault)
        await desk.settle(HOLD)
        assert desk.states() == ["unknown"]
        await desk.turn()
        assert desk.states(HOLD) == ["unknown", "applied"]
        assert desk.ledger.line("inv:INV-1", "1").held


@pytest.mark.parametrize("manners", [{}, {"toggles": True}, {"refuses_repeats": True}])
async def test_a_storm_of_faults_ends_as_wanted(manners):
    async with a_desk(a_ledger(**manners), timeout_s=0.1) as desk:
        desk.ledger.faults.extend(["error_before", "silent_before", "error_before", "silent_before", "error_after"])
        await desk.send(HOLD)
        for _ in range(12):
            await desk.turn()
        assert desk.ledger.line("inv:INV-1", "1").held
        desk.ledger.faults.extend(["silent_before", "error_before", "silent_after"])
        await desk.send(FREE)
        for _ in range(12):
            await desk.turn()
        assert not desk.ledger.line("inv:INV-1", "1").held
        assert (desk.states(HOLD)[-1], desk.states(FREE)[-1]) == ("applied", "applied")
        assert not desk.ledger.faults, "a planned fault did not happen"


async def test_a_finance_system_that_is_down_is_asked_again():
    async with a_desk(a_ledger()) as desk:
        desk.ledger.down = True
        await desk.settle(HOLD)
        assert desk.states() == []
        desk.ledger.down = False
        await desk.turn()
        assert desk.states() == ["applied"]


async def test_a_gate_that_dies_between_call_and_answer_gives_the_one_answer_after_it_comes_back():
    ledger = a_ledger(refuses_repeats=True)
    async with serving(ledger) as url:
        first = Desk(ledger, url)
        await first.start()
        await first.send(HOLD)
        first.wanted.now = _dies  # the process ends after the call, before anything was kept of it
        with pytest.raises(RuntimeError, match="killed"):
            await first.turn()
        del first.wanted.now
        second = Desk(ledger, url, wanted=first.wanted, store=first.store, topics=first.topics)
        await second.start()
        await second.turn()
        assert ledger.calls == [("inv:INV-1", "1", True)]
        assert second.states() == ["applied"]
        for desk in (first, second):
            await desk.finance.close()


async def _dies():
    raise RuntimeError("killed")


async def test_a_gate_that_dies_before_the_offsets_are_kept_takes_the_command_in_again():
    async with a_desk(a_ledger()) as desk:
        row = command_row(HOLD, COMMANDS)
        desk.topics.append(COMMANDS, row.key, row.value, row.headers)
        desk.wanted.now = _dies
        with pytest.raises(RuntimeError):
            await desk.gate.take_in()
        del desk.wanted.now
        await desk.settle(command(1, [target(payable=0)], contract="C-2"))
        assert sorted(a["contract"] for a in desk.said()) == ["C-1", "C-2"]


async def test_of_two_gates_only_the_one_with_the_lease_acts_and_the_other_takes_over():
    ledger = a_ledger()
    async with serving(ledger) as url:
        one = Desk(ledger, url)
        await one.start()
        two = Desk(ledger, url, wanted=one.wanted, store=one.store, topics=one.topics, owner="gate-2")
        assert not await two.tenure.renew()
        await one.send(HOLD)
        await asyncio.gather(one.turn(), two.turn(), one.turn(), two.turn())
        assert ledger.calls == [("inv:INV-1", "1", True)]
        await one.tenure.leave()
        assert await two.tenure.renew()
        await one.send(FREE)
        await asyncio.gather(one.turn(), two.turn())
        assert ledger.calls == [("inv:INV-1", "1", True), ("inv:INV-1", "1", False)]
        assert two.states() == ["applied", "applied"]
        for desk in (one, two):
            await desk.finance.close()


async def test_a_gate_whose_lease_ran_out_in_the_middle_frees_nothing():
    async with a_desk(a_ledger()) as desk:
        await desk.settle(HOLD)
        await desk.send(FREE)
        desk.tenure._clock = lambda: 10.0**12
        with pytest.raises(FenceLost):
            await desk.driver.look("n:INV-1")
        assert desk.ledger.line("inv:INV-1", "1").held


async def test_no_release_goes_out_once_a_later_hold_was_taken_in():
    async with a_desk(a_ledger()) as desk:
        await desk.settle(HOLD)
        await desk.send(FREE)
        asked = desk.finance.find

        async def find(number):
            found = await asked(number)
            await desk.send(command(3, [target(payable=0)], value=2000_00))  # between the reading and the call
            desk.finance.find = asked
            return found

        desk.finance.find = find
        with pytest.raises(FenceLost, match="newer command"):
            await desk.driver.look("n:INV-1")
        await desk.turn()
        assert ("inv:INV-1", "1", False) not in desk.ledger.calls
        assert desk.ledger.line("inv:INV-1", "1").held


async def test_a_hold_that_comes_after_the_payment_was_approved_is_reported_as_too_late():
    leaving = invoice(lines=[Line("1", "100.00", held=False, state="in_payment", payment="payment 7 is approved")])
    async with a_desk(a_ledger(leaving)) as desk:
        await desk.settle(HOLD)
        (answer,) = desk.said()
        assert answer["state"] == "rejected"
        assert answer["detail"].startswith("HELD_TOO_LATE")
        assert "payment 7 is approved" in answer["detail"]
        assert desk.ledger.line("inv:INV-1", "1").held, "blocked all the same, against a second payment"


async def test_an_unclaimed_invoice_is_blocked_and_listed_until_a_command_claims_it():
    bare = invoice("INV-9", keys=("purchase.line:1",))
    other = invoice("INV-8", keys=("purchase.line:2",))
    async with a_desk(a_ledger(bare, other)) as desk:
        desk.wanted.crosswalk = {("erp-eu", "purchase.line:1"): {"C-1"}}
        await desk.turn()
        assert desk.ledger.line("inv:INV-9", "1").held
        assert not desk.ledger.line("inv:INV-8", "1").held
        (finding,) = await desk.wanted.findings()
        assert (finding.subject, "unclaimed" in finding.finding) == ("n:INV-9", True)
        await desk.settle(command(1, [target("INV-9", payable=100_00)]))
        assert not desk.ledger.line("inv:INV-9", "1").held
        assert await desk.wanted.findings() == []


async def test_an_unclaimed_invoice_without_a_number_is_blocked_too():
    bare = invoice(None, id="inv:77", keys=("purchase.line:1",))
    async with a_desk(a_ledger(bare)) as desk:
        desk.wanted.crosswalk = {("erp-eu", "purchase.line:1"): {"C-1"}}
        await desk.turn()
        assert desk.ledger.line("inv:77", "1").held


async def test_unclaimed_observe_lists_and_blocks_nothing():
    async with a_desk(a_ledger(invoice(keys=("purchase.line:1",))), holds_unclaimed=False) as desk:
        desk.wanted.crosswalk = {("erp-eu", "purchase.line:1"): {"C-1"}}
        await desk.turn()
        assert desk.ledger.calls == []
        assert len(await desk.wanted.findings()) == 1


async def test_mode_observe_says_what_it_would_do_and_does_nothing():
    async with a_desk(a_ledger(), acts=False) as desk:
        await desk.settle(HOLD)
        assert desk.ledger.calls == []
        (answer,) = desk.said()
        assert (answer["state"], "would block (lines 1)" in answer["detail"]) == ("waiting", True)


async def test_a_block_lifted_by_hand_is_told_once_and_stays_lifted():
    async with a_desk(a_ledger()) as desk:
        await desk.settle(HOLD)
        desk.ledger.hold("inv:INV-1", "1", "clerk", held=False)
        for _ in range(3):
            await desk.turn()
        assert not desk.ledger.line("inv:INV-1", "1").held
        assert [(o["holder"], o["held"], o["by"]) for o in desk.said("hold.observed")] == [("ours", False, "clerk")]
        assert desk.states() == ["applied"]
        (finding,) = await desk.wanted.findings()
        assert "lifted" in finding.finding


async def test_a_block_lifted_by_hand_is_placed_again_under_the_same_command_where_the_policy_says_so():
    async with a_desk(a_ledger(), reassert=True) as desk:
        await desk.settle(HOLD)
        desk.ledger.hold("inv:INV-1", "1", "clerk", held=False)
        await desk.turn()
        assert desk.ledger.line("inv:INV-1", "1").held
        assert desk.states() == ["applied"]


async def test_the_milestones_of_several_contracts_free_an_invoice_together():
    mine, theirs = target(payable=60_00, net=60_00), target(payable=0, net=40_00)
    async with a_desk(a_ledger()) as desk:
        await desk.settle(command(1, [mine]), command(1, [theirs], contract="C-2"))
        assert desk.ledger.line("inv:INV-1", "1").held
        assert {a["contract"]: a["state"] for a in desk.said()} == {"C-1": "waiting", "C-2": "applied"}
        await desk.settle(command(2, [target(payable=40_00, net=40_00)], contract="C-2"))
        assert not desk.ledger.line("inv:INV-1", "1").held
        await desk.turn()
        last = {a["contract"]: a["state"] for a in desk.said()}
        assert last == {"C-1": "applied", "C-2": "applied"}


async def test_instalments_are_freed_in_order_of_maturity():
    lines = [Line("1", "70.00", held=False, due="2026-04-01"), Line("2", "49.00", held=False, due="2026-05-01")]
    split = invoice(gross="119.00", net="100.00", lines=lines)
    async with a_desk(a_ledger(split)) as desk:
        await desk.settle(command(1, [target(payable=60_00)]))
        assert [desk.ledger.line("inv:INV-1", n).held for n in "12"] == [False, True]
        (answer,) = desk.said()
        assert answer["state"] == "waiting"
        assert "1.40 EUR of it lies in line 2 of 49.00 EUR" in answer["detail"]
        assert desk.ledger.pay_run() == [("inv:INV-1", "1")]


async def test_an_invoice_that_left_the_targets_keeps_its_block():
    async with a_desk(a_ledger()) as desk:
        await desk.settle(HOLD)
        await desk.settle(command(2, []))
        await desk.turn()
        assert desk.ledger.line("inv:INV-1", "1").held
        assert desk.states()[-1] == "applied"


async def test_a_forged_command_is_refused_recorded_and_answers_nothing():
    async with a_desk(a_ledger()) as desk:
        await desk.settle(HOLD)
        forged = record(FREE, sequence=9)
        desk.topics.append(COMMANDS, forged.key, forged.value, forged.headers)
        await desk.settle()
        await desk.gate.take_in()
        await desk.turn()
        assert desk.ledger.line("inv:INV-1", "1").held
        (refusal,) = await desk.wanted.refusals(10)
        assert (refusal.command_id, refusal.origin) == (FREE.command_id, f"{COMMANDS}/0/1")
        assert desk.states() == ["applied"]


async def test_the_gate_runs_stops_and_leaves_its_lease():
    async with a_desk(a_ledger()) as desk:
        running = asyncio.create_task(desk.gate.run())
        row = command_row(HOLD, COMMANDS)
        desk.topics.append(COMMANDS, row.key, row.value, row.headers)
        async with asyncio.timeout(10):
            while not desk.said():
                await asyncio.sleep(0.02)
        desk.gate.stop()
        async with asyncio.timeout(10):
            await running
        assert await desk.store.lease("gate:ap-eu", "gate-2", 1) is not None
        assert desk.wanted.offsets["memory", Partition(COMMANDS, 0)] == ("gate-1", 1)
