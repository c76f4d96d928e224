"""Reading from and writing to the stand-in broker of `embedded`: partitions are assigned by hand, there is no group.

`AssignedFeed` fits the port `Feed` as `KafkaFeed` does and keeps its promises about the store: reading starts at the
store's offsets, and a store that is ahead of the broker stops it. `VendorProducer` writes as the vendors' own exporters
would: with the record's own timestamp.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import NewTopic
from aiokafka.errors import KafkaError

from connectors.kafka.cluster import administering, cluster_id
from connectors.kafka.connection import KafkaConnection, as_ours
from connectors.kafka.positions import OnAssigned, as_partition, as_topic_partition, starting_offsets
from contracts_schema.records import Record
from contracts_schema.rows import Partition

OnRevoked = Callable[[Collection[Partition]], Awaitable[None]]
_SAFETY_US = 1_000_000
_SIP_MS, _PAUSE_S = 5, 0.02


async def create_topics(connection: KafkaConnection, topics: Collection[str]) -> str:
    """Create these topics, one partition each; the id of the cluster.

    They keep records whatever their age: a story may lie in the past, and the broker goes by what records say of it.
    """
    async with administering(connection) as client:
        kept = {"retention.ms": "-1"}
        await client.create_topics([NewTopic(topic, 1, 1, topic_configs=kept) for topic in sorted(topics)])
        return await cluster_id(client)


class AssignedFeed:
    """Reads partition 0 of each of `topics` (port `Feed`). The only reader there is: nothing is ever revoked."""

    cluster: str = ""

    def __init__(
        self,
        connection: KafkaConnection,
        topics: Collection[str],
        on_assigned: OnAssigned,
        on_revoked: OnRevoked | None = None,
    ) -> None:
        self._connection = connection
        self._places = [TopicPartition(topic, 0) for topic in sorted(topics)]
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked
        self._consumer: Any = None
        self._paused = False

    async def start(self) -> None:
        """Take all partitions and go to the offsets that the store answers.

        Raises:
            TransientError: the broker does not answer.
            ConfigurationError: the store has read further than the broker has records.
        """
        async with administering(self._connection) as client:
            self.cluster = await cluster_id(client)
        self._consumer = AIOKafkaConsumer(
            **self._connection.client_options(), enable_auto_commit=False, auto_offset_reset="none",
            isolation_level="read_committed",
        )  # fmt: skip
        await self._consumer.start()
        self._consumer.assign(self._places)
        starts = await starting_offsets(self._consumer, self._places, self._on_assigned)
        for place, offset in starts.items():
            self._consumer.seek(place, offset)

    async def stop(self) -> None:
        """Let go of all partitions; the worker has finished its batch before."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()
            if self._on_revoked is not None:
                await self._on_revoked([as_partition(place) for place in self._places])

    async def poll(self, limit: int, timeout_s: float) -> Sequence[Record]:
        """Up to `limit` records; of one partition in order and without gap."""
        if self._paused:
            await asyncio.sleep(timeout_s)
            return []
        try:
            runs = await _sip(self._consumer, self._places, timeout_s, limit)
        except (KafkaError, TimeoutError) as error:
            raise as_ours(error, "read from the embedded broker") from error
        return [_as_record(got) for run in runs.values() for got in run]

    def pause(self) -> None:
        """Fetch nothing more until `resume`."""
        self._paused = True

    def resume(self) -> None:
        """Fetch again."""
        self._paused = False

    async def rewind(self, positions: Mapping[Partition, int]) -> None:
        """Hand out these partitions again from these offsets."""
        for partition, offset in positions.items():
            self._consumer.seek(as_topic_partition(partition), offset)

    async def read_past(self) -> Mapping[Partition, int]:
        """For each partition that was handed out to its end, the moment (µs) at which that was its end."""
        past = {}
        for place in self._places:
            seen_ms, end = self._consumer.last_poll_timestamp(place), self._consumer.highwater(place)
            if seen_ms is not None and end is not None and await self._consumer.position(place) >= end:
                past[as_partition(place)] = seen_ms * 1000 - _SAFETY_US
        return past

    def note_committed(self, positions: Mapping[Partition, int]) -> None:
        """No lag tool looks at this broker."""

    def behind(self) -> Mapping[Partition, int]:
        """Nobody measures lag here."""
        return {}


class VendorProducer:
    """Writes records as other systems do."""

    def __init__(self, connection: KafkaConnection) -> None:
        self._connection = connection
        self._producer: Any = None

    async def __aenter__(self) -> VendorProducer:
        self._producer = AIOKafkaProducer(**self._connection.client_options(), acks="all", linger_ms=0)
        await self._producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    async def send(self, topic: str, key: str, value: bytes, headers: Mapping[str, str], timestamp_ms: int) -> str:
        """Write one record; where it lies, as topic/partition/offset."""
        packed = [(name, text.encode()) for name, text in headers.items()]
        sent = await self._producer.send_and_wait(
            topic, value=value, key=key.encode(), headers=packed, partition=0, timestamp_ms=timestamp_ms
        )
        return f"{topic}/{sent.partition}/{sent.offset}"


class Listener:
    """Reads whole topics from their beginning, as a consumer of Milepost's output does."""

    def __init__(self, connection: KafkaConnection, topics: Collection[str]) -> None:
        self._connection = connection
        self._places = [TopicPartition(topic, 0) for topic in sorted(topics)]
        self._consumer: Any = None
        self._came = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None
        self._next = dict.fromkeys(self._places, 0)
        self._records: list[Record] = []

    async def __aenter__(self) -> Listener:
        self._consumer = AIOKafkaConsumer(
            **self._connection.client_options(), enable_auto_commit=False, auto_offset_reset="none",
            isolation_level="read_committed",
        )  # fmt: skip
        await self._consumer.start()
        self._consumer.assign(self._places)
        for place in self._places:
            self._consumer.seek(place, 0)
        self._reading = asyncio.create_task(self._read())
        self._reading.add_done_callback(lambda _: self._came.set())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        await self._consumer.stop()

    def of(self, topic: str) -> list[Record]:
        """What has come on one topic, in order."""
        return [record for record in self._records if record.topic == topic]

    def end(self, topic: str) -> int:
        """The offset behind what has come on one topic."""
        return self._next[TopicPartition(topic, 0)]

    async def caught_up(self) -> None:
        """Return when everything that the topics hold at this moment has come."""
        ends = await self._consumer.end_offsets(self._places)
        while any(self._next[place] < end for place, end in ends.items()):
            await self.more()

    async def more(self) -> None:
        """Return when something has come. Raises what ended the reading."""
        self._came.clear()
        await self._came.wait()
        if self._reading is not None and self._reading.done():
            self._reading.result()

    async def _read(self) -> None:
        while True:
            runs = await _sip(self._consumer, self._places, 0.5, None)
            for place, run in runs.items():
                self._records += [_as_record(got) for got in run]
                self._next[place] = run[-1].offset + 1
            if runs:
                self._came.set()


async def _sip(consumer: Any, places: Collection[TopicPartition], timeout_s: float, most: int | None) -> Any:
    """`getmany` with pauses: this broker answers at once where a real one waits, and aiokafka asks again."""
    end = asyncio.get_running_loop().time() + timeout_s
    while True:
        consumer.resume(*places)
        runs = await consumer.getmany(timeout_ms=_SIP_MS, max_records=most)
        consumer.pause(*places)
        if runs or asyncio.get_running_loop().time() >= end:
            return runs
        await asyncio.sleep(_PAUSE_S)


def _as_record(got: Any) -> Record:
    return Record(got.topic, got.partition, got.offset, got.timestamp, got.key, got.headers, got.value)
