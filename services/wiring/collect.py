"""Wires `milepost collect`: pollers and the receiver of webhooks, with what they share."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from connectors.erp.tryton import TrytonPoller, context_headers
from connectors.http_server import serving
from connectors.kafka import KafkaPublisher, PublisherSettings
from connectors.postgres import PostgresSettings, PostgresStore
from connectors.postgres.cursor import PostgresCursor
from connectors.project.redmine import RedminePoller
from connectors.rest import Rest, RestSettings
from connectors.telemetry import Telemetry
from connectors.webhooks import Hook, receiver
from contracts_schema.errors import ConfigurationError
from services import settings as s
from services.ports import Poller
from services.runtime.collect import Collector, Means, Pace, collect
from services.runtime.health import Health, pages
from services.runtime.leases import Leases
from services.system_settings import Collect
from services.wiring import RELEASE, doors
from services.wiring.failpoints import arm_failpoints
from services.wiring.serving import address, patiently, told_to_stop

STALLED_S = 900.0  # a slow system may take some minutes for a page; that is no reason to be started anew
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
READY = "started"


async def run(config: Path) -> None:
    """Collect until told to stop. The log says at which address webhooks and the pages of health are served.

    Raises:
        ConfigurationError: the set-up is not fit; every fault is named.
        TransientError: the database or the broker did not answer within a minute.
    """
    settings = s.load(config)
    if settings.kafka.embedded or settings.postgres.embedded:
        raise ConfigurationError(["embedded: true is for `milepost demo` alone; name a broker and a database"])
    arm_failpoints()
    rests, hooks = _rests(settings), hooks_of(settings)
    telemetry, health = Telemetry(release=RELEASE, name="collect"), Health((READY,), STALLED_S)
    telemetry.libraries_too()
    publisher = KafkaPublisher(doors.kafka(settings), PublisherSettings(settings.kafka.max_record_bytes))

    def count(source: str, outcome: str) -> None:
        telemetry.count("milepost_webhooks_total", source=source, outcome=outcome)

    app = receiver(hooks, publisher.publish, count, pages(health, telemetry.metrics))
    async with AsyncExitStack() as stack:
        store, cursor = PostgresStore(_postgres(settings)), PostgresCursor(_postgres(settings))
        await patiently(lambda: stack.enter_async_context(store))
        _refuse(list(await patiently(store.check)))
        await patiently(lambda: stack.enter_async_context(cursor))
        stack.push_async_callback(publisher.stop)
        await patiently(publisher.start)
        leases = Leases(store, f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}", settings.worker.lease_s)
        means = Means(publisher, cursor, leases, telemetry, health)
        collectors = [await _collector(stack, settings, name, rest, means) for name, rest in rests.items()]
        port = await stack.enter_async_context(serving(app, settings.http.host, settings.http.port))
        health.fine(READY)
        telemetry.event("info", "ready", http=address(settings.http.host, port), pid=os.getpid())
        stop = told_to_stop()
        await collect(collectors, leases, stop)
        await stop.wait()


def hooks_of(settings: s.Settings) -> list[Hook]:
    """The webhooks that are to be received."""
    return [
        Hook(
            source=name, topic=source.topic, path=hook.path, secret_file=hook.secret_file, header=hook.header,
            scheme=hook.scheme, prefix=hook.prefix, kind=hook.kind, delivery_header=hook.delivery_header,
        )
        for name, source in settings.sources.items()
        if (hook := source.webhook) is not None
    ]  # fmt: skip


def seconds(text: str) -> float:
    """A span such as 30s, 500ms, 5m, 24h, in seconds."""
    unit = text.lstrip("0123456789")
    return int(text.removesuffix(unit)) * UNITS[unit]


def _rests(settings: s.Settings) -> dict[str, Rest]:
    """A way to ask, by the name of each source that is to be asked. Raises ConfigurationError with every fault."""
    rests: dict[str, Rest] = {}
    faults: list[str] = []
    for name, source in settings.sources.items():
        if source.collect is None:
            continue
        try:
            rests[name] = _rest(source.dialect, source.collect)
            rests[name].check()
        except ConfigurationError as error:
            faults += [f"sources.{name}: {fault}" for fault in error.faults]
    if not rests and not faults and not any(source.webhook for source in settings.sources.values()):
        faults.append("sources: none has collect or webhook, so there is nothing to collect")
    _refuse(faults)
    return rests


def _rest(dialect: str, wanted: Collect) -> Rest:
    headers = {"tryton": ("Authorization", "bearer "), "redmine": ("X-Redmine-API-Key", "")}
    if dialect not in headers:
        raise ConfigurationError([f"collect: a system of dialect {dialect} cannot be asked; it has to tell by itself"])
    key_header, key_prefix = headers[dialect]
    wanted_headers = context_headers(wanted.company)
    asked = RestSettings(
        wanted.url, wanted.token_file, key_header, key_prefix, wanted_headers, wanted.cafile, wanted.plain_http
    )
    return Rest(asked)


async def _collector(stack: AsyncExitStack, settings: s.Settings, name: str, rest: Rest, means: Means) -> Collector:
    source, wanted = settings.source_table()[name], settings.sources[name].collect
    assert wanted is not None  # noqa: S101  only such sources have a way to be asked
    await stack.enter_async_context(rest)
    poller: Poller = (
        RedminePoller(rest, wanted.projects)
        if source.dialect == "redmine"
        else TrytonPoller(rest, wanted.gate_user, wanted.company)
    )
    pace = Pace(every_s=seconds(wanted.every), sweep_every_s=seconds(wanted.sweep_every))
    return Collector(source, poller, means, pace)


def _postgres(settings: s.Settings) -> PostgresSettings:
    return doors.postgres(settings, "milepost collect", connections=4)


def _refuse(faults: Sequence[str]) -> None:
    if faults:
        raise ConfigurationError(faults)
