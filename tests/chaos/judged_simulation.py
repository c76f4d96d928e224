"""Seeded runs of the simulation for the judge: workers, relays and gates of which anything may fail, then nothing does.

What the simulation itself finds does not count here; the judge has topics, tables and finance's ledger, and no more.
"""

import asyncio
from contextlib import suppress
from unittest.mock import patch

from builders import START, a_contract, a_milestone, met, micros, record_of, registered
from judging.evidence import OUTPUTS, Evidence
from memory_evidence import came_in, of_tables
from simulation import world
from simulation.fate import Fate
from simulation.finance import Ledger
from simulation.load import load
from simulation.locks import Deadlock
from simulation.loop import Stuck, virtual_time
from simulation.process import RULES, TOLD
from simulation.store import Server, SimBatch, SimStore

from contracts_schema.money import format_amount
from contracts_schema.rows import OffsetRange, Partition
from services.runtime.hallway import Hallway
from services.runtime.outgoing import Topics
from services.runtime.reading import Reader

CONTRACTS, EVENTS = 2, 12


class WrittenLedger(Ledger):
    """Writes down what happens to it. The days of a simulated world leap, so nothing says when; a call of a gate that
    died may land when another has made it, so nothing says what was before."""

    def __init__(self):
        super().__init__()
        self.written = []

    def post(self, bill):
        if bill.id not in self.bills:
            self.written.append({"kind": "posted", "invoice": _told(bill)})
        super().post(bill)

    def change(self, bill, *, blocked):
        line = self.bills[bill].lines[0]
        call = {"invoice": bill, "line": line.id, "held": blocked, "before": not blocked, "status": 200}
        self.written.append({"kind": "call", **call})
        super().change(bill, blocked=blocked)


def _told(bill):
    lines = [
        {"id": p.id, "gross": format_amount(p.gross, "EUR"), "held": p.blocked, "held_by": None, "state": p.state}
        for p in bill.lines
    ]
    amounts = {name: format_amount(getattr(bill, name), bill.currency) for name in ("net", "gross")}
    names = ("id", "number", "suppliers", "currency", "state", "keys")
    return {name: getattr(bill, name) for name in names} | amounts | {"lines": lines}


class JudgedWorld(world.World):
    """A world that goes on whatever its own checks say."""

    def blame(self, fault):
        self.trace("BROKEN", fault)

    async def live(self):
        self.ledger = WrittenLedger()
        for bill in self.bills[::2]:
            self.ledger.post(bill)
        try:
            for name in self.names:
                await self.machines.start(name)
            await self._tell()
            with suppress(world.Broken):
                await self._heal()
        finally:
            await self.machines.end()

    def evidence(self):
        evidence = Evidence()
        of_tables(evidence, self.server.tables)
        evidence.books = {RULES.rulebook.hash: RULES.rulebook.content}
        evidence.ends = {tuple(place): len(self.topics.records[place]) for place in self.inputs}
        evidence.now, evidence.outbox = self.clock(), len(self.server.tables.outbox)
        for place, records in self.topics.records.items():
            evidence.topics[place.topic] += map(came_in, records)
        assert evidence.topics.keys() >= set(OUTPUTS)
        evidence.ledger, evidence.ledger_of, evidence.keys_of = self.ledger.written, "ap", ("ap",)
        evidence.refused = {refusal.origin for refusal in self.wanted.refused.values()}
        return evidence


def simulated(seed):
    """What the judge may see of one run."""
    with virtual_time(seed) as loop:
        ran = JudgedWorld(loop, Fate(seed), load(seed, CONTRACTS, EVENTS), CONTRACTS)
        with suppress(Deadlock, Stuck):
            loop.run_until_complete(ran.live())
        return ran.evidence()


def parked_while_its_contract_comes():
    """One worker parks a fact and takes a second to write it; meanwhile another one registers the contract."""
    with virtual_time(0) as loop:
        server, evidence = Server(lambda: micros(START) + round(loop.now * 1e6)), Evidence()
        hallways = [Hallway(SimStore(server), Reader(TOLD, RULES, "sim"), RULES, Topics(), "1") for _ in range(2)]
        told = (met(), registered(a_contract(a_milestone(requires=["met"]))))
        records = [record_of(event, START, f"e{n}") for n, event in enumerate(told)]
        loop.run_until_complete(_meanwhile(hallways, records))
        of_tables(evidence, server.tables)
    for record in records:
        evidence.topics[record.topic] += [came_in(record)]
    evidence.books = {RULES.rulebook.hash: RULES.rulebook.content}
    return evidence


async def _meanwhile(hallways, records):
    write = SimBatch.write

    async def slowly(batch, changes):
        await asyncio.sleep(1 if changes.parked else 0)
        await write(batch, changes)

    async def carry(hallway, record, after_s):
        await asyncio.sleep(after_s)
        place = Partition(record.topic, 0)
        await hallway.store.take("w", "sim", {place})
        await hallway.carry([record], "w", [OffsetRange("sim", place, 0, 1, 0)], micros(START))
        while (await hallway.wake(0, 100, micros(START))).woken:
            pass

    with patch.object(SimBatch, "write", slowly):
        await asyncio.gather(*(carry(*one) for one in zip(hallways, records, (0, 0.5), strict=True)))
