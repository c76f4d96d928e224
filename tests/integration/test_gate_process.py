"""`milepost gate` as a process of its own, on a real broker and a real database, before a simulated finance system."""

import asyncio
from random import Random

import pytest
from forgeries import FORGED
from gate_desk import command, invoice, target
from gate_process import GateProcess, Site

from connectors.finance.simulator import Ledger, serving
from contracts_schema.rows import PublishRow
from services.runtime.outgoing import command_row


class Deadly(Ledger):
    """Kills whoever asks, after what was asked has been done, as often as `strikes` says."""

    strikes = 0
    victim = None

    def asked(self, invoice, line, *, held):
        reply = super().asked(invoice, line, held=held)
        if self.strikes:
            self.strikes -= 1
            self.victim.kill()
        return reply


@pytest.fixture
async def site(kafka, postgres_dsn, tmp_path):
    ledger = Deadly(refuses_repeats=True)
    ledger.post(invoice())
    async with serving(ledger) as url:
        made = Site(kafka, postgres_dsn, tmp_path, url)
        made.ledger = ledger
        await made.prepare()
        yield made
        await made.publisher.stop()


@pytest.fixture
async def gate(site):
    process = GateProcess(site.folder, site.config, 1)
    yield process
    await asyncio.to_thread(process.discard)


HOLD, FREE = command(1, [target(payable=0)]), command(2, [target(payable=100_00)])


async def test_killed_between_call_and_answer_it_calls_once_and_answers_once(site, gate):
    site.ledger.strikes, site.ledger.victim = 2, gate
    await asyncio.to_thread(gate.start)
    await site.decide(HOLD)
    async with asyncio.timeout(60):
        while gate.running:
            await asyncio.sleep(0.05)
    assert site.ledger.line("inv:INV-1", "1").held
    await asyncio.to_thread(gate.start)
    await site.told((HOLD, "applied"))
    await site.decide(FREE)
    async with asyncio.timeout(60):
        while gate.running:
            await asyncio.sleep(0.05)
    assert not site.ledger.line("inv:INV-1", "1").held
    await asyncio.to_thread(gate.start)
    await site.told((HOLD, "applied"), (FREE, "applied"))
    assert site.ledger.calls == [("inv:INV-1", "1", True), ("inv:INV-1", "1", False)]
    assert site.ledger.strikes == 0, "a planned kill did not happen"


async def test_a_command_that_no_worker_decided_is_refused_though_its_id_fits(site, gate):
    await site.decide(HOLD)
    await site.publish(command(3, [target(payable=100_00)]))
    await asyncio.to_thread(gate.start)
    await site.told((HOLD, "applied"))
    async with asyncio.timeout(30):
        while "does not stand in the log" not in gate.log.read_text():
            await asyncio.sleep(0.1)
    assert site.ledger.line("inv:INV-1", "1").held


async def test_two_hundred_forgeries_on_the_topic_move_nothing_and_the_genuine_ones_between_them_count(site, gate):
    rng, genuine = Random("forged"), [command_row(HOLD, site.topic("commands"))]  # what a thief can have read
    forged = [rng.choice(FORGED)(rng, rng.choice(genuine), genuine, n) for n in range(200)]
    rows = [PublishRow(genuine[0].topic, r.key or b"", r.headers, r.value) for r in forged]
    await site.publisher.publish(rows[:100])
    await site.decide(HOLD)
    await site.publisher.publish(rows[100:])
    await asyncio.to_thread(gate.start)
    await site.told((HOLD, "applied"))
    async with asyncio.timeout(60):
        while gate.log.read_text().count("a command was refused") < len(rows):
            await asyncio.sleep(0.1)
    assert site.ledger.calls == [("inv:INV-1", "1", True)]
    await site.decide(FREE)
    await site.told((HOLD, "applied"), (FREE, "applied"))
    assert site.ledger.calls == [("inv:INV-1", "1", True), ("inv:INV-1", "1", False)]


async def test_a_second_gate_stands_by_and_takes_over(site, gate):
    second = GateProcess(site.folder, site.config, 2)
    try:
        await asyncio.to_thread(gate.start)
        await asyncio.to_thread(second.start)
        await site.decide(HOLD)
        await site.told((HOLD, "applied"))
        await asyncio.to_thread(gate.kill)
        await site.decide(FREE)
        await site.told((HOLD, "applied"), (FREE, "applied"))
        assert site.ledger.calls == [("inv:INV-1", "1", True), ("inv:INV-1", "1", False)]
    finally:
        await asyncio.to_thread(second.discard)
