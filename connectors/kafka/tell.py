"""One record to a topic, told where it came to lie; and where topics end. For the command line, no hot path."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from connectors.kafka.cluster import administering, cluster_id, layouts
from connectors.kafka.connection import ENVELOPE, KafkaConnection, as_ours
from connectors.kafka.positions import as_partition
from connectors.kafka.stopping import stopped
from contracts_schema.errors import TransientError
from contracts_schema.rows import Partition

_DEADLINE_S = 30


class KafkaTeller:
    """Sends single records. `cluster` is the broker's id: with topic, partition and offset it names a record."""

    def __init__(self, producer: Any, cluster: str) -> None:
        self._producer = producer
        self.cluster = cluster

    async def tell(
        self,
        topic: str,
        key: bytes | None,
        headers: tuple[tuple[str, bytes | None], ...],
        value: bytes | None,
        partition: int | None = None,
    ) -> tuple[Partition, int]:
        """Send one record and wait for all replicas; where it lies. Without `partition`, the key decides.

        Raises:
            TransientError: it was not confirmed; it may lie there all the same.
            ConfigurationError: the broker refuses it.
        """
        try:
            async with asyncio.timeout(_DEADLINE_S):
                sent = await self._producer.send_and_wait(
                    topic, value, key=key, headers=list(headers), partition=partition
                )
        except TimeoutError as error:  # a topic that is not there is waited for, too
            raise TransientError(
                f"kafka: cannot write to {topic} within {_DEADLINE_S} s; see by `milepost topics plan` that it is there"
            ) from error
        except KafkaError as error:
            raise as_ours(error, f"write to {topic}") from error
        return Partition(sent.topic, sent.partition), sent.offset


@asynccontextmanager
async def telling(connection: KafkaConnection, largest: int) -> AsyncIterator[KafkaTeller]:
    """A teller for records of up to `largest` bytes, closed at the end of the block."""
    async with administering(connection) as client:
        cluster = await cluster_id(client)
    producer = AIOKafkaProducer(
        **connection.client_options(), acks="all", enable_idempotence=True, max_request_size=largest + ENVELOPE
    )
    try:
        async with asyncio.timeout(_DEADLINE_S):
            await producer.start()
    except (KafkaError, TimeoutError) as error:
        await producer.stop()
        raise as_ours(error, "connect to publish") from error
    try:
        yield KafkaTeller(producer, cluster)
    finally:
        await producer.stop()


async def ends(connection: KafkaConnection, topics: Collection[str]) -> dict[Partition, int]:
    """The offset behind the last record of every partition of these topics; topics that are missing are left out."""
    return {place: end for place, (_, end) in (await _extent(connection, topics)).items()}


async def filled(connection: KafkaConnection, topic: str) -> dict[Partition, int]:
    """The same for the partitions of one topic that have records."""
    return {place: end for place, (begin, end) in (await _extent(connection, [topic])).items() if begin < end}


async def _extent(connection: KafkaConnection, topics: Collection[str]) -> dict[Partition, tuple[int, int]]:
    async with administering(connection) as client:
        known = await layouts(client, topics)
    places = [TopicPartition(topic, n) for topic in sorted(known) for n in range(known[topic].partitions)]
    consumer = AIOKafkaConsumer(**connection.client_options())
    try:
        async with asyncio.timeout(_DEADLINE_S):
            await consumer.start()
            begins, found = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
    except (KafkaError, TimeoutError) as error:
        raise as_ours(error, "ask where topics end") from error
    finally:
        await stopped(consumer.stop(), consumer)
    return {as_partition(place): (begins[place], end) for place, end in found.items()}
