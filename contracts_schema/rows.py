"""What the store keeps and the relay sends: plain rows, spoken by the core's callers and by every store alike."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from msgspec import Struct

from contracts_schema.money import Money


class Partition(NamedTuple):
    """One partition of one topic."""

    topic: str
    number: int


class OffsetRange(NamedTuple):
    """Offsets `first` (included) to `next` (excluded) of a partition, and the newest record timestamp (µs) in them."""

    cluster: str
    partition: Partition
    first: int
    next: int
    read_to: int


class Taken(NamedTuple):
    """A partition taken over: the next offset to read (None: never read), and how often a process has taken it at that
    same offset without finishing a batch. At three the record there is suspected of killing processes."""

    next: int | None
    attempts: int


class FenceLost(Exception):
    """This worker no longer owns a partition of the batch, or the store is ahead of it: reload the offsets and seek."""


class Lane(IntEnum):
    """Lanes of the outbox, in the order in which they are looked at; commands have a relay of their own."""

    COMMANDS = 0
    DECISIONS = 1
    SNAPSHOTS = 2
    QUARANTINE = 3
    NOTICES = 4


class PublishRow(Struct, frozen=True, array_like=True):
    """One record to publish. `urgent` marks a hold: contracts with a waiting hold go first when the relay is behind."""

    topic: str
    key: bytes
    headers: tuple[tuple[str, bytes], ...]
    value: bytes | None
    contract: str = ""
    urgent: bool = False


class OutboxRow(Struct, frozen=True):
    """One row of the outbox: what one commit has to say in one lane, packed (`body`), in order."""

    id: int
    lane: Lane
    body: bytes


class LogRow(Struct, frozen=True):
    """One revision of one contract: append-only. `head` is the SHA-256 over `previous` and `entry`."""

    contract: str
    revision: int
    entry: bytes
    previous: bytes
    head: bytes


class ParkedRow(Struct, frozen=True):
    """A fact that waits for a contract: encoded, with every key under which it may be claimed.

    `subject` is the fact's: the newest of a subject is kept, by `order` (greater bytes are newer), then `timestamp`.
    `since` is in microseconds.
    """

    source: str
    subject: str
    keys: tuple[tuple[str, str], ...]
    fact: bytes
    timestamp: int
    origin: str
    reason: str
    since: int
    order: bytes = b""


class Quarantined(Struct, frozen=True):
    """A record that could not be used, with where it came from and why. `value` stays whole in the store."""

    id: str
    source: str
    cluster: str
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    value: bytes | None
    fault: str
    sentence: str
    size: int
    sha256: str


class Review(NamedTuple):
    """A contract that is to be looked at again at `moment` (µs), and why."""

    contract: str
    moment: int
    cause: str


class StateRow(Struct, frozen=True):
    """The new state of one contract."""

    contract: str
    revision: int
    state: bytes


class PartitionState(Struct, frozen=True):
    """How far a partition has been read, and by whom; `read_to` in microseconds."""

    cluster: str
    partition: Partition
    next: int | None
    owner: str
    epoch: int
    attempts: int
    read_to: int


class Backlog(NamedTuple):
    """What waits in one lane of the outbox: rows, and the age of the oldest in microseconds."""

    rows: int
    age: int


class LeaseState(NamedTuple):
    """Who holds a lease, and for how many microseconds still."""

    name: str
    owner: str
    epoch: int
    left: int


class InvoiceClaim(Struct, frozen=True, array_like=True):
    """What one contract claims of one invoice: the nets of all its parts and the totals stated, each by currency, and
    the largest part in minor units.

    `supplier` is the identifier by which the contract knows the supplier, `identifiers` are all that it has of it.
    """

    supplier: str
    identifiers: tuple[str, ...]
    business_unit: str | None
    nets: tuple[Money, ...]
    largest: int
    totals: tuple[Money, ...]


class DocumentRow(NamedTuple):
    """What is known of one vendor document (opaque bytes), and whether a contract has had a part of it."""

    key: bytes
    content: bytes
    held: bool


class KeptRow(Struct, frozen=True):
    """Records of one batch and partition, kept for replay: offsets `first` to `next` (excluded), the newest time of any
    (µs, not ahead of the store's clock), and the records, packed."""

    cluster: str
    partition: Partition
    first: int
    next: int
    newest: int
    records: bytes

    @property
    def place(self) -> tuple[str, str, int, int]:
        """What orders and names the row: cluster, topic, partition and first offset."""
        return (self.cluster, *self.partition, self.first)


class PersonRow(Struct, frozen=True):
    """Whom a pseudonym means; `first_seen` in microseconds since 1970."""

    pseudonym: str
    name: str
    first_seen: int


class Rulebook(Struct, frozen=True):
    """What decisions depend on beside facts: hash and content of rules version, policy, people, roles, calendars."""

    hash: str
    content: bytes


class Changes(Struct):
    """Everything one batch writes. Wakes: one row a (contract, cause); a moment of None removes it. Invoices: what all
    contracts claim under a key that the batch has locked; nothing where nobody claims it any more. Documents: those of
    which more is known, of those that the batch has locked. Persons: pseudonyms and names; who is known stays."""

    states: list[StateRow] = []
    log: list[LogRow] = []
    outbox: list[tuple[Lane, bytes]] = []
    quarantine: list[Quarantined] = []
    parked: list[ParkedRow] = []
    unparked: list[tuple[str, str]] = []
    claimed: list[tuple[str, str, str]] = []
    unclaimed: list[tuple[str, str, str]] = []
    wakes: list[tuple[str, int | None, str]] = []
    invoices: list[tuple[bytes, bytes]] = []
    documents: list[DocumentRow] = []
    kept: list[KeptRow] = []
    persons: list[tuple[str, str]] = []
    counts: dict[str, int] = {}
