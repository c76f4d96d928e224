"""Workers on one store that are told of the same invoices."""

from datetime import UTC, datetime

from builders import OWNER, SOURCES, a_contract, a_milestone, an_amendment, record_of, registered

from contracts_schema.records import Record
from contracts_schema.rows import OffsetRange, Partition
from services.reconciliation.policy import Policy, make_rules
from services.reconciliation.state import decode_state
from services.reconciliation.view import standings
from services.runtime.hallway import Hallway
from services.runtime.outgoing import Topics
from services.runtime.reading import Reader

CODE = "INVOICE_CLAIMED_TWICE"
NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
NOW_US = int(NOW.timestamp()) * 1_000_000


class Worker:
    """One worker on this store, with partitions of its own."""

    def __init__(self, store, name):
        rules = make_rules({n: s.role for n, s in SOURCES.items()}, {}, Policy(), "ap")
        self.store, self.name, self.rules = store, name, rules
        self.partitions = {source.topic: Partition(source.topic, int(name)) for source in SOURCES.values()}
        self.hallway = Hallway(store, Reader(SOURCES, rules, OWNER), rules, Topics(), "1")
        self.offset = 0

    async def begin(self):
        await self.store.take(self.name, OWNER, set(self.partitions.values()))
        return self

    async def tell(self, *events):
        records, moves = [], []
        for event in events:
            self.offset += 1
            told = record_of(event, NOW, f"e{self.name}-{self.offset}")
            records.append(Record(told.topic, int(self.name), self.offset, told.timestamp, None, (), told.value))
        for topic in {record.topic for record in records}:
            offsets = [record.offset for record in records if record.topic == topic]
            moves.append(OffsetRange(OWNER, self.partitions[topic], min(offsets), max(offsets) + 1, 0))
        await self.hallway.carry(records, self.name, moves, NOW_US)

    async def look(self):
        """Look at what was woken, until nothing is."""
        while (await self.hallway.wake(0, 100, NOW_US)).woken:
            pass

    async def reasons(self):
        return {
            (name, s.position.milestone): {str(reason.code) for reason in s.position.reasons}
            async for name, raw in await self.store.states()
            for s in standings(decode_state(raw), self.rules)
        }


def plan(contract, *milestones, version=1, **terms):
    milestones = milestones or (a_milestone(requires=["invoiced"]),)
    more = {"amendment": an_amendment()} if version > 1 else {}
    return registered(a_contract(*milestones, contract=contract, version=version, **terms, **more))
