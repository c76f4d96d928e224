"""What a finance system that errs, or whoever works in it, may do to the gate: nothing is paid that may not be."""

import asyncio
import contextlib
from secrets import token_urlsafe

import pytest
from gate_desk import Desk, a_desk, command, invoice, target
from msgspec.structs import replace

from connectors.finance import simulator
from connectors.finance.http import Line
from connectors.finance.simulator import Ledger, serving
from connectors.memory_gate import MemoryWanted
from connectors.migrations import upgrade
from connectors.postgres.gate import PostgresWanted
from connectors.postgres.pool import Database, PostgresSettings
from services.runtime.health import Health

HOLD = command(1, [target(payable=0)])
FREE = command(2, [target(payable=100_00)])
PAID = [("inv:INV-1", "1")]


def a_ledger(*invoices):
    ledger = Ledger()
    for one in invoices or (invoice(),):
        ledger.post(one)
    return ledger


async def turns(desk, times=2):
    for _ in range(times):
        await desk.turn()


@contextlib.asynccontextmanager
async def a_freed_invoice():
    async with a_desk(a_ledger()) as desk:
        await desk.settle(HOLD)
        await desk.settle(FREE)
        assert not desk.ledger.line("inv:INV-1", "1").held
        yield desk


@pytest.mark.parametrize("ids", [(), ("inv:again",)])
async def test_an_invoice_that_is_entered_again_after_it_was_paid_is_not_paid_again(ids):
    free = command(2, [target(payable=100_00, ids=ids)])
    async with a_desk(a_ledger()) as desk:
        await desk.settle(HOLD)
        await desk.settle(free)
        assert desk.ledger.pay_run() == PAID
        desk.ledger.post(invoice(id="inv:again"))
        await turns(desk)
        assert desk.ledger.line("inv:again", "1").held
        assert desk.ledger.pay_run() == []
        (finding,) = await desk.wanted.findings()
        assert "several invoices bear this number" in finding.finding


@pytest.mark.parametrize("ends", ["cancelled", "deleted"])
async def test_what_was_paid_and_then_taken_out_of_the_books_is_not_paid_again(ends):
    async with a_freed_invoice() as desk:
        assert desk.ledger.pay_run() == PAID
        await desk.turn()
        paid = desk.ledger.invoices.pop("inv:INV-1")
        if ends == "cancelled":
            desk.ledger.post(invoice(state="cancelled", lines=paid.lines))
        desk.ledger.post(invoice(id="inv:again"))
        await turns(desk)
        assert desk.ledger.pay_run() == []


async def test_an_invoice_that_was_cancelled_before_it_was_paid_may_be_entered_again():
    async with a_freed_invoice() as desk:
        desk.ledger.post(invoice(state="cancelled"))
        desk.ledger.post(invoice(id="inv:again", lines=[Line("1", "100.00", held=True, held_by="milepost")]))
        await turns(desk)
        assert desk.ledger.pay_run() == [("inv:again", "1")]


async def test_a_number_that_the_supplier_gave_before_is_paid_where_the_command_names_the_invoice():
    old = invoice(id="inv:2019", state="paid", lines=[Line("1", "70.00", held=False, state="paid")])
    async with a_desk(a_ledger(old, invoice())) as desk:
        await desk.settle(HOLD)
        await desk.settle(command(2, [target(payable=100_00, ids=("inv:INV-1",))]))
        assert desk.ledger.pay_run() == PAID


@pytest.mark.parametrize(
    "changed",
    [
        {"supplier": "SUP-2"}, {"number": "INV-9", "id": "inv:INV-1"}, {"currency": "USD"}, {"gross": "100.01"},
        {"number": None, "id": "inv:INV-1"}, {"business_unit": "BU-2"},
    ],
    ids=lambda changed: next(iter(changed)),
)  # fmt: skip
async def test_a_freed_invoice_that_somebody_changes_is_blocked_again(changed):
    free = command(2, [target(payable=100_00, unit="BU-1")])
    async with a_desk(a_ledger()) as desk:
        await desk.settle(HOLD)
        await desk.settle(free)
        await desk.turn()
        desk.ledger.post(invoice(**changed))
        await turns(desk, 3)
        assert desk.ledger.line("inv:INV-1", "1").held
        assert desk.ledger.pay_run() == []
        assert [f for f in await desk.wanted.findings() if "inv:INV-1" in f.finding or "waiting" in f.finding]


async def test_a_freed_invoice_that_no_command_names_any_more_is_blocked_again_and_told():
    async with a_freed_invoice() as desk:
        await desk.settle(command(3, []))
        await turns(desk)
        assert desk.ledger.pay_run() == []
        (finding,) = await desk.wanted.findings()
        assert "no command names it" in finding.finding


async def test_a_renamed_invoice_that_a_command_names_by_its_new_number_is_that_command_s():
    async with a_freed_invoice() as desk:
        desk.ledger.post(invoice("INV-9", id="inv:INV-1"))
        await desk.settle(command(3, [target("INV-9", payable=100_00)]))
        await turns(desk, 3)
        assert desk.ledger.pay_run() == PAID


async def test_an_instalment_that_finance_shows_no_more_once_it_is_paid_still_takes_its_part():
    lines = [Line("1", "50.00", held=False, due="2026-04-01"), Line("2", "50.00", held=False, due="2026-05-01")]
    async with a_desk(a_ledger(invoice(gross="100.00", lines=lines))) as desk:
        await desk.settle(HOLD)
        await desk.settle(command(2, [target(payable=50_00)]))
        assert desk.ledger.pay_run() == PAID
        desk.ledger.post(invoice(lines=[Line("2", "50.00", held=True, held_by="milepost")]))
        await turns(desk)
        assert desk.ledger.pay_run() == []


async def test_a_rival_on_a_second_page_is_seen(monkeypatch):
    page = simulator._page
    monkeypatch.setattr(simulator, "_page", lambda ledger, asked: page(ledger, {**asked, "limit": "1"}))
    async with a_desk(a_ledger(invoice(id="a"), invoice(id="b"))) as desk:
        await desk.settle(HOLD, FREE)
        await turns(desk)
        assert desk.ledger.pay_run() == []


async def test_what_was_paid_before_a_killed_gate_could_remember_its_release_is_not_called_outside_control():
    ledger = a_ledger()
    async with serving(ledger) as url:
        first = Desk(ledger, url)
        await first.start()
        await first.settle(HOLD)
        await first.send(FREE)
        now, first.wanted.now = first.wanted.now, _dies  # after the call, before anything was kept of it
        with pytest.raises(RuntimeError, match="killed"):
            await first.turn()
        first.wanted.now = now
        assert ledger.pay_run() == PAID
        second = Desk(ledger, url, wanted=first.wanted, store=first.store, topics=first.topics)
        await second.start()
        await second.turn()
        assert second.states(FREE) == ["applied"]
        ledger.post(invoice(id="inv:again"))
        await turns(second)
        assert ledger.pay_run() == []
        for desk in (first, second):
            await desk.finance.close()


async def _dies():
    raise RuntimeError("killed")


async def test_a_list_of_open_invoices_without_an_end_keeps_no_hold_waiting(monkeypatch):
    page = simulator._page

    def endless(ledger, asked):
        return page(ledger, asked) if "number" in asked else {**page(ledger, {}), "next": "again"}

    monkeypatch.setattr(simulator, "_page", endless)
    async with a_desk(a_ledger()) as desk:
        await desk.send(HOLD)
        async with asyncio.timeout(10):
            await desk.turn()
        assert desk.ledger.line("inv:INV-1", "1").held


async def test_one_open_invoice_that_cannot_be_understood_hides_no_other():
    odd = [invoice("A", currency="HRK"), invoice("B", gross="1e9"), invoice("C", gross="5", net="5.00")]
    unclaimed = invoice("Z", keys=("purchase.line:1",))
    async with a_desk(a_ledger(*odd, unclaimed)) as desk:
        desk.wanted.crosswalk = {("erp-eu", "purchase.line:1"): {"C-1"}}
        await desk.turn()
        assert desk.ledger.line("inv:Z", "1").held


async def test_an_unclaimed_invoice_whose_number_is_longer_than_any_of_ours_is_blocked_under_its_id(postgres_dsn):
    await upgrade(postgres_dsn)
    database = Database(PostgresSettings(postgres_dsn))
    await database.open()
    wanted = PostgresWanted(database, "ap-eu")
    wanted.claimed = MemoryWanted("ap-eu", {("erp-eu", "purchase.line:1"): {"C-1"}}).claimed
    number = token_urlsafe(50_000)  # an index takes 8 KB
    async with a_desk(a_ledger(invoice(number, id="inv:1", keys=("purchase.line:1",))), wanted=wanted) as desk:
        await desk.turn()
        assert desk.ledger.line("inv:1", "1").held
    await database.close()


async def test_a_finance_system_that_dawdles_delays_no_hold_of_others_and_ends_no_gate(monkeypatch):
    answer = simulator._answer

    async def dawdling(ledger, scope, body):
        if b"state=open" in scope["query_string"]:
            await asyncio.sleep(ledger.silence_s)
        return await answer(ledger, scope, body)

    monkeypatch.setattr(simulator, "_answer", dawdling)
    health = Health((), stalled_s=1)
    async with a_desk(a_ledger(), timeout_s=3) as desk:
        desk.gate._signs, desk.gate.pace = health, replace(desk.gate.pace, beat_s=0.1)
        running = asyncio.create_task(desk.gate.run())
        await asyncio.sleep(0)
        await desk.send(HOLD)
        async with asyncio.timeout(3):
            while not desk.ledger.line("inv:INV-1", "1").held:
                await asyncio.sleep(0.02)
        await asyncio.sleep(1.5)  # what is open has still not been told
        assert health.stalled() == []
        desk.gate.stop()
        desk.ledger.silence_s = 0
        await running
