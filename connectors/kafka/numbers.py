"""Partitions by their numbers.

Topics keyed by contract put what all systems say of one contract under the same number. A batch of one number
therefore meets few contracts, each with more facts: fewer revisions, decisions and rows for the same facts. And the
batch after it, of the same number, meets contracts that are still known. So that much of one number lies ready, the
others are not fetched meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import groupby
from typing import Any

from aiokafka import TopicPartition

STAY = 3  # so many turns a number comes first before the next one does


def is_full(records: int, limit: int) -> bool:
    """Whether a batch is large enough not to be filled up from other numbers, and more may be waiting."""
    return records * 2 >= limit


def by_number(places: Collection[TopicPartition], turn: int) -> list[TopicPartition]:
    """All partitions, those of one number together; every few turns another number comes first."""
    numbers = sorted({place.partition for place in places})
    first = numbers[turn // STAY % len(numbers)] if numbers else 0
    return sorted(places, key=lambda place: (place.partition < first, place.partition, place.topic))


def first_with(
    enough: int, places: Sequence[TopicPartition], waiting: Callable[[TopicPartition], int]
) -> list[TopicPartition]:
    """Of partitions in order those of the first numbers in which at least `enough` records wait; all if no more do."""
    found: list[TopicPartition] = []
    for _, group in groupby(places, lambda place: place.partition):
        same = list(group)
        found += same
        enough -= sum(map(waiting, same))
        if enough <= 0:
            break
    return found


async def buffered_by_number(
    consumer: Any, places: Sequence[TopicPartition], limit: int, interrupted: Callable[[], bool]
) -> list[Sequence[Any]]:
    """What aiokafka holds already, number by number, each topic its share first. Never waits."""
    runs: list[Sequence[Any]] = []
    left = limit
    for _, group in groupby(places, lambda place: place.partition):
        same = list(group)
        share = max(1, left // len(same))
        for wanted, most in [*(((place,), share) for place in same), (same, left)]:
            more = await consumer.getmany(*wanted, max_records=min(most, left))
            runs += more.values()
            left -= sum(map(len, more.values()))
            if left <= 0 or interrupted():
                return runs
        if is_full(limit - left, limit):
            return runs
    return runs
