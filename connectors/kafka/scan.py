"""A topic read through once, without a group: from its beginning, or the last records of each partition, to its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from connectors.kafka.connection import KafkaConnection, as_ours
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
    consumer = AIOKafkaConsumer(
        **connection.client_options(), enable_auto_commit=False, auto_offset_reset="earliest",
        isolation_level="read_committed",
    )  # fmt: skip
    try:
        async with asyncio.timeout(_DEADLINE_S):
            await consumer.start()
            ends = await _ends(consumer, topic)
            await _seek(consumer, ends, last)
        while ends:
            yield await _next(consumer, ends)
    except (KafkaError, TimeoutError) as error:
        raise as_ours(error, f"read {topic}") from error
    finally:
        await consumer.stop()


async def _ends(consumer: AIOKafkaConsumer, topic: str) -> dict[TopicPartition, int]:
    """Where each partition that has records ends."""
    if topic not in await consumer.topics():
        return {}
    places = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
    consumer.assign(places)
    begins, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
    return {place: ends[place] for place in places if ends[place] > begins[place]}


async def _seek(consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int], last: int | None) -> None:
    begins = await consumer.beginning_offsets(list(ends)) if ends else {}
    for place, end in ends.items():
        consumer.seek(place, begins[place] if last is None else max(begins[place], end - last))


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
