"""The partitions that this worker holds: what it asks the store when it gets them, and when it may let go of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from operator import attrgetter

from contracts_schema.errors import TransientError
from contracts_schema.failpoints import failpoint
from contracts_schema.records import Record
from contracts_schema.rows import OffsetRange, Partition, Taken
from services.ports import Store

SUSPICIOUS = 3  # so many processes took a partition at one offset, finished no batch and did not give it back


class Holdings:
    """Answers the feed's questions about partitions. `records_at_once` is the most that a batch may hold of one."""

    def __init__(self, store: Store, owner: str, cluster: str, records_at_once: int) -> None:
        self.owner = owner
        self.cluster = cluster
        self.held: set[Partition] = set()
        self.abandoned = False  # the running batch's partitions were taken away
        self._store = store
        self._records_at_once = records_at_once
        self._suspected: dict[Partition, int] = {}  # how many records of it are still to be taken one by one
        self._at_rest = asyncio.Event()
        self._at_rest.set()

    async def assigned(self, partitions: Collection[Partition]) -> Mapping[Partition, int | None]:
        """Take partitions over; the next offset of each (None: never read).

        Raises:
            TransientError: the store does not answer; ask again.
        """
        taken = await self._store.take(self.owner, self.cluster, partitions)
        failpoint("partitions.taken")
        self.held.update(partitions)
        for partition, found in taken.items():
            self._suspect(partition, found)
        return {partition: found.next for partition, found in taken.items()}

    async def revoked(self, partitions: Collection[Partition]) -> None:
        """Let go; done when no batch runs. A batch that waits for the store to come back is given up.

        Whoever lets go has not died on what it took: only deaths make a record suspected.
        """
        failpoint("partitions.revoked")
        self.held.difference_update(partitions)
        self.abandoned = not self._at_rest.is_set()
        await self._at_rest.wait()
        with contextlib.suppress(TransientError):  # then one attempt too many is counted
            await self._store.give_back(self.owner, self.cluster, partitions)
        failpoint("partitions.drained")

    def begin(self) -> None:
        """A batch runs from now on. Called without waiting for anything after its records came."""
        self.abandoned = False
        self._at_rest.clear()

    def end(self) -> None:
        """The batch is committed, or given up."""
        self.abandoned = False
        self._at_rest.set()

    def is_suspected(self, record: Record) -> bool:
        """Whether processes have died on this record or one near it, so that it is to be taken by itself."""
        return Partition(record.topic, record.partition) in self._suspected

    def passed(self, record: Record) -> None:
        """A suspected record did no harm, or was set aside."""
        partition = Partition(record.topic, record.partition)
        left = self._suspected.pop(partition, 0) - 1
        if left > 0:
            self._suspected[partition] = left

    def ranges(self, records: Sequence[Record], now: int) -> list[OffsetRange]:
        """What a batch of these records moves on. No record's timestamp counts beyond `now` (µs) as read."""
        by_place: dict[tuple[str, int], list[Record]] = {}
        for place, run in groupby(records, attrgetter("topic", "partition")):
            by_place.setdefault(place, []).extend(run)
        return [self._range(Partition(*place), mine, now) for place, mine in by_place.items()]

    def _range(self, place: Partition, records: Sequence[Record], now: int) -> OffsetRange:
        oldest = min(r.timestamp for r in records) * 1000  # one that runs ahead says nothing of those behind it
        return OffsetRange(self.cluster, place, records[0].offset, records[-1].offset + 1, max(0, min(oldest, now)))

    def _suspect(self, partition: Partition, found: Taken) -> None:
        if found.attempts >= SUSPICIOUS:
            self._suspected[partition] = self._records_at_once
        else:
            self._suspected.pop(partition, None)
