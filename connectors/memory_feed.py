"""Kafka's topics in memory: for `milepost try`, for tests of the whole hallway, and to rearrange a group by hand.

A record goes to the partition its key asks for, as in Kafka, and gets the next offset. Nothing happens by itself:
`MemoryTopics.rebalance` hands partitions over, the way a group would, and what a feed sees depends on nothing but the
calls made. Only the waiting of an empty `poll` takes time.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from zlib import crc32

from contracts_schema.errors import ConfigurationError, TransientError
from contracts_schema.records import Record
from contracts_schema.rows import Partition, PublishRow

OnAssigned = Callable[[Collection[Partition]], Awaitable[Mapping[Partition, int | None]]]
OnRevoked = Callable[[Collection[Partition]], Awaitable[None]]

_MAX_RECORD_BYTES = 1_000_000


def wall_clock() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


class MemoryTopics:
    """The topics of one cluster. `clock` gives microseconds since 1970: it dates records and moments."""

    def __init__(
        self, topics: Mapping[str, int], cluster: str = "memory", clock: Callable[[], int] = wall_clock
    ) -> None:
        self.cluster = cluster
        self.clock = clock
        self.records = {Partition(topic, n): list[Record]() for topic, count in topics.items() for n in range(count)}
        self.appended = asyncio.Event()
        self._counts = dict(topics)

    def append(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes | None]] = (),
        timestamp: int | None = None,
    ) -> Record:
        """Add one record, dated `timestamp` (ms) or now. A record without a key goes to partition 0."""
        if topic not in self._counts:
            raise ConfigurationError([f"memory: topic {topic} does not exist"])
        number = crc32(key) % self._counts[topic] if key else 0
        log = self.records[Partition(topic, number)]
        moment = self.clock() // 1000 if timestamp is None else timestamp
        record = Record(topic, number, len(log), moment, key, tuple(headers), value)
        log.append(record)
        self.appended.set()
        return record

    def lose(self, partition: Partition, end: int) -> None:
        """Forget the records from offset `end` on, as a broker does that acknowledged before it wrote."""
        del self.records[partition][end:]

    async def rebalance(self, wanted: Mapping[MemoryFeed, Collection[Partition]]) -> None:
        """Rearrange the group: every member lets go of everything, then each gets what is wanted for it."""
        for feed in wanted:
            await feed.revoke()
        for feed, partitions in wanted.items():
            await feed.assign(partitions)


class MemoryFeed:
    """Reads from `MemoryTopics` (port `Feed`). `start` takes all partitions; else `MemoryTopics.rebalance` says."""

    def __init__(self, topics: MemoryTopics, on_assigned: OnAssigned, on_revoked: OnRevoked) -> None:
        self.cluster = topics.cluster
        self._topics = topics
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked
        self._next: dict[Partition, int] = {}
        self._paused = False
        self._turn = 0
        self._fault: ConfigurationError | None = None

    async def start(self) -> None:
        """Take all partitions."""
        await self.assign(list(self._topics.records))

    async def stop(self) -> None:
        """Let go of all partitions, without a word: nothing is running any more."""
        self._next.clear()

    async def assign(self, partitions: Collection[Partition]) -> None:
        """Get these partitions, as after a rebalance, and read them from the offsets that the store answers."""
        while True:
            try:
                stored = await self._on_assigned(partitions)
                break
            except TransientError:
                await asyncio.sleep(0)
        for partition in partitions:
            offset, end = stored.get(partition) or 0, len(self._topics.records[partition])
            if offset > end:
                where = f"{partition.topic}/{partition.number}"
                self._fault = ConfigurationError(
                    [f"memory: {where} ends at offset {end}, but the store has read to {offset}"]
                )
                return
            self._next[partition] = offset

    async def revoke(self) -> None:
        """Let go of everything; done when the worker's batch is done."""
        partitions = list(self._next)
        self._next.clear()
        if partitions:
            await self._on_revoked(partitions)

    async def poll(self, limit: int, timeout_s: float) -> Sequence[Record]:
        """Up to `limit` records, a fair share of each partition; waits up to `timeout_s` for the first one."""
        if self._fault is not None:
            raise self._fault
        records = self._take(limit)
        if not records and timeout_s > 0:
            self._topics.appended.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._topics.appended.wait()
            records = self._take(limit)
        return records

    def pause(self) -> None:
        """Fetch nothing more until `resume`."""
        self._paused = True

    def resume(self) -> None:
        """Fetch again."""
        self._paused = False

    async def rewind(self, positions: Mapping[Partition, int]) -> None:
        """Hand out these partitions again from these offsets. Partitions that are no longer ours are passed over."""
        self._next.update({partition: offset for partition, offset in positions.items() if partition in self._next})

    async def read_past(self) -> Mapping[Partition, int]:
        """For each of our partitions that was handed out to its end, now (µs)."""
        now = self._topics.clock()
        return {partition: now for partition, at in self._next.items() if at >= len(self._topics.records[partition])}

    def note_committed(self, positions: Mapping[Partition, int]) -> None:
        """Nobody measures lag here."""

    def behind(self) -> Mapping[Partition, int]:
        """How many records of each of our partitions were not handed out yet."""
        return {partition: self._waiting(partition) for partition in self._next}

    def _take(self, limit: int) -> list[Record]:
        waiting = [] if self._paused else [partition for partition in self._next if self._waiting(partition)]
        share = max(1, limit // (len(waiting) or 1))
        records: list[Record] = []
        for most in (share, limit):
            for partition in self._rotated(waiting):
                records += self._hand_out(partition, min(most, limit - len(records)))
        return records

    def _waiting(self, partition: Partition) -> int:
        return len(self._topics.records[partition]) - self._next[partition]

    def _rotated(self, partitions: Collection[Partition]) -> list[Partition]:
        ordered = list(partitions)
        self._turn += 1
        turn = self._turn % (len(ordered) or 1)
        return ordered[turn:] + ordered[:turn]

    def _hand_out(self, partition: Partition, most: int) -> list[Record]:
        at = self._next[partition]
        records = self._topics.records[partition][at : at + most]
        self._next[partition] = at + len(records)
        return records


class MemoryPublisher:
    """Writes to `MemoryTopics` (port `Publisher`). With `refuses` set, publishing fails as a broker that is down."""

    max_record_bytes = _MAX_RECORD_BYTES

    def __init__(self, topics: MemoryTopics) -> None:
        self._topics = topics
        self.refuses = False

    async def start(self) -> None:
        """Nothing to connect to."""

    async def stop(self) -> None:
        """Nothing to close."""

    async def publish(self, rows: Sequence[PublishRow]) -> None:
        """Append all.

        Raises:
            TransientError: `refuses` is set; nothing was appended.
            ConfigurationError: a topic is missing (a real broker is asked again), or a record too large.
        """
        if self.refuses:
            raise TransientError(f"memory: cannot publish {len(rows)} records")
        for row in rows:
            if _size(row) > self.max_record_bytes:
                raise ConfigurationError([f"memory: a record of {_size(row)} bytes for {row.topic} is too large"])
        for row in rows:
            self._topics.append(row.topic, row.key, row.value, row.headers)


def _size(row: PublishRow) -> int:
    return len(row.key) + len(row.value or b"") + sum(len(name) + len(value) for name, value in row.headers)
