"""Wires `milepost gate`: a gate for each finance system of the configuration, on Kafka and Postgres."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import socket
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from connectors.finance.http import HttpFinance
from connectors.finance.tryton import TrytonFinance
from connectors.finance.web import WebSettings
from connectors.kafka import FeedSettings, KafkaFeed, KafkaPublisher, PublisherSettings
from connectors.kafka.tell import filled
from connectors.kafka.topics import unsafe
from connectors.postgres import PostgresSettings, PostgresStore
from connectors.postgres.gate import PostgresWanted
from connectors.postgres.pool import Database
from connectors.telemetry import Telemetry
from contracts_schema.errors import ConfigurationError, TransientError
from contracts_schema.payables import Finding, Refusal
from contracts_schema.rows import Partition
from services import settings as s
from services.gate.answers import Voice
from services.gate.drive import Driver, Manner
from services.gate.holders import HiddenHolders
from services.gate.informed import Informed
from services.gate.intake import Door
from services.gate.loop import Gate, Pace, Tenure
from services.gate.ports import Finance
from services.gate.scan import Scan
from services.runtime.health import Health, pages
from services.system_settings import FinanceSettings
from services.wiring import RELEASE, doors
from services.wiring.failpoints import arm_failpoints
from services.wiring.persons import keep_names, key_faults
from services.wiring.serving import patiently, serving, told_to_stop, traced

CONNECTIONS = 12  # of each gate: looks, and around each release a second one
IDLE_S = 60.0  # how long a look may wait for finance before the database ends its transaction


def run_gate(config: Path, only: str | None = None) -> None:
    """Drive the finance systems, or the `only` one, until SIGTERM or SIGINT.

    Raises:
        ConfigurationError: the config, the broker, the database or a finance system is not fit; every fault is listed.
        TransientError: the broker or the database did not answer within a minute.
    """
    settings = s.load(config)
    if settings.kafka.embedded or settings.postgres.embedded:
        raise ConfigurationError(["embedded: true is for `milepost demo` alone; name a broker and a database"])
    arm_failpoints()
    with traced("gate", settings, RELEASE):
        asyncio.run(_run(settings, systems(settings, only)))


def systems(settings: s.Settings, only: str | None) -> dict[str, FinanceSettings]:
    """The finance systems to drive. Raises ConfigurationError where there is none."""
    wanted = {name: system for name, system in settings.finance.items() if only in (None, name)}
    if not wanted:
        known = ", ".join(settings.finance) or "none"
        raise ConfigurationError([f"finance: there is no {only or 'finance system'}; configured: {known}"])
    return wanted


async def found(settings: s.Settings) -> tuple[list[Finding], list[Refusal]]:
    """What `drift` shows: findings about invoices in all finance systems, and the newest refused commands."""
    database = Database(_postgres(settings))
    await database.open()
    try:
        stores = [PostgresWanted(database, name) for name in settings.finance]
        findings = [finding for store in stores for finding in await store.findings()]
        refusals = [refusal for store in stores for refusal in await store.refusals(100)]
        return sorted(findings, key=lambda f: f.since), refusals
    finally:
        await database.close()


async def _run(settings: s.Settings, wanted: Mapping[str, FinanceSettings]) -> None:
    owner = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"
    telemetry, health = Telemetry(owner=owner, release=RELEASE, name="gate"), Health(())
    telemetry.libraries_too()
    logging.getLogger("services.gate").setLevel(logging.INFO)  # every call to finance is worth a line
    async with AsyncExitStack() as stack:
        store = PostgresStore(_postgres(settings))
        await patiently(lambda: stack.enter_async_context(store))
        await _refuse_unfit(settings, store)
        routes = pages(health, telemetry.metrics)
        address = await stack.enter_async_context(serving(routes, settings.http))
        gates = [
            await stack.enter_async_context(_gate(settings, name, system, store, owner, health))
            for name, system in wanted.items()
        ]
        telemetry.registry.register(_Figures(dict(zip(wanted, gates, strict=True))))
        telemetry.event("info", "ready", http=address, pid=os.getpid())
        await _live(gates)


@asynccontextmanager
async def _gate(
    settings: s.Settings, name: str, system: FinanceSettings, store: PostgresStore, owner: str, health: Health
) -> AsyncIterator[Gate]:  # fmt: skip
    """One finance system's gate, with everything it needs open for the block."""
    async with AsyncExitStack() as stack:
        database = Database(_postgres(settings))
        await patiently(database.open)
        stack.push_async_callback(database.close)
        finance = finance_of(system)
        stack.push_async_callback(finance.close)
        with contextlib.suppress(TransientError):  # it may be away now; it is asked again before anything is done
            await finance.check()
        seen = _without_names(settings, finance, store)
        wanted, voice = PostgresWanted(database, name), Voice(name, settings.source_table()[name].topic)
        publisher = KafkaPublisher(doors.kafka(settings), PublisherSettings(settings.kafka.max_record_bytes))
        await patiently(publisher.start)
        stack.push_async_callback(publisher.stop)
        pace = Pace(lease_s=settings.worker.lease_s)
        door = Door(wanted, voice, owner, store, alone=len(settings.finance) == 1)
        tenure = Tenure(store, f"gate/{name}", owner, pace.lease_s)
        sources = (name, *([system.same_keys_as] if system.same_keys_as else []))
        manner = Manner(sources, system.mode == "act", system.unclaimed == "hold", settings.policy.reassert_holds)
        driver, scan = Driver(wanted, seen, voice, manner, tenure.may_act), Scan(wanted, seen, sources)

        async def assigned(partitions: Collection[Partition]) -> Mapping[Partition, int | None]:
            return await door.assigned(feed.cluster, partitions)

        group = FeedSettings(
            group=f"{settings.kafka.group}-gate-{name}", drain_s=settings.worker.drain_s,
            session_s=settings.worker.session_s, heartbeat_s=settings.worker.session_s / 10,
        )  # fmt: skip
        feed = KafkaFeed(doors.kafka(settings), [settings.topics.commands], assigned, door.revoked, group)
        await patiently(feed.start)
        stack.push_async_callback(feed.stop)
        informed = Informed(
            wanted, lambda: feed.cluster, partial(filled, doors.kafka(settings), settings.topics.commands)
        )
        yield Gate(door, driver, scan, tenure, wanted, seen, feed, publisher, pace, health, informed)


def _without_names(settings: s.Settings, finance: Finance, store: PostgresStore) -> Finance:
    """The finance system, with pseudonyms in place of its users where the configuration wants them."""
    persons = settings.persons()
    return finance if persons is None else HiddenHolders(finance, persons, partial(keep_names, store))


def finance_of(system: FinanceSettings) -> TrytonFinance | HttpFinance:
    """The door to a finance system, by its dialect."""
    reached = WebSettings(system.url, system.token_file, system.timeout_s, system.cafile, system.plain_http)
    return TrytonFinance(reached, system.company) if system.dialect == "tryton" else HttpFinance(reached)


async def _live(gates: Collection[Gate]) -> None:
    """Run all gates until told to stop, or until one ends by an error, which is raised."""
    told = told_to_stop()
    running = [asyncio.create_task(gate.run()) for gate in gates]
    stop = asyncio.create_task(told.wait())
    try:
        await asyncio.wait({stop, *running}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.cancel()
        for gate in gates:
            gate.stop()
        ended = await asyncio.gather(*running, return_exceptions=True)
    for end in ended:
        if isinstance(end, BaseException):
            raise end


async def _refuse_unfit(settings: s.Settings, store: PostgresStore) -> None:
    """Raises ConfigurationError with every fault of database and topics."""
    faults = [*await patiently(store.check)]
    faults += await patiently(lambda: key_faults(settings, store, begins=False)) if not faults else []
    faults += await patiently(
        lambda: unsafe(
            doors.kafka(settings), doors.topics(settings), settings.kafka.max_record_bytes, settings.kafka.replication
        )
    )
    if faults:
        raise ConfigurationError(faults)


def _postgres(settings: s.Settings) -> PostgresSettings:
    return doors.postgres(settings, "milepost gate", connections=CONNECTIONS, idle_s=IDLE_S)


class _Figures(Collector):
    """What the gates counted, as metrics."""

    def __init__(self, gates: Mapping[str, Gate]) -> None:
        self._gates = gates

    def collect(self) -> Iterable[Metric]:
        commands = CounterMetricFamily("milepost_gate_commands", "Commands taken in.", labels=["source", "verdict"])
        calls = CounterMetricFamily("milepost_gate_calls", "Calls to finance, by end.", labels=["source", "call"])
        acting = GaugeMetricFamily("milepost_gate_acting", "Whether this process may act.", labels=["source"])
        for name, gate in self._gates.items():
            for verdict, count in gate.door.counts.items():
                commands.add_metric([name, verdict], count)
            for call, count in gate.driver.counts.items():
                calls.add_metric([name, call], count)
            acting.add_metric([name], float(gate.tenure.may_act()))
        return [commands, calls, acting]
