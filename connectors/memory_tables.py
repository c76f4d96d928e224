"""The tables of the memory store and how one batch changes them: plain dictionaries, no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from itertools import count

from msgspec.structs import replace

from connectors.wakes import net_wakes
from contracts_schema.rows import (
    Changes,
    DocumentRow,
    FenceLost,
    KeptRow,
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
    StateRow,
    Taken,
)

Key = tuple[str, str]
Place = tuple[str, Partition]
SUSPECT = 3  # attempts from which records are taken one by one; while they are, the partition stays under suspicion
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def day_of(moment: int) -> date:
    """The day (UTC) of a moment in microseconds."""
    return (EPOCH + timedelta(microseconds=moment)).date()


def is_newer(row: ParkedRow, other: ParkedRow) -> bool:
    """Whether `row` replaces `other`, a fact of the same subject. The bytes settle a tie, whatever the order."""
    return (row.order, row.timestamp, row.fact) > (other.order, other.timestamp, other.fact)


class Tables:
    """Everything that was committed."""

    def __init__(self) -> None:
        self.offsets: dict[Place, PartitionState] = {}
        self.tries: dict[Place, tuple[int, int]] = {}  # offset, attempts at it
        self.states: dict[str, StateRow] = {}
        self.log: dict[tuple[str, int], LogRow] = {}
        self.crosswalk: dict[Key, set[str]] = {}
        self.parked: dict[tuple[str, str], ParkedRow] = {}  # in the order in which they came
        self.outbox: dict[int, tuple[OutboxRow, int]] = {}
        self.quarantine: dict[str, tuple[Quarantined, str]] = {}
        self.wake_list: dict[tuple[str, str, bool], int] = {}  # contract, cause, whether another contract's batch
        self.invoices: dict[bytes, bytes] = {}  # what all contracts claim, by key
        self.documents: dict[bytes, DocumentRow] = {}  # what is known of vendors' documents
        self.heard: dict[bytes, int] = {}  # when each was last heard of
        self.kept: dict[tuple[str, str, int, int], KeptRow] = {}  # records for replay, by place
        self.persons: dict[str, PersonRow] = {}
        self.person_key: str | None = None
        self.leases: dict[str, tuple[str, int, int]] = {}
        self.rulebooks: dict[str, Rulebook] = {}
        self.rulebook_in_use = ""
        self.counts: dict[date, Counter[str]] = {}
        self._numbers = count(1)

    def take(self, owner: str, cluster: str, partition: Partition) -> Taken:
        """Give a partition to `owner`, and count the attempt at its next offset."""
        nobody = PartitionState(cluster, partition, next=None, owner="", epoch=0, attempts=0, read_to=0)
        state = self.offsets.get((cluster, partition), nobody)
        taken = replace(state, owner=owner, epoch=state.epoch + 1, attempts=state.attempts + 1)
        self.offsets[cluster, partition] = taken
        return Taken(taken.next, taken.attempts)

    def give_back(self, owner: str, cluster: str, partition: Partition) -> None:
        """Take back the attempt that taking it counted, where this owner has taken it last."""
        state = self.offsets.get((cluster, partition))
        if state is not None and state.owner == owner and state.attempts > 0:
            self.offsets[cluster, partition] = replace(state, attempts=state.attempts - 1)

    def attempt(self, owner: str, cluster: str, partition: Partition, offset: int) -> int:
        """Count an attempt at one offset. Raises FenceLost if the partition is not this owner's."""
        state = self.offsets.get((cluster, partition))
        if state is None or state.owner != owner:
            raise FenceLost(f"{partition.topic}/{partition.number} at {offset}")
        self.offsets[cluster, partition] = replace(state, attempts=max(state.attempts, SUSPECT))
        tried, attempts = self.tries.get((cluster, partition), (offset, 0))
        self.tries[cluster, partition] = (offset, attempts + 1 if tried == offset else 1)
        return self.tries[cluster, partition][1]

    def read_past(self, place: Place, moment: int) -> None:
        """Note how far a known partition has been read; an unknown one stays unknown."""
        if place in self.offsets:
            state = self.offsets[place]
            self.offsets[place] = replace(state, read_to=max(state.read_to, moment))

    def move(self, moves: Collection[OffsetRange]) -> None:
        """What a fence that held has moved on."""
        for moved in moves:
            place = (moved.cluster, moved.partition)
            self.offsets[place] = replace(self.offsets[place], next=moved.next, attempts=0)
            self.tries.pop(place, None)
            self.read_past(place, moved.read_to)

    def apply(self, changes: Changes, held: Collection[str], taken: Collection[Review], moment: int) -> None:
        """Let the changes of one batch take effect; `held` are the contracts that it had locked, `taken` its wakes."""
        self.states.update((row.contract, row) for row in changes.states)
        self.log.update(((row.contract, row.revision), row) for row in changes.log)
        self._claim(changes)
        for lane, body in changes.outbox:
            number = next(self._numbers)
            self.outbox[number] = (OutboxRow(number, lane, body), moment)
        for record in changes.quarantine:
            self._quarantine(record)
        self._park(changes)
        self.invoices.update(changes.invoices)
        for key in [key for key, claims in changes.invoices if not claims]:
            del self.invoices[key]
        self.documents.update((row.key, row) for row in changes.documents)
        self.heard.update((row.key, moment) for row in changes.documents)
        self.kept.update((row.place, row) for row in changes.kept)
        for pseudonym, name in changes.persons:
            self.persons.setdefault(pseudonym, PersonRow(pseudonym, name, moment))
        self._wake(changes, {*held, *(row.contract for row in changes.states)}, taken)
        self.counts.setdefault(day_of(moment), Counter()).update(changes.counts)

    def wake(self, contract: str, moment: int, cause: str, *, foreign: bool = True) -> None:
        """Wake a contract at `moment`, or when it was to be woken for this cause already, if that is earlier."""
        key = (contract, cause, foreign)
        self.wake_list[key] = min(moment, self.wake_list.get(key, moment))

    def wake_all(self, moment: int, cause: str) -> int:
        """Wake every contract; how many there are."""
        for contract in self.states:
            self.wake(contract, moment, cause)
        return len(self.states)

    def reviews(self) -> list[Review]:
        """The wake list, earliest first."""
        earliest: dict[tuple[str, str], int] = {}
        for (contract, cause, _), moment in self.wake_list.items():
            earliest[contract, cause] = min(moment, earliest.get((contract, cause), moment))
        listed = sorted((moment, contract, cause) for (contract, cause), moment in earliest.items())
        return [Review(contract, moment, cause) for moment, contract, cause in listed]

    def _claim(self, changes: Changes) -> None:
        for source, key, contract in set(changes.unclaimed).difference(changes.claimed):
            claimants = self.crosswalk.get((source, key), set())
            claimants.discard(contract)
            if not claimants:
                self.crosswalk.pop((source, key), None)
        for source, key, contract in changes.claimed:
            self.crosswalk.setdefault((source, key), set()).add(contract)

    def _wake(self, changes: Changes, own: Collection[str], taken: Collection[Review]) -> None:
        """Own wakes are replaced; those that came from other contracts stay until they were taken."""
        seen = {(review.contract, review.cause) for review in taken}
        net = net_wakes(changes.wakes, own)
        for contract, cause in net.replaced:
            self.wake_list.pop((contract, cause, False), None)
            if (contract, cause) in seen:
                self.wake_list.pop((contract, cause, True), None)
        for contract, moment, cause, foreign in net.new:
            self.wake(contract, moment, cause, foreign=foreign)

    def _park(self, changes: Changes) -> None:
        for key in changes.unparked:
            self.parked.pop(key, None)
        for row in changes.parked:
            kept = self.parked.get((row.source, row.subject))
            if kept is None or is_newer(row, kept):
                self.parked.pop((row.source, row.subject), None)
                self.parked[row.source, row.subject] = row

    def _quarantine(self, record: Quarantined) -> None:
        """Once per id; a record that was redriven and failed again is open again."""
        if self.quarantine.get(record.id, (record, "redriven"))[1] == "redriven":
            self.quarantine.pop(record.id, None)
            self.quarantine[record.id] = (record, "open")
