"""A gate on a database that was restored: finance has seen more than it remembers."""

import asyncio

import pytest
import yaml
from builders import Story
from gate_desk import COMMANDS, a_desk, command, invoice, target
from gate_process import GateProcess, Site
from servers.process import run

from connectors.finance.simulator import GATE, Ledger, serving
from services.reconciliation.adoption import adoption_fact
from services.reconciliation.log import Decided, LogEntry, Said, append
from services.reconciliation.react import react
from services.reconciliation.state import Arrival, State, encode_state
from services.runtime.outgoing import command_row

HOLD, FREE = command(1, [target(payable=0)]), command(2, [target(payable=100_00)])
HOLD_AGAIN = command(3, [target(payable=0)], value=2000_00)


@pytest.fixture
async def site(kafka, postgres_dsn, tmp_path):
    ledger = Ledger(refuses_repeats=True)
    ledger.post(invoice())
    async with serving(ledger) as url:
        made = Site(kafka, postgres_dsn, tmp_path, url)
        made.ledger = ledger
        await made.prepare()
        yield made
        await made.publisher.stop()


@pytest.fixture
async def gates(site):
    made = [GateProcess(site.folder, site.config, number) for number in (1, 2)]
    yield made
    for process in made:
        await asyncio.to_thread(process.discard)


async def test_it_frees_nothing_that_a_hold_which_it_forgot_has_taken_back(site, gates, postgres_server, tmp_path):
    await asyncio.to_thread(gates[0].start)
    await site.decide(HOLD)
    await site.told((HOLD, "applied"))
    await site.decide(FREE)
    await site.told((HOLD, "applied"), (FREE, "applied"))
    backup = str(tmp_path / "backup")
    binaries = postgres_server.binaries
    run([str(binaries / "pg_dump"), "-Fc", "-f", backup, site.dsn], what="pg_dump", deadline_s=60)
    await site.decide(HOLD_AGAIN)
    await site.told((HOLD, "applied"), (FREE, "applied"), (HOLD_AGAIN, "applied"))
    await asyncio.to_thread(gates[0].discard)
    calls = list(site.ledger.calls)

    restored = postgres_server.create_database()
    run([str(binaries / "pg_restore"), "-d", restored, backup], what="pg_restore", deadline_s=60)
    site.settings["postgres"]["dsn"] = restored
    site.config.write_text(yaml.safe_dump(site.settings))
    await asyncio.to_thread(gates[1].start)
    async with asyncio.timeout(60):
        while (FREE.command_id, "waiting") not in [said[1:] for said in await site.answers()]:
            assert site.ledger.line("inv:INV-1", "1").held
            await asyncio.sleep(0.1)
    assert site.ledger.calls == calls
    await asyncio.to_thread(gates[1].discard)
    postgres_server.drop_database(restored)


class Log:
    """What a store knows of one contract."""

    def __init__(self, *commands):
        self.rows = {}
        self.contract = State("C-1")
        self.know(*commands)

    def know(self, *commands):
        for one in commands:
            said = Said(one.action, one.sequence, one.command_id, ())
            decided = Decided(one.milestone, "met", "EUR", 0, 0, 0, 0, None, (), (), (), (), said)
            entry = LogEntry(one.contract, one.revision, 0, "facts", "r", "ap-eu", (), (decided,))
            self.rows[one.contract, one.revision] = append(entry, b"")
            self.contract.revision, self.contract.sequence = one.revision, one.sequence

    def adopt(self, sequence):
        fact = adoption_fact("C-1", sequence, {}, 1)
        react(self.contract, [Arrival((fact,), 1, "db adopt")], 1, Story().rules)

    async def revisions(self, wanted):
        return [self.rows[place] for place in wanted if place in self.rows]

    async def state(self, contract):
        return encode_state(self.contract)


def lie(desk, *commands):
    for one in commands:
        row = command_row(one, COMMANDS)
        desk.topics.append(COMMANDS, row.key, row.value, row.headers)


async def test_what_was_taken_over_is_freed_once_the_contract_has_said_everything_anew():
    log = Log(HOLD, FREE)
    anew = command(4, [target(payable=100_00)], revision=5)
    other = command(5, [target("INV-2")], milestone="M2", revision=6)
    async with a_desk(proofs=log) as desk:
        desk.ledger.post(invoice())
        await desk.settle(HOLD)
        await desk.settle(FREE)
        desk.ledger.hold("inv:INV-1", "1", GATE, held=True)  # as the hold that is forgotten had it
        lie(desk, HOLD_AGAIN)
        await desk.gate.take_in()
        await desk.turn()
        assert desk.ledger.line("inv:INV-1", "1").held
        assert "milepost db adopt" in desk.said()[-1]["detail"]
        log.adopt(3)
        log.know(anew, other)
        await desk.settle(anew)
        assert desk.ledger.line("inv:INV-1", "1").held, "one more command is on its way"
        await desk.settle(other)
        await desk.turn()
        assert not desk.ledger.line("inv:INV-1", "1").held


async def test_a_forged_command_of_a_later_log_keeps_releases_waiting_and_no_hold():
    log = Log(HOLD, FREE)
    async with a_desk(proofs=log) as desk:
        desk.ledger.post(invoice())
        lie(desk, command(9, [target(payable=100_00)], value=9_00))
        await desk.settle(HOLD)
        assert desk.ledger.line("inv:INV-1", "1").held
        await desk.settle(FREE)
        assert desk.ledger.line("inv:INV-1", "1").held
        assert desk.states(FREE) == ["waiting"]
        assert len(await desk.wanted.refusals(10)) == 1


async def test_a_forged_command_of_the_log_as_it_is_keeps_nothing_waiting():
    async with a_desk(proofs=Log(HOLD, FREE)) as desk:
        desk.ledger.post(invoice())
        lie(desk, command(9, [target(payable=100_00)], value=9_00, revision=2))
        await desk.settle(HOLD)
        await desk.settle(FREE)
        assert desk.states(FREE) == ["applied"]
