"""Where reading starts: the store's word, compared with what the topic still has."""

from __future__ import annotations

from collections.abc import Mapping

from aiokafka import TopicPartition

from contracts_schema.rows import Partition


def as_partition(topic_partition: TopicPartition) -> Partition:
    return Partition(topic_partition.topic, topic_partition.partition)


def as_topic_partition(partition: Partition) -> TopicPartition:
    return TopicPartition(partition.topic, partition.number)


def start_of(stored: int | None, beginning: int) -> int:
    """The first offset to read: the stored one, or the oldest record of a partition that was never read."""
    return beginning if stored is None else stored


def losses(
    stored: Mapping[TopicPartition, int | None],
    beginning: Mapping[TopicPartition, int],
    end: Mapping[TopicPartition, int],
) -> list[str]:
    """A sentence for each partition on which reading on would pass over records in silence.

    A stored offset beyond the end means the broker lost what it had acknowledged, or is another cluster's; whatever
    is written next would take offsets that count as read. A beginning above it means retention was shorter than the
    outage. A partition that was read to its end and then expired has its beginning *at* the stored offset.
    """
    faults = []
    for partition, offset in stored.items():
        where = f"{partition.topic}/{partition.partition}"
        if offset is None:
            continue
        if offset > end[partition]:
            faults.append(
                f"kafka: {where} ends at offset {end[partition]}, but the store has read to {offset}: "
                "the broker lost records, or the topic was made anew"
            )
        if offset < beginning[partition]:
            faults.append(
                f"kafka: {where} begins at offset {beginning[partition]}, but the store has read only to {offset}: "
                "retention removed records that were never read"
            )
    return faults
