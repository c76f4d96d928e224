"""Wires `milepost run`: the worker on Kafka and Postgres, with its relay, its upkeep and its pages."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import os
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from connectors.kafka import FeedSettings, KafkaFeed, KafkaPublisher, PublisherSettings
from connectors.kafka.cluster import administering, cluster_id
from connectors.kafka.topics import unsafe
from connectors.postgres import PostgresStore
from connectors.telemetry import Telemetry
from contracts_schema.errors import ConfigurationError, TransientError
from contracts_schema.rows import Lane
from services import settings as s
from services.runtime.appetite import Appetite
from services.runtime.hallway import Hallway
from services.runtime.health import Health, pages
from services.runtime.holdings import Holdings
from services.runtime.lanes import Lanes
from services.runtime.leases import Leases
from services.runtime.pressure import Pressure
from services.runtime.relay import EXPLAINING, Relay
from services.runtime.upkeep import Upkeep
from services.runtime.worker import Worker
from services.wiring import RELEASE, doors
from services.wiring.adopt import start_faults
from services.wiring.failpoints import arm_failpoints
from services.wiring.persons import keep_people, key_faults
from services.wiring.serving import patiently, serving, told_to_stop, traced

FLUSH_S = 5.0
M_MMAP_THRESHOLD = -3  # of mallopt, in glibc's malloc.h
LARGE_BYTES = 128 * 1024


def run_worker(config: Path) -> None:
    """Work until SIGTERM or SIGINT.

    Raises:
        ConfigurationError: the config, the broker or the database is not fit; every fault is listed.
        TransientError: the broker or the database did not answer within a minute.
    """
    settings = s.load(config)
    if settings.kafka.embedded or settings.postgres.embedded:
        raise ConfigurationError(["embedded: true is for `milepost demo` alone; name a broker and a database"])
    # Not on uvloop: there aiokafka's group coordinator dies of a RuntimeError when a broker closes the connection under
    # it, and the worker, which spends its time deciding, gains nothing.
    arm_failpoints()
    _spare_the_collector()
    _give_buffers_back()
    asyncio.run(_run(settings))


def _spare_the_collector() -> None:
    """A batch makes a hundred thousand short-lived values and no circles to speak of: look for circles rarely."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(1_000_000, 10, 10)


def _give_buffers_back() -> None:
    """Fetched buffers are as large as a megabyte, and many. Left to itself glibc soon takes such blocks from its heap,
    where small values that live longer keep them from going back: a fifth of the memory."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)


async def _run(settings: s.Settings) -> None:
    owner = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"
    telemetry = Telemetry(owner=owner, release=RELEASE)
    telemetry.libraries_too()
    try:
        with traced("worker", settings, RELEASE):
            async with _store(settings) as store:
                await _work(settings, owner, telemetry, store)
    except (ConfigurationError, TransientError):
        raise
    except Exception as defect:
        telemetry.defect("a defect ends this process", defect)
        raise


@asynccontextmanager
async def _store(settings: s.Settings) -> AsyncIterator[PostgresStore]:
    # Who stands still in the middle of a batch holds locks that others wait for: not longer than the group waits.
    store = PostgresStore(doors.postgres(settings, "milepost worker", idle_s=settings.worker.session_s))
    await patiently(store.open)
    try:
        yield store
    finally:
        await store.close()


async def _work(settings: s.Settings, owner: str, telemetry: Telemetry, store: PostgresStore) -> None:
    health = Health(("partitions", "store", "publisher"))
    async with serving(pages(health, telemetry.metrics), settings.http) as address:
        telemetry.event("info", "starting", http=address, pid=os.getpid())
        cluster = await _examine(settings, store)
        house = _House(settings, owner, cluster, telemetry, health, store)
        await patiently(lambda: keep_people(settings, store))
        await patiently(house.upkeep.begin)
        await house.live(told_to_stop())


async def _examine(settings: s.Settings, store: PostgresStore) -> str:
    """The cluster's id, once everything is safe to start on. Raises ConfigurationError with every fault."""
    faults, cluster = await patiently(lambda: _looked_at(settings, store))
    if faults:
        raise ConfigurationError(faults)
    return cluster


async def _looked_at(settings: s.Settings, store: PostgresStore) -> tuple[list[str], str]:
    connection = doors.kafka(settings)
    faults, cluster = [*await store.check()], ""
    try:
        faults += await unsafe(
            connection, doors.topics(settings), settings.kafka.max_record_bytes, settings.kafka.replication
        )
        async with administering(connection) as client:
            cluster = await cluster_id(client)
        faults += await start_faults(settings, store) if not faults else []
        faults += await key_faults(settings, store) if not faults else []
    except ConfigurationError as refused:
        faults += refused.faults
    return faults, cluster


class _House:
    """The parts of one worker process, and their life."""

    def __init__(
        self, settings: s.Settings, owner: str, cluster: str, telemetry: Telemetry, health: Health, store: PostgresStore
    ) -> None:
        connection, rules, topics = doors.kafka(settings), settings.rules(), doors.written(settings)
        sources, most = settings.source_table(), settings.kafka.max_record_bytes
        appetite = Appetite(settings.worker.batch, settings.worker.batch_behind)
        self.telemetry, self.health = telemetry, health
        self.holdings = Holdings(store, owner, cluster, appetite.most)
        self.feed = KafkaFeed(
            connection, {source.topic for source in sources.values()}, self.holdings.assigned, self.holdings.revoked,
            FeedSettings(
                group=settings.kafka.group, drain_s=settings.worker.drain_s, session_s=settings.worker.session_s,
                heartbeat_s=settings.worker.session_s / 10,
            ),
        )  # fmt: skip
        self.publisher = KafkaPublisher(connection, PublisherSettings(max_record_bytes=most))
        keep_days = settings.worker.keep_records_days
        hallway = Hallway(
            store, doors.reader(settings, rules, cluster), rules, topics, RELEASE, most, keeps=keep_days > 0
        )
        lanes = Lanes(store, rules, topics, hallway.states, hallway.revisions, most, telemetry)
        self.relays = [
            Relay(
                store, self.publisher, lanes, Leases(store, owner, settings.worker.lease_s), telemetry, health, wanted
            )
            for wanted in ((Lane.COMMANDS,), EXPLAINING)
        ]
        pressure = Pressure(settings.worker.outbox_rows)
        self.upkeep = Upkeep(store, self.feed, rules, RELEASE, telemetry, health, pressure, keep_days)
        self.worker = Worker(
            store, self.feed, hallway, self.holdings, telemetry, health, self._committed, appetite, pressure
        )

    @property
    def parts(self) -> list[Worker | Upkeep | Relay]:
        """Everything that runs until it is told to stop."""
        return [self.worker, self.upkeep, *self.relays]

    def _committed(self) -> None:
        for relay in self.relays:
            relay.wake()

    async def live(self, told: asyncio.Event) -> None:
        """Work until told to stop, or until a part ends by an error, which is raised."""
        await patiently(self.publisher.start)
        await patiently(self.feed.start)
        self.health.fine("partitions")
        self.telemetry.event("info", "ready", cluster=self.feed.cluster)
        parts = [asyncio.create_task(part.run()) for part in self.parts]
        stop = asyncio.create_task(told.wait())
        try:
            await asyncio.wait({stop, *parts}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
            await self._end(parts)
        for part in parts:
            part.result()

    async def _end(self, parts: list[asyncio.Task[None]]) -> None:
        """Finish the running batch, leave the group, say what is left to say, give the leases back."""
        self.telemetry.event("info", "stopping")
        self.health.fault("partitions", "stopping")
        for part in self.parts:
            part.stop()
        await asyncio.gather(*parts, return_exceptions=True)
        with contextlib.suppress(TransientError):
            await self.feed.stop()
        for relay in self.relays:  # commands first
            await relay.flush(FLUSH_S)
        await self.publisher.stop()
