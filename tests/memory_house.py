"""A whole hallway in memory: topics, store, workers and relays, and what reads the commands."""

import asyncio
import io
from collections import defaultdict

from msgspec.json import decode
from workload import SOURCES, TOPICS

from connectors.memory import MemoryStore
from connectors.memory_feed import MemoryFeed, MemoryPublisher, MemoryTopics
from connectors.telemetry import Telemetry
from contracts_schema.rows import Lane, Partition
from services.reconciliation.state import decode_state
from services.reconciliation.view import standings
from services.runtime.appetite import Appetite
from services.runtime.hallway import Hallway
from services.runtime.health import Health
from services.runtime.holdings import Holdings
from services.runtime.lanes import Lanes
from services.runtime.leases import Leases
from services.runtime.pressure import Pressure
from services.runtime.relay import Relay
from services.runtime.upkeep import Upkeep
from services.runtime.worker import Worker
from services.settings import check
from services.wiring import doors
from services.wiring.doors import written

PARTITIONS = 2
OUT = ("finance.commands", "milestone.decisions", "milestone.snapshots", "milepost.quarantine", "milestone.notices")
RELEASE = "test"


class Process:
    """One worker with its relay, as `milepost run` has them. `start` runs both."""

    def __init__(self, house, name):
        self.house, self.name = house, name
        self.log = io.StringIO()
        self.telemetry = Telemetry(self.log, owner=name)
        self.health = Health(("store", "publisher"))
        store, topics, rules = house.store, written(house.settings), house.settings.rules()
        reader = doors.reader(house.settings, rules, house.topics.cluster)
        self.hallway = Hallway(store, reader, rules, topics, house.release)
        self.holdings = Holdings(store, name, house.topics.cluster, records_at_once=house.batch)
        self.feed = MemoryFeed(house.topics, self.holdings.assigned, self.holdings.revoked)
        self.publisher = MemoryPublisher(house.topics)
        most, states, revisions = self.publisher.max_record_bytes, self.hallway.states, self.hallway.revisions
        lanes = Lanes(store, rules, topics, states, revisions, most, self.telemetry)
        self.leases = Leases(store, name, house.lease_s)
        self.relay = Relay(store, self.publisher, lanes, self.leases, self.telemetry, self.health)
        pressure = Pressure(house.outbox_rows)
        self.upkeep = Upkeep(store, self.feed, rules, house.release, self.telemetry, self.health, pressure)
        self.worker = Worker(
            store,
            self.feed,
            self.hallway,
            self.holdings,
            self.telemetry,
            self.health,
            self.relay.wake,
            Appetite(house.batch, house.batch),
            pressure,
        )
        self.tasks = []

    def start(self):
        self.tasks = [asyncio.create_task(part.run()) for part in (self.worker, self.relay)]

    async def stop(self):
        self.worker.stop()
        self.relay.stop()
        await asyncio.gather(*self.tasks)
        await self.relay.flush(5)

    async def die(self):
        """As kill -9: nothing is finished, nothing is given back."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def counted(self, metric, **labels):
        return self.telemetry.registry.get_sample_value(metric, labels) or 0


class House:
    def __init__(self):
        self.settings = check({"sources": SOURCES})
        self.store = MemoryStore()
        self.topics = MemoryTopics(dict.fromkeys((*TOPICS, *OUT), PARTITIONS))
        self.inputs = [Partition(topic, n) for topic in TOPICS for n in range(PARTITIONS)]
        self.batch, self.lease_s, self.release = 100, 0.5, RELEASE
        self.outbox_rows = 1000
        self.processes = []

    def process(self, name="w1"):
        self.processes.append(Process(self, name))
        return self.processes[-1]

    async def running(self, name="w1"):
        """A process that has all partitions, started."""
        process = self.process(name)
        await process.upkeep.begin()
        await process.feed.assign(self.inputs)
        process.start()
        return process

    def send(self, events):
        for event in events:
            self.topics.append(event.topic, event.key, event.value, event.headers, event.timestamp)

    async def until(self, question, within_s=30):
        async with asyncio.timeout(within_s):
            while not question():
                for process in self.processes:
                    for task in process.tasks:
                        if task.done() and not task.cancelled() and task.exception():
                            raise task.exception()
                await asyncio.sleep(0.01)

    def carried(self):
        """How many records were carried."""
        return sum(state.next or 0 for state in self.store._tables.offsets.values())

    def roused(self):
        """Whether a contract is to be looked at now."""
        return any(review.moment == 0 for review in self.store._tables.reviews())

    def read_all(self):
        """Every record was carried, nothing is to be looked at now, and the outbox is empty."""
        sent = sum(len(self.topics.records[partition]) for partition in self.inputs)
        return self.carried() == sent and not self.store._tables.outbox and not self.roused()

    async def settled(self, within_s=30):
        await self.until(self.read_all, within_s)

    def out(self, topic="finance.commands"):
        records = [r for n in range(PARTITIONS) for r in self.topics.records[Partition(topic, n)]]
        return [None if r.value is None else decode(r.value) for r in records]

    def commands(self):
        """By contract, in the order of the topic."""
        found = defaultdict(list)
        for command in self.out():
            found[command["contract"]].append(command)
        return found

    async def positions(self):
        rules = self.settings.rules()
        return {
            (name, s.position.milestone): s.position
            async for name, raw in await self.store.states()
            for s in standings(decode_state(raw), rules)
        }

    async def allowed(self):
        """The same whatever the order of arrival (law 1), unlike what was released."""
        return {place: p.allowed for place, p in (await self.positions()).items()}

    async def released(self):
        return {place: p.released for place, p in (await self.positions()).items()}

    def waiting(self, lane=Lane.COMMANDS):
        return [row for row, _ in self.store._tables.outbox.values() if row.lane == lane]
