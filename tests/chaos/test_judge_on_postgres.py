"""The judge on what lies in a real Postgres where workers meet: it finds nothing. Bugs of locks are put to it here.

Topics are in memory; each worker has a store of its own, and what two of them do at once is made to meet.
"""

import asyncio
import sys
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import asyncpg
import pytest
from builders import SOURCES, START, a_contract, a_milestone, held_by, invoice, met, micros, record_of, registered
from memory_house import House
from msgspec.structs import replace
from workload import registrations

from connectors.migrations import upgrade
from connectors.postgres import PostgresSettings, PostgresStore
from connectors.postgres.batch import PostgresBatch
from contracts_schema.errors import MilepostError
from contracts_schema.rows import FenceLost, OffsetRange, Partition
from services.reconciliation.policy import Policy, make_rules
from services.runtime.hallway import Hallway
from services.runtime.outgoing import Topics
from services.runtime.reading import Reader

sys.path.append(str(Path(__file__).parent))  # the judge stands by itself: it finds its own modules beside it
from judge import CHECKS, judge
from judging.commands import check_commands, check_decisions
from judging.evidence import Evidence, read_database
from judging.inputs import check_quarantine
from memory_evidence import came_in, says_nothing

pytestmark = pytest.mark.postgres
RULES = make_rules({name: source.role for name, source in SOURCES.items()}, {}, Policy(), "ap")
# Nobody publishes what these workers commit.
OF_THE_STORE = [check for check in CHECKS if check not in (check_commands, check_decisions, check_quarantine)]
TRIES, MEETING_S = 5, 0.3


class Worker:
    """One worker: a store of its own, and the partition of its number in every topic."""

    def __init__(self, store, number, said):
        self.number, self.said, self.offsets = number, said, {}
        self.hallway = Hallway(store, Reader(SOURCES, RULES, "here"), RULES, Topics(), "1")

    def comes(self, *events, skipped=0):
        """Records of these events, behind so many offsets that no record has."""
        for event in events:
            made = record_of(event, START, f"{self.number}-{len(self.said)}")
            offset = self.offsets.get(made.topic, 0) + skipped
            self.offsets[made.topic] = offset + 1
            self.said.append(replace(made, partition=self.number, offset=offset))
        return self.said[-len(events) :]

    async def carries(self, *records):
        """All of these in one batch, again where the store asks for it."""
        store, moves = self.hallway.store, []
        for topic in sorted({record.topic for record in records}):
            offsets = [record.offset for record in records if record.topic == topic]
            moves.append(OffsetRange("here", Partition(topic, self.number), min(offsets), max(offsets) + 1, 0))
        for _ in range(TRIES):
            with suppress(MilepostError, FenceLost, asyncpg.PostgresError):  # then it begins anew, as after its death
                await self.hallway.carry(records, "w", moves, micros(START))
                break
            await asyncio.sleep(0.05)
        while (await self.hallway.wake(0, 100, micros(START))).woken:
            pass
        return store


@asynccontextmanager
async def meeting(dsn):
    """Two workers, and everything that was said."""
    await upgrade(dsn)
    said = []
    async with AsyncExitStack() as opened:
        stores = [await opened.enter_async_context(PostgresStore(PostgresSettings(dsn=dsn))) for _ in range(2)]
        workers = [Worker(store, number, said) for number, store in enumerate(stores)]
        for number, store in enumerate(stores):
            await store.take("w", "here", {Partition(source.topic, number) for source in SOURCES.values()})
        yield workers, said


async def evidence_of(dsn, said):
    evidence = Evidence()
    await read_database(evidence, dsn)
    evidence.outbox, evidence.books = 0, {RULES.rulebook.hash: RULES.rulebook.content}
    evidence.ends = dict.fromkeys(evidence.offsets, 0)
    for record in said:
        evidence.topics[record.topic].append(came_in(record))
        place = (record.topic, record.partition)
        evidence.ends[place] = max(evidence.ends[place], record.offset + 1)
    return evidence


@pytest.fixture
def slowly(monkeypatch):
    """Every batch takes its time before it writes, so that those of two workers meet."""
    write = PostgresBatch.write

    async def writes(batch, changes):
        await asyncio.sleep(MEETING_S)
        await write(batch, changes)

    monkeypatch.setattr(PostgresBatch, "write", writes)


def finds_nothing(evidence):
    says_nothing([finding for check in OF_THE_STORE for finding in check(evidence)])


async def test_the_judge_finds_nothing_where_two_speak_of_one_contract_at_once(postgres_dsn, slowly):
    async with meeting(postgres_dsn) as ((one, other), said):
        await one.carries(*one.comes(registered(a_contract(a_milestone(requires=["met"])))))
        await asyncio.gather(one.carries(*one.comes(met())), other.carries(*other.comes(held_by())))
    finds_nothing(await evidence_of(postgres_dsn, said))


async def test_the_judge_finds_nothing_where_two_contracts_claim_an_invoice_at_once(postgres_dsn, slowly):
    plans = [registered(a_contract(a_milestone(requires=["invoiced"]), contract=name)) for name in "AB"]
    parts = [invoice(net, contract=name, total="100.00") for net, name in (("60.00", "A"), ("70.00", "B"))]
    async with meeting(postgres_dsn) as ((one, other), said):
        await one.carries(*one.comes(*plans))
        await asyncio.gather(one.carries(*one.comes(parts[0])), other.carries(*other.comes(parts[1])))
        await one.carries(*one.comes(met(contract="A")))
    finds_nothing(await evidence_of(postgres_dsn, said))


async def test_the_judge_finds_nothing_where_records_come_again_and_some_offsets_have_none(postgres_dsn):
    async with meeting(postgres_dsn) as ((one, other), said):
        told = one.comes(registered(a_contract(a_milestone(requires=["met"]))))
        await one.carries(*told)
        await one.carries(*told)
        await other.carries(*other.comes(met(), skipped=2))
    finds_nothing(await evidence_of(postgres_dsn, said))


async def test_the_judge_finds_nothing_where_two_relays_have_one_lane(postgres_dsn):
    await upgrade(postgres_dsn)
    house = House()
    async with PostgresStore(PostgresSettings(dsn=postgres_dsn)) as house.store:
        first, second = house.process("w1"), house.process("w2")
        await first.upkeep.begin()
        await first.feed.assign(house.inputs)
        house.send(registrations(3))
        records, now = await first.feed.poll(100, 0), await house.store.now()
        await first.hallway.carry(records, "w1", first.holdings.ranges(records, now), now)
        publish = first.publisher.publish

        async def slowly(rows):
            await asyncio.sleep(MEETING_S)
            await publish(rows)

        first.publisher.publish = slowly
        await asyncio.gather(*(process.relay.turn(hurry=True) for process in (first, second)))
    evidence = Evidence()
    await read_database(evidence, postgres_dsn)
    evidence.repeats = 0
    for place, there in house.topics.records.items():
        evidence.topics[place.topic] += map(came_in, there)
        evidence.ends[tuple(place)] = len(there)
    says_nothing(judge(evidence))
