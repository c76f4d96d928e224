"""A topic read through once, without a group: from its beginning, or the last records of each partition, to its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from connectors.kafka.cluster import administering, layouts
from connectors.kafka.connection import KafkaConnection, as_ours
from connectors.kafka.stopping import stopped
from contracts_schema.records import Record

_DEADLINE_S = 30
_AT_A_TIME = 500


async def scan(connection: KafkaConnection, topic: str, last: int | None = None) -> AsyncIterator[list[Record]]:
    """Every record that lies in the topic now, a few hundred at a time; with `last`, so many of each partition at most.
    A topic that is not there has none.

    Raises:
        TransientError: the broker does not answer.
        ConfigurationError: it refuses.
    """
    async with administering(connection) as client:
        layout = (await layouts(client, [topic])).get(topic)
    if layout is None:
        return
    places = [TopicPartition(topic, number) for number in range(layout.partitions)]
    consumer = AIOKafkaConsumer(
        **connection.client_options(), enable_auto_commit=False, auto_offset_reset="earliest",
        isolation_level="read_committed",
    )  # fmt: skip
    try:
        async with asyncio.timeout(_DEADLINE_S):
            await consumer.start()
            ends = await _start(consumer, places, last)
        while ends:
            yield await _next(consumer, ends)
    except (KafkaError, TimeoutError) as error:
        raise as_ours(error, f"read {topic}") from error
    finally:
        await stopped(consumer.stop(), consumer)


async def _start(
    consumer: AIOKafkaConsumer, places: Sequence[TopicPartition], last: int | None
) -> dict[TopicPartition, int]:  # fmt: skip
    """Stand where reading begins; where each partition that has records ends."""
    consumer.assign(places)
    begins, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
    for place in places:
        consumer.seek(place, begins[place] if last is None else max(begins[place], ends[place] - last))
    return {place: ends[place] for place in places if ends[place] > begins[place]}


async def _next(consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> list[Record]:
    """The next records; partitions that are read through leave `ends`."""
    async with asyncio.timeout(_DEADLINE_S):
        found = await consumer.getmany(*ends, timeout_ms=1000, max_records=_AT_A_TIME)
        for place in list(ends):
            if await consumer.position(place) >= ends[place]:
                del ends[place]
    return [
        Record(r.topic, r.partition, r.offset, r.timestamp, r.key, tuple(r.headers), r.value)
        for rows in found.values()
        for r in rows
    ]
