"""Where reading starts: the store's word, compared with what the topic still has."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from contracts_schema.errors import ConfigurationError, TransientError
from contracts_schema.rows import Partition

log = logging.getLogger(__name__)

OnAssigned = Callable[[Collection[Partition]], Awaitable[Mapping[Partition, int | None]]]

_PAUSE_MOST_S = 5


def as_partition(topic_partition: TopicPartition) -> Partition:
    return Partition(topic_partition.topic, topic_partition.partition)


def as_topic_partition(partition: Partition) -> TopicPartition:
    return TopicPartition(partition.topic, partition.number)


async def starting_offsets(
    consumer: Any, places: Collection[TopicPartition], on_assigned: OnAssigned
) -> Mapping[TopicPartition, int]:
    """The next offset of each partition: the stored one, or the oldest record's where none was ever read.

    Asks the store and the topic until both answer.

    Raises:
        ConfigurationError: reading on would pass over records.
    """
    pause_s = 0.1
    while True:
        try:
            answered = await on_assigned([as_partition(place) for place in places])
            stored = {place: answered.get(as_partition(place)) for place in places}
            faults = await losses(consumer, stored)
            beginning = await consumer.beginning_offsets(list(places))
            break
        except (KafkaError, TransientError) as error:
            log.warning("partitions are held until their offsets are known: %r", error)
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, _PAUSE_MOST_S)
    if faults:
        raise ConfigurationError(faults)
    return {place: beginning[place] if offset is None else offset for place, offset in stored.items()}


async def losses(consumer: Any, offsets: Mapping[TopicPartition, int | None]) -> list[str]:
    """A sentence for each partition on which reading on from its offset would pass over records in silence.

    An offset beyond the end means the broker lost what it had acknowledged, or is another cluster's; whatever is
    written next would take offsets that count as read. A beginning above it means retention was shorter than the
    outage. A partition that was read to its end and then expired has its beginning *at* the offset.

    Raises:
        KafkaError: the cluster does not answer.
    """
    beginning, end = await consumer.beginning_offsets(list(offsets)), await consumer.end_offsets(list(offsets))
    faults = []
    for place, offset in offsets.items():
        where = f"{place.topic}/{place.partition}"
        if offset is not None and offset > end[place]:
            faults.append(
                f"kafka: {where} ends at offset {end[place]}, but the store has read to {offset}: "
                "the broker lost records, or the topic was made anew"
            )
        if offset is not None and offset < beginning[place]:
            faults.append(
                f"kafka: {where} begins at offset {beginning[place]}, but the store has read only to {offset}: "
                "retention removed records that were never read"
            )
    return faults
