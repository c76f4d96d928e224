"""The processes of a real installation as tasks of the demo: the same worker, relay and gate, on feeds without a group.

The parts are put together as in a real process, less what a few seconds do not need: pages, upkeep, patience.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager

from connectors.embedded_kafka import AssignedFeed
from connectors.finance.tryton import TrytonFinance
from connectors.finance.web import WebSettings
from connectors.kafka import KafkaConnection, KafkaPublisher
from connectors.postgres import PostgresSettings, PostgresStore
from connectors.postgres.gate import PostgresWanted
from connectors.postgres.pool import Database
from connectors.telemetry import Telemetry
from contracts_schema.rows import Partition
from services.gate.answers import Voice
from services.gate.drive import Driver, Manner
from services.gate.intake import Door
from services.gate.loop import Gate, Pace, Tenure
from services.gate.ports import Wanted
from services.gate.scan import Scan
from services.runtime.appetite import Appetite
from services.runtime.hallway import Hallway
from services.runtime.health import Health
from services.runtime.holdings import Holdings
from services.runtime.lanes import Lanes
from services.runtime.leases import Leases
from services.runtime.relay import Relay
from services.runtime.upkeep import RULEBOOK
from services.runtime.worker import Worker
from services.settings import Settings
from services.wiring import RELEASE, doors

OWNER = "demo"
FLUSH_S = 5.0
PACE = Pace(poll_s=0.2, idle_s=0.03, scan_s=0.2)  # nobody wants to watch a gate wait


@asynccontextmanager
async def working(
    tasks: asyncio.TaskGroup, settings: Settings, kafka: KafkaConnection, store: PostgresStore, cluster: str,
    topics: list[str], telemetry: Telemetry,
) -> AsyncIterator[None]:  # fmt: skip
    """Worker and relay at work, until the block ends."""
    rules, names = settings.rules(), doors.written(settings)
    publisher, health = KafkaPublisher(kafka), Health(())
    await store.keep_rulebook(rules.rulebook, RULEBOOK)
    hallway = Hallway(store, doors.reader(settings, rules, cluster), rules, names, RELEASE)
    lanes = Lanes(store, rules, names, hallway.states, hallway.revisions, publisher.max_record_bytes, telemetry)
    relay = Relay(store, publisher, lanes, Leases(store, OWNER, settings.worker.lease_s), telemetry, health)
    appetite = Appetite(settings.worker.batch, settings.worker.batch_behind)
    holdings = Holdings(store, OWNER, cluster, appetite.most)
    feed = AssignedFeed(kafka, topics, holdings.assigned, holdings.revoked)
    worker = Worker(store, feed, hallway, holdings, telemetry, health, relay.wake, appetite)
    running: list[asyncio.Task[None]] = []
    try:
        await publisher.start()
        await feed.start()
        running += [tasks.create_task(worker.run()), tasks.create_task(relay.run())]
        yield
        worker.stop()
        relay.stop()
        await asyncio.wait(running)
        await relay.flush(FLUSH_S)
    finally:
        await _ended(running)
        await feed.stop()
        await publisher.stop()


@asynccontextmanager
async def gating(
    tasks: asyncio.TaskGroup, settings: Settings, kafka: KafkaConnection, store: PostgresStore, dsn: str
) -> AsyncIterator[Wanted]:
    """The gate of the one finance system at work, until the block ends; where it keeps what is wanted."""
    [(name, system)] = settings.finance.items()
    database, publisher = Database(PostgresSettings(dsn=dsn, name="milepost demo gate")), KafkaPublisher(kafka)
    finance = TrytonFinance(WebSettings(system.url, system.token_file, system.timeout_s))
    wanted, voice = PostgresWanted(database, name), Voice(name, system.topic)
    sources = (name, *([system.same_keys_as] if system.same_keys_as else []))
    manner = Manner(sources, system.mode == "act", system.unclaimed == "hold", first_s=0.2, settled_s=2)
    tenure = Tenure(store, f"gate/{name}", OWNER, PACE.lease_s)
    door = Door(wanted, voice, OWNER, store, alone=True)
    driver, scan = Driver(wanted, finance, voice, manner, tenure.may_act), Scan(wanted, finance, sources)

    async def assigned(partitions: Collection[Partition]) -> Mapping[Partition, int | None]:
        return await door.assigned(feed.cluster, partitions)

    feed = AssignedFeed(kafka, [settings.topics.commands], assigned, door.revoked)
    gate = Gate(door, driver, scan, tenure, wanted, finance, feed, publisher, PACE)
    running: list[asyncio.Task[None]] = []
    try:
        await database.open()
        await publisher.start()
        await feed.start()
        running += [tasks.create_task(gate.run())]
        yield wanted
        gate.stop()
        await asyncio.wait(running)
    finally:
        await _ended(running)
        await feed.stop()
        await publisher.stop()
        await finance.close()
        await database.close()


async def _ended(running: list[asyncio.Task[None]]) -> None:
    """Cancel what still runs, before what it stands on is closed. What a task ended by, its group raises."""
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
