"""Records from Kafka, partition by partition, at the offsets the store remembers.

FastStream is the shell: its broker holds the connection, the security, the life cycle and the AsyncAPI channels, and
its batch subscriber builds the consumer. It has *no handler*, so FastStream's own loop never runs: that loop swallows
what a handler raises, sleeps five seconds on every Kafka error, decodes headers as UTF-8, cannot pause or go back, and
its acknowledgement commits whatever was fetched. Here the worker's loop owns polling, so no queue stands between them:
a record is either still in Kafka, or in the hands of the worker.

What can go wrong, and what then holds:

- *The worker fails.* Nothing is acknowledged by reading. The store's offset moves with the store's commit only;
  `rewind` goes back. Offsets in Kafka are written after that, for lag tools, and never read.
- *A rebalance.* On revocation the feed forgets its partitions at once (what it has in hand is dropped) and waits,
  bounded, until the worker's batch is done; it commits nothing there. On assignment all partitions are paused before
  anything can be fetched; a task of its own (heartbeats go on meanwhile) asks the store, compares with the topic,
  seeks, and only then lets them run. aiokafka swallows errors of its listener, so faults are kept for the next `poll`.
- *The broker lost records, or retention did.* Kafka's automatic reset is off; the faults are named (`positions`).
- *A header's name is no UTF-8.* aiokafka would fail on that partition for ever; `rescue` reads the batch instead.
- *Polling is cancelled or held up by a rebalance.* The fetch is a task that outlives the call, so that nothing it
  took from aiokafka is lost; where it may have taken what is no longer wanted, the partition is sought anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from connectors.kafka.cluster import administering, cluster_id, layouts
from connectors.kafka.connection import MISSING, KafkaConnection, as_ours
from connectors.kafka.lag import LagSignal
from connectors.kafka.numbers import Turns, buffered_by_number
from connectors.kafka.places import Places
from connectors.kafka.positions import OnAssigned, as_partition, as_topic_partition, losses, starting_offsets
from connectors.kafka.rescue import rescue
from connectors.kafka.shell import FeedSettings, shell, subscriber
from connectors.kafka.stopping import stopped
from contracts_schema.errors import ConfigurationError, TransientError
from contracts_schema.failpoints import failpoint
from contracts_schema.records import Record
from contracts_schema.rows import Partition

log = logging.getLogger(__name__)

OnRevoked = Callable[[Collection[Partition]], Awaitable[None]]

_NOBODY = TopicPartition("", -1)  # asks aiokafka for the records of no partition; its errors are still heard
_EXAMINED_MS = 150
_SETTLING_S = 0.05  # how much longer than its own timeout a fetch may take before poll comes back without it


class KafkaFeed:
    """Reads `topics` as one member of a group (port `Feed`).

    `on_assigned` is told the partitions that now are ours and answers the next offset of each (None: never read);
    after a TransientError it is asked again. `on_revoked` returns when no batch with records of these partitions runs.
    Records already polled may be finished and committed until then; the store's fence decides.
    """

    cluster: str = ""

    def __init__(
        self,
        connection: KafkaConnection,
        topics: Collection[str],
        on_assigned: OnAssigned,
        on_revoked: OnRevoked,
        settings: FeedSettings | None = None,
    ) -> None:
        self._connection = connection
        self._topics = sorted(topics)
        self._settings = settings or FeedSettings()
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked
        self.broker = shell(connection, self._settings)
        self._subscriber = subscriber(self.broker, self._topics, _Listener(self), self._settings)
        self._lag = LagSignal()
        self._places = Places()
        self._next = self._places.next  # positioned partitions and the next offset to hand out
        self._suspects: list[TopicPartition] = []  # partitions of which one has a batch that aiokafka cannot read
        self._fetching: asyncio.Task[list[Sequence[Any]]] | None = None
        self._positioning: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._paused = False
        self._rebalancing = True
        self._broken = False
        self._turns = Turns(self._next)
        self._fault: Exception | None = None

    async def start(self) -> None:
        """Join the group.

        Raises:
            TransientError: the cluster does not answer, or the group does not settle in time.
            ConfigurationError: a topic is missing, or access is refused.
        """
        async with administering(self._connection) as client:
            self.cluster = await cluster_id(client)
            missing = sorted(set(self._topics) - set(await layouts(client, self._topics)))
        if missing:
            raise ConfigurationError(f"kafka: topic {topic} does not exist; {MISSING}" for topic in missing)
        await self._join(self.broker.start())

    async def stop(self) -> None:
        """Leave the group. The worker has finished its batch before."""
        await _ended([self._fetching])
        self._fetching = None
        await self._leave(
            self._subscriber.stop()
        )  # before the rest of the shell, which an error of it would leave open
        await self._leave(self.broker.stop())

    async def poll(self, limit: int, timeout_s: float) -> Sequence[Record]:
        """Up to `limit` records; of one partition in order and without gap. Numbers of partitions take turns.

        Comes back at once when there are records, else after `timeout_s` without any. It must be called at least
        every `max_poll_interval_s`, paused or not: that is what keeps the membership.

        Raises:
            TransientError: Kafka or the store did not answer; nothing is lost, poll again after a pause.
            ConfigurationError: offsets of the store and of the topic do not fit, or access is refused.
        """
        if self._fault is not None:
            raise self._fault
        if self._broken:
            await self._begin_again()
        fetching = self._fetching or asyncio.create_task(self._fetch(limit, timeout_s))
        self._fetching = fetching
        await asyncio.wait({fetching}, timeout=timeout_s + _SETTLING_S)
        if not fetching.done():
            return ()
        self._fetching = None
        try:
            records = self._places.hand_out(self._consumer, fetching.result(), limit, is_paused=self._paused)
        except NoOffsetForPartitionError:  # from a partition that is being positioned
            self._places.seek_anew(self._consumer)
            return ()
        except UnicodeDecodeError:  # a header's name, somewhere
            self._places.seek_anew(self._consumer)
            self._suspects = list(self._next)
            return ()
        except (KafkaError, TimeoutError) as error:
            raise await self._sorted_out(error) from error
        self._turns.had(self._consumer, len(records), limit)
        return records

    def pause(self) -> None:
        """Fetch nothing more until `resume`; keep polling meanwhile."""
        self._paused = True
        for place in self._next:
            self._consumer.pause(place)

    def resume(self) -> None:
        """Fetch again."""
        self._paused = False
        for place in self._next.keys() - self._turns.set_back:
            self._consumer.resume(place)
        self._changed.set()

    async def rewind(self, positions: Mapping[Partition, int]) -> None:
        """Hand out these partitions again from these offsets. Partitions that are no longer ours are passed over."""
        for partition, offset in positions.items():
            place = as_topic_partition(partition)
            if place in self._next:
                self._move(place, offset)

    async def read_past(self) -> Mapping[Partition, int]:
        """For each of our partitions that was handed out to its end, the moment (µs) at which that was its end.

        The moment is when the broker's answer with that end came in, by the local clock, less `safety_s`. It speaks
        of what was handed out: ask between batches, once the last one is committed.
        """
        if self._fetching is not None:
            return {}  # it may have taken records from aiokafka that were not handed out
        past = {}
        for place in self._next:
            seen_ms, end = self._consumer.last_poll_timestamp(place), self._consumer.highwater(place)
            if seen_ms is not None and end is not None and await self._consumer.position(place) >= end:
                past[as_partition(place)] = seen_ms * 1000 - round(self._settings.safety_s * 1_000_000)
        return past

    def note_committed(self, positions: Mapping[Partition, int]) -> None:
        """Tell lag tools how far the store has come: written to Kafka behind the scenes, at most once a second."""
        ours = {as_topic_partition(partition): offset for partition, offset in positions.items()}
        still_ours = {place: offset for place, offset in ours.items() if place in self._next}
        if still_ours:
            self._lag.note(self._consumer, still_ours)

    def behind(self) -> Mapping[Partition, int]:
        """How many records of each of our partitions were not handed out, by the broker's last answers."""
        known = [place for place in self._next if self._consumer.highwater(place) is not None]
        return {as_partition(place): self._turns.waiting(self._consumer, place) for place in known}

    # Fetching

    async def _fetch(self, limit: int, timeout_s: float) -> list[Sequence[Any]]:
        """Runs of records, each of one partition. Waits only for the first of them."""
        ready = self._ready(limit)
        if not ready:
            await self._consumer.getmany(_NOBODY)
            await self._any_change(timeout_s)
            ready, timeout_s = self._ready(limit), 0
        if not ready:
            return []
        if self._suspects:
            return await self._examine(self._suspects.pop(), limit)
        runs = await self._buffered(ready, limit)
        if not runs and timeout_s > 0:
            runs = list(
                (await self._consumer.getmany(*ready, timeout_ms=round(timeout_s * 1000), max_records=1)).values()
            )
            if runs and limit > 1 and not self._rebalancing:
                runs += await self._buffered(ready, limit - 1)
        return runs

    async def _examine(self, place: TopicPartition, limit: int) -> list[Sequence[Any]]:
        """One partition by itself; if aiokafka fails on it, its next batch is taken apart here."""
        if place not in self._next:
            return []
        self._consumer.resume(place)
        try:
            return list((await self._consumer.getmany(place, timeout_ms=_EXAMINED_MS, max_records=limit)).values())
        except UnicodeDecodeError:
            log.warning("%s/%s: a header's name is no UTF-8; its batch is read apart", place.topic, place.partition)
            self._suspects.append(place)
            offset = self._next[place]
            self._consumer.seek(place, offset)
            found = await rescue(self._connection, place, offset, self._settings.fetch_bytes)
            return [found] if found else []

    async def _buffered(self, ready: Sequence[TopicPartition], limit: int) -> list[Sequence[Any]]:
        if self._turns.behind:
            waiting = partial(self._turns.waiting, self._consumer)
            return await buffered_by_number(self._consumer, ready, limit, waiting, lambda: self._rebalancing)
        return list((await self._consumer.getmany(*ready, max_records=limit)).values())

    def _ready(self, limit: int) -> list[TopicPartition]:
        return [] if self._paused or self._rebalancing else self._turns.places(self._consumer, limit)

    async def _any_change(self, timeout_s: float) -> None:
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()

    def _move(self, place: TopicPartition, offset: int) -> None:
        self._places.move(self._consumer, place, offset, is_fetching=self._fetching is not None)

    # Errors

    async def _sorted_out(self, error: KafkaError | TimeoutError) -> Exception:
        """The error as one of ours. aiokafka may have let go of records of other partitions: all are sought anew."""
        self._places.seek_anew(self._consumer)
        if isinstance(error, OffsetOutOfRangeError):
            faults = await losses(self._consumer, dict(self._next))
            if faults:
                return ConfigurationError(faults)
        ours = as_ours(error, f"read {', '.join(self._topics)}")
        self._broken = isinstance(ours, TransientError) and not getattr(error, "retriable", True)
        return ours

    async def _begin_again(self) -> None:
        """Replace a consumer whose background tasks have died."""
        await self._leave(self._subscriber.stop())
        await self._join(self._subscriber.start())
        self._broken = False

    async def _join(self, starting: Awaitable[Any]) -> None:
        try:
            async with asyncio.timeout(self._settings.start_s):
                await starting
        except (KafkaError, TimeoutError) as error:
            await self._leave(self._subscriber.stop())
            raise as_ours(error, f"join group {self._settings.group}") from error

    async def _leave(self, stopping: Awaitable[Any]) -> None:
        self._next.clear()
        self._rebalancing = True
        await self._lag.stop()
        await _ended([self._positioning])
        try:
            async with asyncio.timeout(self._settings.drain_s):
                await stopped(stopping, self._subscriber.consumer)
        except (KafkaError, TimeoutError) as error:
            log.warning("left group %s without saying so: %r", self._settings.group, error)

    # Assignment

    async def revoked(self, places: Collection[TopicPartition]) -> None:
        """The group is being rearranged: let go of everything, then wait for the batch that runs."""
        self._rebalancing = True
        self._next.clear()
        await _ended([self._positioning])
        if not places:
            return
        try:
            async with asyncio.timeout(self._settings.drain_s):
                await self._on_revoked([as_partition(place) for place in places])
        except TimeoutError:
            log.warning("the running batch outlasts the rebalance; the fence of the store will judge it")
        except Exception as defect:  # noqa: BLE001  aiokafka would swallow it: it stops the next poll instead
            self._fault = defect

    def assigned(self, places: Collection[TopicPartition]) -> None:
        """Hold all partitions until they are positioned. Must not wait: heartbeats start after it."""
        self._consumer.pause(*places)
        self._turns.begin()
        self._rebalancing = False
        self._positioning = asyncio.create_task(self._position(places)) if places else None

    async def _position(self, places: Collection[TopicPartition]) -> None:
        try:
            starts = await starting_offsets(self._consumer, places, self._on_assigned)
        except Exception as fault:  # noqa: BLE001  no error of a task may be lost: it stops the next poll
            self._fault = fault
        else:
            for place in places:
                self._move(place, starts[place])
                if not self._paused:
                    self._consumer.resume(place)
            failpoint("partitions.sought")
        self._changed.set()

    # Shell

    @property
    def _consumer(self) -> Any:
        consumer = self._subscriber.consumer
        if consumer is None:
            raise TransientError("kafka: the consumer is not running")
        return consumer


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    def __init__(self, feed: KafkaFeed) -> None:
        self._feed = feed

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        await self._feed.revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self._feed.assigned(assigned)


async def _ended(tasks: Iterable[asyncio.Task[Any] | None]) -> None:
    """Cancel what still runs and wait until it has ended."""
    running = [task for task in tasks if task is not None]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
