"""A store that lies behind what finance has seen says nothing until that has been taken over, on every store."""

import json

import pytest
import yaml
from builders import Story, a_contract, a_milestone, invoice, met, micros, registered
from desk import CONFIG
from msgspec.structs import replace

from connectors.memory import MemoryStore
from connectors.memory_gate import MemoryWanted
from contracts_schema.records import Record
from contracts_schema.rows import Lane, OffsetRange, Partition
from services.gate.answers import Voice
from services.gate.fence import read_command
from services.gate.intake import Door
from services.gate.memory import contract_memory
from services.history.verify import verify
from services.reconciliation.state import decode_state
from services.runtime.hallway import Hallway
from services.runtime.outgoing import Topics, packed_rows
from services.runtime.reading import Reader
from services.settings import check
from services.wiring import adopt, doors

PLAN = a_contract(a_milestone("M1", requires=["met", "invoiced"]), a_milestone("M2", requires=["met"]))


@pytest.fixture
def settings():
    return check(yaml.safe_load(CONFIG) | {"sources": yaml.safe_load(CONFIG)["sources"] | {
        "portal": {"dialect": "milepost", "role": "supplier_portal", "topic": "portal.events"}}})  # fmt: skip


TOPICS = {"register": "contract.events", "pm": "project.events", "portal": "portal.events"}


class House:
    """A store with its hallway. What it said lies in `topic`."""

    def __init__(self, settings, store):
        self.store, self.settings, self.topic, self.offset = store, settings, [], 0
        self.story, rules = Story(), settings.rules()
        self.hallway = Hallway(store, Reader(settings.source_table(), rules, "here"), rules, Topics(), "test")

    async def hear(self, *events):
        """Carry events through, as a worker would; the commands that follow."""
        said = []
        for event in events:
            made, topic = self.story.record(event), TOPICS[event.source]
            record = Record(topic, 0, self.offset, made.timestamp, None, made.headers, made.value)
            now = micros(self.story.now)
            await self.store.take("w", "here", {Partition(topic, 0)})
            moved = OffsetRange("here", Partition(topic, 0), self.offset, self.offset + 1, now)
            reports = [await self.hallway.carry([record], "w", [moved], now)]
            while (report := await self.hallway.wake(0, 100, now)).woken:
                reports.append(report)
            self.offset += 1
            said += [row for report in reports for row in report.said.commands]
        self.topic += [Record("finance.commands", 0, n, 0, r.key, r.headers, r.value) for n, r in enumerate(said)]
        return [json.loads(row.value) for row in said]

    async def proves(self, contract="C-1"):
        rows = await self.store.log(contract)
        rules = self.settings.rules().rulebook
        return verify(contract, rows, decode_state(await self.store.state(contract)), {rules.hash: rules}).faults == []


@pytest.fixture
async def first(settings, monkeypatch):
    """The house as it was: M1 released 60.00, M2 all of it. Its commands lie in the topic."""
    house = House(settings, MemoryStore())
    await house.hear(registered(PLAN), invoice("60.00"), met("M1"), met("M2"))

    async def scan_topic(_settings, topic, last=None):
        assert topic == "finance.commands"
        yield house.topic[-last:] if last else house.topic

    monkeypatch.setattr(doors, "scan_topic", scan_topic)
    return house


def told(changes):
    return [
        json.loads(row.value) for lane, body in changes.outbox if lane == Lane.COMMANDS for row in packed_rows(body)
    ]


async def behind(house, *not_ours, last=None):
    return await adopt._behind(house.settings, house.store, last, not_ours)


async def test_a_store_that_knows_everything_may_start(first):
    assert await adopt.start_faults(first.settings, first.store) == []
    assert await behind(first) == []


async def test_a_store_restored_to_an_earlier_moment_numbers_on_above_what_finance_has_seen(first, settings, store):
    restored = House(settings, store)
    await restored.hear(registered(PLAN), invoice("60.00"))
    (fault,) = await adopt.start_faults(settings, store)
    assert "sequence 5" in fault
    assert "milepost db adopt" in fault
    (seen,) = await behind(restored)
    assert (seen.sequence, len(seen.unknown), seen.milestones["M1"].released) == (5, 2, 6_000)
    anew = told(await adopt.take_over(settings, store, [seen]))
    assert [(c["sequence"], c["milestone"], c["released_to_date"]["amount"]) for c in anew] == [
        (6, "M1", "60.00"), (7, "M2", "100.00"),
    ]  # fmt: skip
    assert await behind(restored) == []
    assert await adopt.start_faults(settings, store) == []
    (later,) = await restored.hear(invoice("10.00", "I-2"))
    assert (later["sequence"], later["released_to_date"]["amount"]) == (8, "60.00")
    assert await restored.proves()


async def test_a_store_built_anew_begins_above_what_finance_has_seen(first, settings, store):
    anew = House(settings, store)
    (seen,) = await behind(anew)
    assert told(await adopt.take_over(settings, store, [seen])) == []
    said = await anew.hear(registered(PLAN), invoice("60.00"), met("M1"), met("M2"))
    assert [c["sequence"] for c in said] == [6, 7, 8]
    assert {c["milestone"]: c["released_to_date"]["amount"] for c in said} == {"M1": "60.00", "M2": "100.00"}
    assert await behind(anew) == []
    assert await anew.proves()


async def test_taken_over_twice_is_taken_over_once(first, settings, store):
    anew = House(settings, store)
    for _ in range(2):
        for seen in await behind(anew):
            await adopt.take_over(settings, store, [seen])
    assert len(await store.log("C-1")) == 1


async def test_a_command_that_is_not_ours_counts_for_its_number_alone(first, settings, store):
    newest = read_command(first.topic[-1])
    (seen,) = await behind(House(settings, store), newest.command_id)
    assert (seen.sequence, seen.milestones["M2"].released) == (5, 0)
    assert newest.command_id in seen.unknown


async def test_what_is_no_command_stops_nobody(first, settings):
    first.topic.append(Record("finance.commands", 0, 99, 0, b"C-1", (), b"nonsense"))
    assert await adopt.start_faults(settings, first.store) == []


# -- the gate ----------------------------------------------------------------------------------------------------------


async def upto(house, records):
    """How far the sequence of C-1 is without a gap for a gate that reads these records, its memory as new."""
    wanted = MemoryWanted("ap-eu")
    door = Door(wanted, Voice("ap-eu", "finance.events"), "gate-1", house.store, alone=True)
    await door.assigned("here", {Partition("finance.commands", 0)})
    await door.take_in([replace(record, offset=n) for n, record in enumerate(records)])
    return contract_memory(wanted.contracts["C-1"]).upto


async def test_the_gate_waits_for_no_sequence_that_was_taken_over(first, settings, store):
    anew = House(settings, store)
    assert await upto(first, first.topic) == 5
    (seen,) = await behind(anew)
    await adopt.take_over(settings, store, [seen])
    await anew.hear(registered(PLAN), met("M2"))
    assert await upto(anew, [*first.topic, *anew.topic]) == 7


async def test_a_gap_that_was_not_taken_over_is_waited_for(first):
    assert await upto(first, [*first.topic[:2], *first.topic[3:]]) == 2
