"""Records to Kafka, each confirmed by all in-sync replicas, in order for each key.

One idempotent producer of aiokafka: everything is sent in whole batches, then all confirmations are gathered; the
partition follows from the key by murmur2, as for every Java producer. Within the life of one producer a record that
the broker confirmed is stored once, whatever the connection does. aiokafka retries such a record for ever, so a
deadline stands around everything.

A producer whose record was not confirmed is given up at once, with everything it has queued: its sequence numbers may
have a hole that the broker refuses ever after, and what it still holds must not be sent later, behind newer records.
The caller publishes the same rows again through a new one. Readers drop what they have seen.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner

from connectors.kafka.connection import ENVELOPE, KafkaConnection, as_ours
from contracts_schema.errors import ConfigurationError
from contracts_schema.failpoints import failpoint
from contracts_schema.rows import PublishRow

_FAREWELL_S = 2  # a request under way may still be answered


@dataclass(frozen=True)
class PublisherSettings:
    """`max_record_bytes` is for key, headers and value together; the topics must allow `ENVELOPE` more.

    `deadline_s` bounds one publish; within it an outage of the broker is waited for.
    """

    max_record_bytes: int = 1_000_000
    batch_bytes: int = 256 * 1024
    request_s: float = 10
    deadline_s: float = 30
    compression: str | None = None


class KafkaPublisher:
    """Writes rows (port `Publisher`). `max_record_bytes`: key, headers and value of a row together fit in it."""

    def __init__(self, connection: KafkaConnection, settings: PublisherSettings | None = None) -> None:
        self._connection = connection
        self._settings = settings or PublisherSettings()
        self._producer: Any = None
        self._starting = asyncio.Lock()

    @property
    def max_record_bytes(self) -> int:
        return self._settings.max_record_bytes

    async def start(self) -> None:
        """Connect, to learn of faults early; `publish` would do it too.

        Raises:
            TransientError: the cluster does not answer.
            ConfigurationError: it refuses.
        """
        await self._deadlined(self._running(), "connect to publish")

    async def stop(self) -> None:
        """Close. Nothing is under way: `publish` returns only when all is confirmed or given up."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await _give_up(producer)

    async def publish(self, rows: Sequence[PublishRow]) -> None:
        """Send all, in order for each key, and wait until the broker has confirmed every one.

        Raises:
            TransientError: at least one was not confirmed; publishing all of them again does no harm.
            ConfigurationError: the broker refuses one: access is denied, the record too large.
        """
        for row in rows:
            if (size := _size(row)) > self.max_record_bytes:
                fault = f"kafka: a record of {size} bytes for {row.topic} is too large"
                raise ConfigurationError([f"{fault}: {self.max_record_bytes} is the most"])
        if rows:
            await self._deadlined(self._publish(rows), f"publish {len(rows)} records")

    async def _publish(self, rows: Sequence[PublishRow]) -> None:
        producer = await self._running()
        confirmations: list[asyncio.Future[Any]] = []
        try:
            async for topic, partition, batch in _batches(producer, rows):
                confirmations.append(await producer.send_batch(batch, topic, partition=partition))
            failpoint("publish.sent")
            await asyncio.gather(*confirmations)
        except BaseException:
            if self._producer is producer:
                self._producer = None
            for confirmation in confirmations:
                confirmation.cancel()
            await _give_up(producer)
            raise

    async def _running(self) -> Any:
        async with self._starting:
            if self._producer is None:
                producer = self._new_producer()
                try:
                    await producer.start()
                except BaseException:
                    await _give_up(producer)
                    raise
                self._producer = producer
            return self._producer

    def _new_producer(self) -> Any:
        settings = self._settings
        return AIOKafkaProducer(
            **self._connection.client_options(),
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            max_batch_size=settings.batch_bytes,
            max_request_size=settings.max_record_bytes + ENVELOPE,
            compression_type=settings.compression,
            request_timeout_ms=round(settings.request_s * 1000),
        )

    async def _deadlined(self, work: Any, doing: str) -> None:
        try:
            async with asyncio.timeout(self._settings.deadline_s):
                await work
        except (KafkaError, TimeoutError) as error:
            raise as_ours(error, doing) from error


def _size(row: PublishRow) -> int:
    return len(row.key) + len(row.value or b"") + sum(len(name) + len(value) for name, value in row.headers)


async def _batches(producer: Any, rows: Sequence[PublishRow]) -> AsyncIterator[tuple[str, int, Any]]:
    """The rows in batches of one partition each, in order: a fraction of the cost of sending them one by one."""
    partitions = {topic: sorted(await producer.partitions_for(topic)) for topic in {row.topic for row in rows}}
    filling: dict[tuple[str, int], Any] = {}
    for row in rows:
        place = (row.topic, _partition(row.key, tuple(partitions[row.topic])))
        batch = filling.get(place)
        if batch is None or not _is_added(batch, row):
            if batch is not None:
                yield *place, batch
            filling[place] = batch = producer.create_batch()
            _is_added(batch, row)  # the first record fits, whatever its size
    for place, batch in filling.items():
        yield *place, batch


@lru_cache(maxsize=20_000)
def _partition(key: bytes, partitions: tuple[int, ...]) -> int:
    """The partition of a key, by murmur2."""
    return int(DefaultPartitioner()(key, partitions, partitions))


def _is_added(batch: Any, row: PublishRow) -> bool:
    return batch.append(timestamp=None, key=row.key, value=row.value, headers=list(row.headers)) is not None


async def _give_up(producer: Any) -> None:
    """Close a producer without sending what it still holds; aiokafka's own `stop` would first deliver all of it."""
    sender, queued = producer._sender, producer._message_accumulator  # noqa: SLF001  no public way to drop the queue
    for batch in itertools.chain(*queued._batches.values()):  # noqa: SLF001  the same
        batch._drain_waiter.add_done_callback(asyncio.Future.exception)  # noqa: SLF001  else asyncio reports it as lost
    queued.fail_all(KafkaError("given up"))
    if sender.sender_task is not None:
        sender.sender_task.cancel()
        await asyncio.wait({sender.sender_task}, timeout=_FAREWELL_S)
    await producer.stop()
