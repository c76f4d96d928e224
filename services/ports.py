"""Ports: what the doing rooms need from the world. Connectors fit them by shape and never import this.

The store's batch is one transaction. The order of its calls is fixed, because it is the order of locks:
`fence`, `lock_keys`, `claims`, `lock_documents`, `load`, then reads, `lock_invoices`, then one `write`; leaving the
block commits.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date
from typing import Protocol

from contracts_schema.collected import Kind, Page, Place, Seen, Standing, Told
from contracts_schema.records import Record
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
    PublishRow,
    Quarantined,
    Review,
    Rulebook,
    Taken,
)

__all__ = ["Batch", "Cursor", "Feed", "FenceLost", "Poller", "Publisher", "Store", "Telemetry"]


class Batch(Protocol):
    """One open transaction of the store."""

    async def fence(self, owner: str, ranges: Sequence[OffsetRange]) -> None:
        """Move each partition from `first` to `next` if this owner still holds it. First statement of the batch.

        Raises:
            FenceLost: another worker has taken a partition over, or has been further already.
        """

    async def lock_keys(self, shared: Collection[tuple[str, str]], exclusive: Collection[tuple[str, str]]) -> None:
        """Lock crosswalk keys (source, key) until commit: shared to park under them, exclusive to claim them."""

    async def lock_free_keys(self, keys: Collection[tuple[str, str]]) -> Collection[tuple[str, str]]:
        """The same, shared, without waiting: those locked; keys that another batch is claiming may be left out, with
        others by chance. It may come after `due`."""

    async def claims(self, keys: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], tuple[str, ...]]:
        """Which contracts claim each of these keys; keys that nobody claims are left out.

        The pair `("", contract)` is claimed by a contract that is registered under that id.
        """

    async def lock_documents(self, keys: Collection[bytes]) -> Mapping[bytes, bytes]:
        """Lock these vendor documents until commit, in sorted order; what is known of each, nothing of a new one."""

    async def lock_free_documents(self, keys: Collection[bytes]) -> Mapping[bytes, bytes]:
        """The same without waiting: documents that another batch holds are left out. It may come after `due`."""

    async def load(self, contracts: Collection[str]) -> Mapping[str, bytes]:
        """The encoded states of these contracts, their rows locked in sorted order; a new contract is left out."""

    async def parked_under(self, keys: Collection[tuple[str, str]]) -> Sequence[ParkedRow]:
        """Facts parked under any of these keys, in the order in which they came."""

    async def parked_keys(self, keys: Collection[tuple[str, str]]) -> Collection[tuple[str, str]]:
        """Those of these keys under which a fact is parked."""

    async def due(self, moment: int, limit: int) -> Sequence[Review]:
        """Take up to `limit` wakes whose moment has come, earliest first, and lock their contracts.

        Contracts that another batch holds are skipped, so this never waits; it comes after `load`, which does. A wake
        taken here is done with when `write` says None, or another moment, for it.
        """

    async def lock_invoices(self, keys: Collection[bytes]) -> Mapping[bytes, bytes]:
        """Lock these keys of claimed invoices until commit, in sorted order; what is claimed under each that is known.

        Comes once, after everything that waits for another lock.
        """

    async def look_at_invoices(self, keys: Collection[bytes]) -> Mapping[bytes, bytes]:
        """What is claimed under these keys, as it was last committed, without waiting for anybody."""

    async def write(self, changes: Changes) -> None:
        """Write everything that the batch changed. Invoices are written under keys that it has locked."""


class Store(Protocol):
    """Where the truth lies."""

    def batch(self) -> AbstractAsyncContextManager[Batch]:
        """Open one transaction; it commits when the block ends and rolls back when an error leaves it.

        Raises:
            TransientError: the store does not answer or asks to do the batch again.
        """

    async def give_back(self, owner: str, cluster: str, partitions: Collection[Partition]) -> None:
        """Let go of partitions in good order: having taken them was no attempt on which a process died."""

    async def end_stalled(self) -> int:
        """Take the locks away from processes that were stopped in the middle of a statement; how many there were."""

    async def take(self, owner: str, cluster: str, partitions: Collection[Partition]) -> Mapping[Partition, Taken]:
        """Make `owner` the only one who may move these partitions on; counts one more attempt at each next offset."""

    async def attempt(self, owner: str, cluster: str, partition: Partition, offset: int) -> int:
        """Count one more attempt at this offset, durably, before the record is worked on; a passed fence resets it."""

    async def read_past(self, cluster: str, moments: Mapping[Partition, int]) -> None:
        """Note that these partitions have been read past a moment (µs), also where no record came."""

    async def forget_partitions(self, cluster: str, partitions: Collection[Partition]) -> int:
        """Delete partitions that are read no more, so that the frontier does not wait for them."""

    async def frontier(self) -> int:
        """The moment (µs) past which every known partition has been read; 0 while there is none."""

    async def now(self) -> int:
        """The store's clock in microseconds since 1970: it bounds every revision's moment (rule A5)."""

    async def keep_rulebook(self, rulebook: Rulebook, cause: str) -> int | None:
        """Store the content of a rulebook under its hash, as the one in use. Where it is not the one last used, every
        contract is woken for `cause` with it, both or neither; how many there are, None where nothing has changed."""

    async def outbox(self, lane: Lane, limit: int) -> Sequence[OutboxRow]:
        """The oldest rows of a lane, in order."""

    async def published(self, lane: Lane, ids: Collection[int]) -> None:
        """Delete outbox rows whose records the broker has confirmed."""

    async def lease(self, name: str, owner: str, seconds: float) -> int | None:
        """Take or renew a lease; its epoch, or None while somebody else holds it."""

    async def state(self, contract: str) -> bytes | None:
        """The encoded state of one contract, without locking it."""

    async def states_of(self, contracts: Collection[str]) -> Mapping[str, bytes]:
        """The encoded states of these contracts, without locking them; one that is not there is left out."""

    async def states(self) -> AsyncIterator[tuple[str, bytes]]:
        """All contracts with their encoded states, by id."""

    async def log(self, contract: str) -> Sequence[LogRow]:
        """The revisions of one contract, oldest first."""

    async def revisions(self, wanted: Collection[tuple[str, int]]) -> Sequence[LogRow]:
        """Single revisions by (contract, revision)."""

    async def quarantine(self, limit: int) -> Sequence[Quarantined]:
        """What lies in quarantine, newest first, without the values."""

    async def parked(self, limit: int) -> Sequence[ParkedRow]:
        """What is parked under keys that nobody claims, oldest first."""

    async def stranded(self, limit: int) -> Sequence[ParkedRow]:
        """What is parked although a contract claims one of its keys: ambiguous facts, and what a sweep repairs."""

    async def forget_parked(self, before: int, limit: int) -> int:
        """Delete up to `limit` facts parked before a moment (µs), oldest first; how many there were."""

    async def forget_documents(self, before: int, limit: int) -> int:
        """Delete up to `limit` documents of which no contract has had a part, and that were not heard of since a moment
        (µs), oldest first; how many there were."""

    async def kept(self, after: tuple[str, str, int, int], limit: int) -> Sequence[KeptRow]:
        """Records kept for replay behind a place, by cluster, topic, partition and first offset."""

    async def forget_kept(self, before: int, limit: int) -> int:
        """Delete up to `limit` rows of kept records older than a moment (µs), oldest first; how many there were."""

    async def person_key(self, fingerprint: str | None) -> str | None:
        """The fingerprint of the key with which this store's pseudonyms are made; the first that is given stays."""

    async def persons(self, after: str, limit: int) -> Sequence[PersonRow]:
        """Who is known, behind a pseudonym."""

    async def persons_of(self, pseudonyms: Collection[str]) -> Sequence[PersonRow]:
        """Those of these pseudonyms whose names are known, sorted."""

    async def erase_persons(self, pseudonyms: Collection[str]) -> int:
        """Forget whom these pseudonyms mean; how many were known."""

    async def wake_all(self, moment: int, cause: str) -> int:
        """Wake every contract at `moment` (µs); how many there are."""

    async def wakes(self, limit: int) -> Sequence[Review]:
        """What is to be looked at again, the earliest first."""

    async def release(self, name: str, owner: str) -> None:
        """Give a lease back before it expires, so that the next owner need not wait."""

    async def contracts(self, after: str, limit: int) -> Sequence[tuple[str, int]]:
        """Ids and revisions of contracts behind `after`, by id."""

    async def rulebook(self, digest: str) -> Rulebook | None:
        """The content of a rulebook by its hash."""

    async def quarantined(self, record: str) -> tuple[Quarantined, str] | None:
        """One quarantined record by id, with its value, and its state: open, redriven or discarded."""

    async def settle_quarantine(self, record: str, state: str) -> bool:
        """Mark an open record as redriven or discarded; False if it is not there or not open."""

    async def counts(self, since: date) -> Mapping[date, Mapping[str, int]]:
        """Control totals: what became of the records, by day (UTC, the store's clock) and outcome."""

    async def partitions(self) -> Sequence[PartitionState]:
        """Every partition ever taken, with the offset that lag is counted from."""

    async def backlog(self) -> Mapping[Lane, Backlog]:
        """What waits in each lane of the outbox; empty lanes are left out."""

    async def tally(self) -> Mapping[str, int]:
        """How many `contracts`, open `quarantine` records and `parked` facts there are."""

    async def leases(self) -> Sequence[LeaseState]:
        """Leases that have not expired, by name."""

    async def check(self) -> Sequence[str]:
        """Faults that forbid to start, each with its remedy; empty where the store is fit."""


class Feed(Protocol):
    """Where records come from, partition by partition."""

    async def poll(self, limit: int, timeout_s: float) -> Sequence[Record]:
        """Up to `limit` records; of one partition they are in order and without gap."""

    def pause(self) -> None:
        """Fetch nothing more until `resume`; polling goes on, so that the group membership stays alive."""

    def resume(self) -> None:
        """Fetch again."""

    async def rewind(self, positions: Mapping[Partition, int]) -> None:
        """Go back to these offsets, after a batch that was not committed."""

    async def read_past(self) -> Mapping[Partition, int]:
        """For each assigned partition that has been read to its end, the moment (µs) at which that was true."""

    def note_committed(self, positions: Mapping[Partition, int]) -> None:
        """Tell lag tools how far the store has come; nothing is ever read from it."""

    def behind(self) -> Mapping[Partition, int]:
        """For each assigned partition, how many records wait in the topic, as far as is known."""


class Publisher(Protocol):
    """Where records go to, confirmed by all replicas."""

    @property
    def max_record_bytes(self) -> int:
        """Key, headers and value of a record together fit in this."""

    async def publish(self, rows: Sequence[PublishRow]) -> None:
        """Send all, in order for each key, and wait until the broker has confirmed every one.

        Raises:
            TransientError: at least one was not confirmed; publishing all of them again does no harm.
        """


class Telemetry(Protocol):
    """What a process tells about itself. Metrics are declared where they are kept; an unknown name is a defect."""

    def event(self, level: str, event: str, **fields: object) -> None:
        """One line of the log; fields that are not on the list of allowed ones are left out."""

    def count(self, metric: str, by: float = 1, **labels: str) -> None:
        """Add to a counter."""

    def gauge(self, metric: str, value: float, **labels: str) -> None:
        """Set a gauge."""

    def took(self, metric: str, seconds: float) -> None:
        """Add one span to a histogram."""


class Poller(Protocol):
    """A system that does not tell by itself and is asked."""

    @property
    def kinds(self) -> Sequence[Kind]:
        """The kinds of objects it is asked for."""

    @property
    def skew(self) -> int:
        """How far the system's clock is ahead of ours (µs), as far as it is known."""

    async def page(self, kind: str, after: int, since: int | None) -> Page:
        """Objects numbered above `after`, in order; with `since` (µs, the system's clock) those changed from then on.

        Raises:
            TransientError: the system does not answer now; `Busy` says when it may be asked again.
            ConfigurationError: address, key or access rights are not right.
        """

    async def is_gone(self, kind: str, number: int) -> bool:
        """Whether an object that a full page lacks is really gone.

        Raises:
            TransientError, ConfigurationError: as for `page`; then nobody knows.
        """

    def deletion(self, kind: str, number: int, created: str, observed_at: int) -> Seen:
        """What to tell of an object that was seen to be gone at that moment (µs)."""


class Cursor(Protocol):
    """Where collectors stand, durably. It is moved only after the broker has confirmed what was read."""

    async def place(self, source: str, kind: str) -> Place:
        """How far this kind of object has been read; the beginning where it never was."""

    async def told(self, source: str, kind: str, numbers: Collection[int]) -> Mapping[int, Told]:
        """What was last told of these objects; one never told is left out."""

    async def told_between(self, source: str, kind: str, after: int, to: int | None) -> Mapping[int, Told]:
        """What was told of all objects numbered above `after` and up to `to` (None: of all above), by number."""

    async def keep(self, source: str, kind: str, place: Place, told: Mapping[int, Told | None]) -> None:
        """Keep a place, and what was told; None forgets an object that is gone."""

    async def say(self, source: str, sentence: str | None) -> None:
        """Keep that a source was asked now, and what hinders it."""

    async def standings(self) -> Sequence[Standing]:
        """Every source that was ever asked, by name."""
