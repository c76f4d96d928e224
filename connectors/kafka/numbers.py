"""Partitions by their numbers.

Topics keyed by contract put what all systems say of one contract under the same number. A batch of one number
therefore meets few contracts, each with more facts: fewer revisions, decisions and rows for the same facts. And the
batch after it, of the same number, meets contracts that are still known. So that much of one number lies ready, the
others are not fetched meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import groupby
from typing import Any

from aiokafka import TopicPartition

Run = Sequence[Any]  # records of one partition

STAY = 3  # so many turns a number comes first before the next one does
REST_MS = 100  # so long the rest of a number is waited for
FEW = 0.05  # of a batch: so few records are not waited for; they may be marks of transactions, which never come


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


class Turns:
    """Whose turn it is. `next_offsets` are those of all partitions that are read, as the feed keeps them."""

    def __init__(self, next_offsets: Mapping[TopicPartition, int]) -> None:
        self.behind = True  # more is waiting than one poll can take, or nobody knows yet
        self.set_back: Collection[TopicPartition] = frozenset()  # paused while others are read
        self._next = next_offsets
        self._turn = 0

    def begin(self) -> None:
        """Other partitions are read from now on, and none is paused."""
        self.behind, self.set_back = True, frozenset()

    def had(self, consumer: Any, records: int, limit: int) -> None:
        """A poll for up to `limit` brought so many records."""
        much = records > 0 and (self.behind or is_full(records, limit))
        self.behind = much and is_full(sum(self.waiting(consumer, place) for place in self._next), limit)

    def places(self, consumer: Any, limit: int) -> list[TopicPartition]:
        """The partitions to fetch from now, in order; while much waits only as many as the next batch needs. Of the
        others no more is fetched, and what aiokafka holds of them stays there."""
        self._turn += 1
        ready = by_number(self._next, self._turn)
        if self.behind:
            ready = first_with(limit, ready, lambda place: self.waiting(consumer, place, unknown=limit))
        others = self._next.keys() - ready
        for place in others.difference(self.set_back):
            consumer.pause(place)
        for place in set(self.set_back).intersection(ready):
            consumer.resume(place)
        self.set_back = others
        return ready

    def waiting(self, consumer: Any, place: TopicPartition, *, unknown: int = 0) -> int:
        """How many records of a partition were not handed out, by the broker's last answer."""
        end = consumer.highwater(place)
        return unknown if end is None else max(0, end - self._next[place])


async def buffered_by_number(
    consumer: Any,
    places: Sequence[TopicPartition],
    limit: int,
    waiting: Callable[[TopicPartition], int],
    interrupted: Callable[[], bool],
) -> list[Run]:
    """What aiokafka holds, number by number, until the batch is full enough. Of the first number in which anything
    waits what is under way is waited for: without it the batch would be filled with another number's."""
    runs: list[Run] = []
    for _, group in groupby(places, lambda place: place.partition):
        same = list(group)
        missing = 0 if runs else min(limit, sum(map(waiting, same)))
        runs += await _held(consumer, same, limit - count(runs), interrupted)
        while missing - count(runs) > limit * FEW and not interrupted():
            more = await consumer.getmany(*same, timeout_ms=REST_MS, max_records=limit - count(runs))
            runs += more.values()
            if not more:
                break
        if is_full(count(runs), limit) or interrupted():
            return runs
    return runs


async def _held(
    consumer: Any, same: Sequence[TopicPartition], limit: int, interrupted: Callable[[], bool]
) -> list[Run]:
    """Of one number: each topic its share first. Never waits."""
    runs: list[Run] = []
    share = max(1, limit // len(same))
    for wanted, most in [*(((place,), share) for place in same), (same, limit)]:
        left = limit - count(runs)
        if left <= 0 or interrupted():
            break
        runs += (await consumer.getmany(*wanted, max_records=min(most, left))).values()
    return runs


def count(runs: Sequence[Run]) -> int:
    """How many records."""
    return sum(map(len, runs))
