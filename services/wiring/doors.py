"""Doors as the configuration describes them: how Postgres and Kafka are reached, and which topics there should be."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from contracts_schema.errors import ConfigurationError
from contracts_schema.rows import Partition

if TYPE_CHECKING:
    from connectors.kafka import KafkaConnection
    from connectors.kafka.topics import Topic
    from connectors.postgres import PostgresSettings
    from contracts_schema.records import Record
    from services.ports import Store
    from services.reconciliation.policy import Rules
    from services.runtime.outgoing import Topics
    from services.runtime.reading import Reader
    from services.settings import Settings

# The topic of topics.yaml after whose pattern a source's topic is made, by the source's role.
PATTERNS: Mapping[str, str] = {
    "erp": "erp.events",
    "project": "project.events",
    "supplier_portal": "supplier.events",
    "finance": "finance.events",
    "register": "contract.events",
    "operator": "operator.events",
}
WRITTEN: Mapping[str, str] = {
    "commands": "finance.commands",
    "decisions": "milestone.decisions",
    "snapshots": "milestone.snapshots",
    "quarantine": "milepost.quarantine",
    "notices": "milestone.notices",
}


class Teller(Protocol):
    """Sends single records and says where they came to lie."""

    @property
    def cluster(self) -> str:
        """The id of the cluster: with topic, partition and offset it names a record."""

    async def tell(
        self,
        topic: str,
        key: bytes | None,
        headers: tuple[tuple[str, bytes | None], ...],
        value: bytes | None,
        partition: int | None = None,
    ) -> tuple[Partition, int]:
        """Send one record and wait until it is safe."""


def reader(settings: Settings, rules: Rules, cluster: str) -> Reader:
    """What reads records. Every process gets it here: with pseudonyms everywhere, or nowhere."""
    from services.runtime.reading import Reader

    return Reader(settings.source_table(), rules, cluster, settings.persons())


_shared: ContextVar[Store | None] = ContextVar("_shared", default=None)


@contextmanager
def sharing(store: Store) -> Iterator[None]:
    """For the block whoever opens the store gets this one, and leaves it open: for a process that asks all the time."""
    token = _shared.set(store)
    try:
        yield
    finally:
        _shared.reset(token)


def open_store(settings: Settings) -> AbstractAsyncContextManager[Store]:
    """The store in Postgres, open for the block; within `sharing` the shared one."""
    from connectors.postgres import PostgresStore

    shared = _shared.get()
    if shared is not None:
        return nullcontext(shared)
    return PostgresStore(postgres(settings, "milepost command line", connections=4))


def postgres(settings: Settings, name: str, **more: Any) -> PostgresSettings:
    """How the database is reached. The DSN is read anew for each connection, so that a password may be exchanged."""
    from connectors.postgres import PostgresSettings

    wanted = settings.postgres
    cache = 200 if wanted.statement_cache else 0
    address = partial(dsn, settings)
    return PostgresSettings(
        address, statement_s=wanted.timeout_s, statement_cache=cache, name=name, archive=wanted.archive, **more
    )


def open_teller(settings: Settings, largest: int = 0) -> AbstractAsyncContextManager[Teller]:
    """A way to send single records of up to `largest` bytes (at least those that Milepost itself writes)."""
    from connectors.kafka.tell import telling

    return telling(kafka(settings), max(largest, settings.kafka.max_record_bytes))


async def topic_ends(settings: Settings, topics: Collection[str]) -> Mapping[Partition, int]:
    """The offset behind the last record of each partition."""
    from connectors.kafka.tell import ends

    return await ends(kafka(settings), topics)


def scan_topic(settings: Settings, topic: str, last: int | None = None) -> AsyncIterator[list[Record]]:
    """Every record that lies in a topic now, or the last so many of each partition."""
    from connectors.kafka.scan import scan

    return scan(kafka(settings), topic, last)


def dsn(settings: Settings) -> str:
    """The database's address. Raises ConfigurationError where its file cannot be read."""
    try:
        return settings.dsn()
    except OSError as error:
        raise ConfigurationError(
            [f"postgres.dsn_file: {settings.postgres.dsn_file} cannot be read: {error.strerror}"]
        ) from None


def kafka(settings: Settings) -> KafkaConnection:
    """How the broker is reached. Raises ConfigurationError where a password's file cannot be read."""
    from connectors.kafka import KafkaConnection

    wanted = settings.kafka
    return KafkaConnection(
        bootstrap_servers=wanted.bootstrap_servers,
        security_protocol=wanted.security_protocol,
        sasl_mechanism=wanted.sasl_mechanism,
        username=wanted.username or "",
        password=wanted.password.get_secret_value()
        if wanted.password
        else _secret("kafka.password_file", wanted.password_file),
        cafile=_text(wanted.cafile),
        certfile=_text(wanted.certfile),
        keyfile=_text(wanted.keyfile),
    )


def topics(settings: Settings, text: str | None = None) -> list[Topic]:
    """Every topic that this configuration needs, after the patterns of topics.yaml (`text`, or the one shipped)."""
    from connectors.kafka.topics import read_topics

    patterns = {t.name: t for t in read_topics(text or shipped_topics(), replication=_replication(settings))}
    wanted = {s.topic: PATTERNS[s.role] for s in settings.source_table().values()}
    wanted |= {getattr(settings.topics, name): pattern for name, pattern in WRITTEN.items()}
    missing = sorted(set(wanted.values()) - patterns.keys())
    if missing:
        raise ConfigurationError([f"topics: {name} is missing; topics.yaml must describe it" for name in missing])
    return [_called(patterns[pattern], name) for name, pattern in wanted.items()]


def written(settings: Settings) -> Topics:
    """The topics that Milepost writes, and which of them are left empty here."""
    from contracts_schema.rows import Lane
    from services.runtime.outgoing import Topics

    left_out = frozenset(Lane[name.upper()] for name in settings.worker.leave_out)
    return Topics(**settings.topics.model_dump(), left_out=left_out)


def shipped_topics() -> str:
    """The topics.yaml that came with Milepost: in the wheel beside the connectors, in a checkout under deploy/."""
    import connectors

    beside = Path(connectors.__file__).parent / "topics.yaml"
    found = beside if beside.is_file() else Path(connectors.__file__).parent.parent / "deploy" / "topics.yaml"
    return found.read_text(encoding="utf-8")


def _replication(settings: Settings) -> int | None:
    return None if settings.kafka.replication == 3 else settings.kafka.replication


def _called(topic: Topic, name: str) -> Topic:
    from dataclasses import replace

    return replace(topic, name=name)


def _secret(field: str, path: Path | None) -> str:
    try:
        return path.read_text(encoding="utf-8").strip() if path else ""
    except OSError as error:
        raise ConfigurationError([f"{field}: {path} cannot be read: {error.strerror}"]) from None


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
