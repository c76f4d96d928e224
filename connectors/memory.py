"""The store in memory: what Postgres keeps, kept in dictionaries, for `milepost try` and for tests.

States, facts and log entries stay encoded, so that nothing a caller still holds can change what was committed. One
batch runs at a time, the next one waits; what a batch writes is put aside and takes effect as a whole when its block
ends without an error.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date

from msgspec.structs import replace

from connectors.memory_tables import Tables
from contracts_schema.rows import (
    Backlog,
    Changes,
    FenceLost,
    KeptRow,
    Lane,
    LeaseState,
    LogRow,
    OffsetRange,
    OutboxRow,
    ParkedRow,
    Partition,
    PartitionState,
    PersonRow,
    Quarantined,
    Review,
    Rulebook,
    Taken,
)

Key = tuple[str, str]


def system_clock() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


class MemoryBatch:
    """One open transaction of the memory store."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._held: set[str] = set()
        self._taken: list[Review] = []
        self._moves: list[OffsetRange] = []
        self._changes = Changes()

    async def fence(self, owner: str, ranges: Sequence[OffsetRange]) -> None:
        """Move each partition on. Raises FenceLost if one is not this owner's, or further already."""
        for moved in ranges:
            state = self._tables.offsets.get((moved.cluster, moved.partition))
            if state is None or state.owner != owner or (state.next or 0) > moved.first:
                raise FenceLost(f"{moved.partition.topic}/{moved.partition.number} from {moved.first}")
        self._moves += ranges

    async def lock_keys(self, shared: Collection[Key], exclusive: Collection[Key]) -> None:
        """Nothing to do: batches do not overlap here."""

    async def lock_free_keys(self, keys: Collection[Key]) -> Collection[Key]:
        """All of them: batches do not overlap here."""
        return set(keys)

    async def claims(self, keys: Collection[Key]) -> Mapping[Key, tuple[str, ...]]:
        """Which contracts claim each of these keys, sorted."""
        crosswalk = self._tables.crosswalk
        return {key: tuple(sorted(crosswalk[key])) for key in keys if key in crosswalk}

    async def lock_documents(self, keys: Collection[bytes]) -> Mapping[bytes, bytes]:
        """What is known of each; batches do not overlap here."""
        return {key: self._tables.documents[key].content if key in self._tables.documents else b"" for key in keys}

    async def lock_free_documents(self, keys: Collection[bytes]) -> Mapping[bytes, bytes]:
        """The same: nobody else holds one."""
        return await self.lock_documents(keys)

    async def load(self, contracts: Collection[str]) -> Mapping[str, bytes]:
        """The encoded states of those that exist."""
        self._held.update(contracts)
        return {name: self._tables.states[name].state for name in sorted(contracts) if name in self._tables.states}

    async def parked_under(self, keys: Collection[Key]) -> Sequence[ParkedRow]:
        """Facts parked under any of these keys, in the order in which they came."""
        wanted = set(keys)
        return [row for row in self._tables.parked.values() if wanted.intersection(row.keys)]

    async def parked_keys(self, keys: Collection[Key]) -> Collection[Key]:
        """Those of these keys under which a fact is parked."""
        return {key for row in await self.parked_under(keys) for key in row.keys}.intersection(keys)

    async def due(self, moment: int, limit: int) -> Sequence[Review]:
        """Wakes of registered contracts whose moment has come, earliest first."""
        found = [wake for wake in self._tables.reviews() if wake.moment <= moment]
        taken = [wake for wake in found if wake.contract in self._tables.states][:limit]
        self._held.update(wake.contract for wake in taken)
        self._taken += taken
        return taken

    async def lock_invoices(self, keys: Collection[bytes]) -> Mapping[bytes, bytes]:
        """What is claimed under each that is known; batches do not overlap here."""
        return await self.look_at_invoices(keys)

    async def look_at_invoices(self, keys: Collection[bytes]) -> Mapping[bytes, bytes]:
        """What is claimed under each that is known."""
        return {key: self._tables.invoices[key] for key in keys if key in self._tables.invoices}

    async def write(self, changes: Changes) -> None:
        """Put everything aside until the block ends. Raises ValueError for a revision that is in the log already."""
        for row in changes.log:
            if (row.contract, row.revision) in self._tables.log:
                raise ValueError(f"the log is append-only: {row.contract} has a revision {row.revision}")
        self._changes = changes

    def commit(self, moment: int) -> None:
        """Let everything take effect, at this moment (µs)."""
        self._tables.move(self._moves)
        self._tables.apply(self._changes, self._held, self._taken, moment)


class MemoryStore:
    """The truth, as long as the process lives. `clock` answers microseconds since 1970."""

    def __init__(self, clock: Callable[[], int] = system_clock) -> None:
        self._clock = clock
        self._lock = asyncio.Lock()
        self._tables = Tables()

    @asynccontextmanager
    async def batch(self) -> AsyncIterator[MemoryBatch]:
        """One transaction; another one waits until this one has ended."""
        async with self._lock:
            batch = MemoryBatch(self._tables)
            yield batch
            batch.commit(self._clock())

    async def take(self, owner: str, cluster: str, partitions: Collection[Partition]) -> Mapping[Partition, Taken]:
        """Make `owner` the only one who may move these partitions on."""
        async with self._lock:
            return {partition: self._tables.take(owner, cluster, partition) for partition in set(partitions)}

    async def give_back(self, owner: str, cluster: str, partitions: Collection[Partition]) -> None:
        """Let go of partitions in good order: one attempt less, where this owner has taken them last."""
        async with self._lock:
            for partition in set(partitions):
                self._tables.give_back(owner, cluster, partition)

    async def attempt(self, owner: str, cluster: str, partition: Partition, offset: int) -> int:
        """Count one more attempt at this offset. Raises FenceLost if the partition is not this owner's."""
        async with self._lock:
            return self._tables.attempt(owner, cluster, partition, offset)

    async def read_past(self, cluster: str, moments: Mapping[Partition, int]) -> None:
        """Move `read_to` of known partitions forward, never back."""
        async with self._lock:
            for partition, moment in moments.items():
                self._tables.read_past((cluster, partition), moment)

    async def forget_partitions(self, cluster: str, partitions: Collection[Partition]) -> int:
        """Delete partitions that are read no more, so that the frontier does not wait for them."""
        async with self._lock:
            known = [(cluster, p) for p in set(partitions) if (cluster, p) in self._tables.offsets]
            for place in known:
                del self._tables.offsets[place]
                self._tables.tries.pop(place, None)
            return len(known)

    async def frontier(self) -> int:
        """The least `read_to` of all known partitions."""
        return min((state.read_to for state in self._tables.offsets.values()), default=0)

    async def now(self) -> int:
        """The clock that was given."""
        return self._clock()

    async def keep_rulebook(self, rulebook: Rulebook, cause: str) -> int | None:
        """Store a rulebook; where it is not the one last used, every contract is woken: how many there are."""
        async with self._lock:
            if self._tables.rulebook_in_use == rulebook.hash:
                return None
            self._tables.rulebooks.setdefault(rulebook.hash, rulebook)
            self._tables.rulebook_in_use = rulebook.hash
            return self._tables.wake_all(0, cause)

    async def rulebook(self, digest: str) -> Rulebook | None:
        """A rulebook by its hash."""
        return self._tables.rulebooks.get(digest)

    async def outbox(self, lane: Lane, limit: int) -> Sequence[OutboxRow]:
        """The oldest rows of a lane, in order."""
        return [row for row, _ in self._tables.outbox.values() if row.lane == lane][:limit]

    async def published(self, lane: Lane, ids: Collection[int]) -> None:
        """Delete rows of this lane."""
        for number in ids:
            if number in self._tables.outbox and self._tables.outbox[number][0].lane == lane:
                del self._tables.outbox[number]

    async def backlog(self) -> Mapping[Lane, Backlog]:
        """Rows and age of the oldest, of each lane that is not empty."""
        ages: dict[Lane, list[int]] = {}
        for row, since in self._tables.outbox.values():
            ages.setdefault(row.lane, []).append(self._clock() - since)
        return {lane: Backlog(len(found), max(found)) for lane, found in ages.items()}

    async def lease(self, name: str, owner: str, seconds: float) -> int | None:
        """Take or renew a lease; its epoch, or None while somebody else holds it."""
        holder, epoch, expires = self._tables.leases.get(name, (owner, 1, 0))
        if holder != owner and expires > self._clock():
            return None
        epoch += holder != owner
        self._tables.leases[name] = (owner, epoch, self._clock() + int(seconds * 1e6))
        return epoch

    async def release(self, name: str, owner: str) -> None:
        """Let a lease of this owner expire now."""
        holder, epoch, _ = self._tables.leases.get(name, ("", 0, 0))
        if holder == owner:
            self._tables.leases[name] = (owner, epoch, 0)

    async def state(self, contract: str) -> bytes | None:
        """The encoded state of one contract."""
        row = self._tables.states.get(contract)
        return row.state if row else None

    async def states_of(self, contracts: Collection[str]) -> Mapping[str, bytes]:
        """The encoded states of those that exist."""
        return {name: self._tables.states[name].state for name in contracts if name in self._tables.states}

    async def states(self) -> AsyncIterator[tuple[str, bytes]]:
        """All contracts with their encoded states, by id, as they stand now."""
        return self._each(sorted((name, row.state) for name, row in self._tables.states.items()))

    async def contracts(self, after: str, limit: int) -> Sequence[tuple[str, int]]:
        """Ids and revisions behind `after`, by id."""
        return sorted((name, row.revision) for name, row in self._tables.states.items() if name > after)[:limit]

    async def log(self, contract: str) -> Sequence[LogRow]:
        """The revisions of one contract, oldest first."""
        return [row for (name, _), row in sorted(self._tables.log.items()) if name == contract]

    async def revisions(self, wanted: Collection[tuple[str, int]]) -> Sequence[LogRow]:
        """Those of the wanted revisions that exist, sorted."""
        return [self._tables.log[key] for key in sorted(set(wanted)) if key in self._tables.log]

    async def quarantine(self, limit: int) -> Sequence[Quarantined]:
        """Open records, newest first, without their values."""
        rows = [row for row, state in reversed(self._tables.quarantine.values()) if state == "open"]
        return [replace(row, value=None) for row in rows[:limit]]

    async def quarantined(self, record: str) -> tuple[Quarantined, str] | None:
        """One record with its value and its state."""
        return self._tables.quarantine.get(record)

    async def settle_quarantine(self, record: str, state: str) -> bool:
        """Mark an open record as redriven or discarded."""
        row, old = self._tables.quarantine.get(record, (None, ""))
        if row is None or old != "open":
            return False
        self._tables.quarantine[record] = (row, state)
        return True

    async def parked(self, limit: int) -> Sequence[ParkedRow]:
        """Parked under keys that nobody claims, oldest first."""
        return self._oldest(limit, claimed=False)

    async def stranded(self, limit: int) -> Sequence[ParkedRow]:
        """Parked although somebody claims one of the keys, oldest first."""
        return self._oldest(limit, claimed=True)

    async def forget_parked(self, before: int, limit: int) -> int:
        """Delete what was parked before a moment (µs), oldest first."""
        async with self._lock:
            old = sorted((row.since, key) for key, row in self._tables.parked.items() if row.since < before)[:limit]
            for _, key in old:
                del self._tables.parked[key]
            return len(old)

    async def forget_documents(self, before: int, limit: int) -> int:
        """Delete those that nobody holds and that were not heard of since a moment (µs), oldest first."""
        async with self._lock:
            heard = self._tables.heard
            loose = sorted((heard[key], key) for key, row in self._tables.documents.items() if not row.held)
            old = [key for since, key in loose if since < before][:limit]
            for key in old:
                del self._tables.documents[key], heard[key]
            return len(old)

    async def kept(self, after: tuple[str, str, int, int], limit: int) -> Sequence[KeptRow]:
        """Kept records behind a place, in order."""
        return [row for place, row in sorted(self._tables.kept.items()) if place > after][:limit]

    async def forget_kept(self, before: int, limit: int) -> int:
        """Delete what is older than a moment (µs), oldest first."""
        async with self._lock:
            old = sorted((row.newest, place) for place, row in self._tables.kept.items() if row.newest < before)
            for _, place in old[:limit]:
                del self._tables.kept[place]
            return len(old[:limit])

    async def person_key(self, fingerprint: str | None) -> str | None:
        """The key of this store's pseudonyms; the first that is given stays."""
        async with self._lock:
            self._tables.person_key = self._tables.person_key or fingerprint
            return self._tables.person_key

    async def persons(self, after: str, limit: int) -> Sequence[PersonRow]:
        """Who is known, behind a pseudonym."""
        return [row for pseudonym, row in sorted(self._tables.persons.items()) if pseudonym > after][:limit]

    async def persons_of(self, pseudonyms: Collection[str]) -> Sequence[PersonRow]:
        """Those whose names are known, sorted."""
        return [self._tables.persons[p] for p in sorted(set(pseudonyms)) if p in self._tables.persons]

    async def erase_persons(self, pseudonyms: Collection[str]) -> int:
        """Forget them; how many were known."""
        async with self._lock:
            return len([row for p in set(pseudonyms) if (row := self._tables.persons.pop(p, None)) is not None])

    async def wake_all(self, moment: int, cause: str) -> int:
        """Wake every contract."""
        async with self._lock:
            return self._tables.wake_all(moment, cause)

    async def wakes(self, limit: int) -> Sequence[Review]:
        """The wake list, earliest first."""
        return self._tables.reviews()[:limit]

    async def counts(self, since: date) -> Mapping[date, Mapping[str, int]]:
        """Control totals by day and outcome."""
        return {day: dict(totals) for day, totals in sorted(self._tables.counts.items()) if day >= since}

    async def partitions(self) -> Sequence[PartitionState]:
        """Every partition ever taken."""
        return [state for _, state in sorted(self._tables.offsets.items())]

    async def tally(self) -> Mapping[str, int]:
        """How many contracts, open quarantined records and parked facts there are."""
        tables = self._tables
        opened = sum(state == "open" for _, state in tables.quarantine.values())
        return {"contracts": len(tables.states), "quarantine": opened, "parked": len(tables.parked)}

    async def leases(self) -> Sequence[LeaseState]:
        """Leases that have not expired, by name."""
        now = self._clock()
        held = sorted(self._tables.leases.items())
        return [LeaseState(n, owner, epoch, until - now) for n, (owner, epoch, until) in held if until > now]

    async def end_stalled(self) -> int:
        """Nobody stands still here without everybody else."""
        return 0

    async def check(self) -> Sequence[str]:
        """Memory is always fit."""
        return []

    def _oldest(self, limit: int, *, claimed: bool) -> list[ParkedRow]:
        crosswalk = self._tables.crosswalk
        rows = [row for row in self._tables.parked.values() if any(key in crosswalk for key in row.keys) is claimed]
        return sorted(rows, key=lambda row: row.since)[:limit]

    @staticmethod
    async def _each(rows: list[tuple[str, bytes]]) -> AsyncIterator[tuple[str, bytes]]:
        for row in rows:
            yield row
