"""The processes of a real installation, as tasks of the demo: the same worker and relay, on a feed without a group."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from connectors.embedded_kafka import AssignedFeed
from connectors.kafka import KafkaConnection, KafkaPublisher
from connectors.postgres import PostgresStore
from connectors.telemetry import Telemetry
from services.runtime.hallway import Hallway
from services.runtime.health import Health
from services.runtime.holdings import Holdings
from services.runtime.lanes import Lanes
from services.runtime.leases import Leases
from services.runtime.outgoing import Topics
from services.runtime.reading import Reader
from services.runtime.relay import Relay
from services.runtime.worker import Worker
from services.settings import Settings
from services.wiring import RELEASE

OWNER = "demo"
FLUSH_S = 5.0


@asynccontextmanager
async def working(
    tasks: asyncio.TaskGroup, settings: Settings, kafka: KafkaConnection, store: PostgresStore, cluster: str,
    topics: list[str], telemetry: Telemetry, on_commit: Callable[[], None],
) -> AsyncIterator[None]:  # fmt: skip
    """Worker and relay at work, until the block ends."""
    rules, names = settings.rules(), Topics(**settings.topics.model_dump())
    publisher, health = KafkaPublisher(kafka), Health(())
    await store.keep_rulebook(rules.rulebook)
    lanes = Lanes(store, rules, names, publisher.max_record_bytes, telemetry)
    relay = Relay(store, publisher, lanes, Leases(store, OWNER, settings.worker.lease_s), telemetry, health)
    hallway = Hallway(store, Reader(settings.source_table(), rules, cluster), rules, names, RELEASE)
    holdings = Holdings(store, OWNER, cluster, settings.worker.batch)
    feed = AssignedFeed(kafka, topics, holdings.assigned, holdings.revoked)

    def committed() -> None:
        relay.wake()
        on_commit()

    worker = Worker(store, feed, hallway, holdings, telemetry, health, committed, settings.worker.batch)
    try:
        await publisher.start()
        await feed.start()
        running = [tasks.create_task(worker.run()), tasks.create_task(relay.run())]
        yield
        worker.stop()
        relay.stop()
        await asyncio.wait(running)
        await relay.flush(FLUSH_S)
    finally:
        await feed.stop()
        await publisher.stop()
