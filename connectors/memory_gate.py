"""What the gate keeps, in memory: for tests and for the demo's simulator without a database."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager

from msgspec import Struct
from msgspec.structs import replace

from connectors.memory import system_clock
from contracts_schema.payables import Finding, Finished, Intake, InvoiceRow, Listing, Refusal, Task
from contracts_schema.rows import FenceLost, OffsetRange, Partition, PublishRow

Key = tuple[str, str]

DAY = 86_400_000_000  # µs; what a hold names counts as due since yesterday, so that it comes first


class _Kept(Struct):
    """An invoice: what is remembered, when it is due (µs, None: never), and what people should know."""

    row: InvoiceRow
    due: int | None = None
    finding: str = ""
    since: int = 0


class MemoryWanted:
    """One finance system's part (port `Wanted`). `crosswalk` says which contracts claim a key."""

    def __init__(
        self, finance: str, crosswalk: Mapping[Key, Collection[str]] | None = None,
        clock: Callable[[], int] = system_clock,
    ) -> None:  # fmt: skip
        self.finance = finance
        self.crosswalk: Mapping[Key, Collection[str]] = {} if crosswalk is None else crosswalk
        self.contracts: dict[str, bytes] = {}
        self.invoices: dict[str, _Kept] = {}
        self.listings: dict[tuple[str, str], tuple[str, ...]] = {}
        self.offsets: dict[tuple[str, Partition], tuple[str, int | None]] = {}
        self.said: dict[int, PublishRow] = {}
        self.refused: dict[str, Refusal] = {}
        self._clock = clock
        self._number = 0
        self._writing = asyncio.Lock()
        self._looking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._releasing: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def take(self, owner: str, cluster: str, partitions: Collection[Partition]) -> Mapping[Partition, int | None]:
        """Make `owner` the only one who may move these partitions on."""
        async with self._writing:
            for partition in partitions:
                self.offsets[cluster, partition] = (owner, self.offsets.get((cluster, partition), ("", None))[1])
            return {partition: self.offsets[cluster, partition][1] for partition in partitions}

    async def stands(self, cluster: str) -> Mapping[Partition, int | None]:
        """The next offset of each partition that any gate has taken."""
        return {place: following for (where, place), (_, following) in self.offsets.items() if where == cluster}

    @asynccontextmanager
    async def intake(self) -> AsyncIterator[_MemoryIntake]:
        """One transaction; another one waits until this one has ended."""
        async with self._writing:
            batch = _MemoryIntake(self)
            yield batch
            await batch.commit()

    async def due(self, limit: int) -> Sequence[Task]:
        """What is due, the longest due first."""
        now = self._clock()
        due = [(kept.due, kept.row) for kept in self._all() if kept.due is not None and kept.due <= now]
        due.sort(key=lambda found: (found[0], found[1].subject))
        return [Task(row.subject, row.tries) for _, row in due[:limit]]

    @asynccontextmanager
    async def look(self, subject: str) -> AsyncIterator[_MemoryLook]:
        """One look at one invoice; what it writes takes effect when the block ends without an error."""
        async with self._looking[subject]:
            look = _MemoryLook(self, self._kept(subject).row)
            yield look
            look.commit()

    @asynccontextmanager
    async def releasing(self, subject: str, generation: int) -> AsyncIterator[bool]:
        """Around a release: no command that names the invoice is taken in while it lasts."""
        async with self._releasing[subject]:
            yield self._kept(subject).row.generation == generation

    async def wake(self, subjects: Collection[str]) -> None:
        """Make these due now."""
        for subject in subjects:
            kept = self._kept(subject)
            kept.due = self._clock()
            kept.row = replace(kept.row, generation=kept.row.generation + 1)

    async def listed(self, subjects: Collection[str]) -> Collection[str]:
        """Those that some command names."""
        named = {subject for names in self.listings.values() for subject in names}
        return named.intersection(subjects)

    async def claimed(self, keys: Collection[Key]) -> Mapping[Key, tuple[str, ...]]:
        """Which contracts claim these keys."""
        return {key: tuple(sorted(self.crosswalk[key])) for key in keys if key in self.crosswalk}

    async def answers(self, limit: int) -> Sequence[tuple[int, PublishRow]]:
        """The oldest answers, in order."""
        return sorted(self.said.items())[:limit]

    async def answered(self, ids: Collection[int]) -> None:
        """Delete answers."""
        for number in ids:
            self.said.pop(number, None)

    async def findings(self) -> Sequence[Finding]:
        """What people should know, oldest first."""
        found = [
            Finding(self.finance, k.row.subject, k.finding, k.since, k.row.memory) for k in self._all() if k.finding
        ]
        return sorted(found, key=lambda finding: (finding.since, finding.subject))

    async def refusals(self, limit: int) -> Sequence[Refusal]:
        """Refused commands, newest first."""
        return list(reversed(self.refused.values()))[:limit]

    async def now(self) -> int:
        """The clock that was given."""
        return self._clock()

    def _all(self) -> list[_Kept]:
        return list(self.invoices.values())

    def _kept(self, subject: str) -> _Kept:
        return self.invoices.setdefault(subject, _Kept(InvoiceRow(subject, b"", 0, 0)))

    def _say(self, rows: Sequence[PublishRow]) -> None:
        for row in rows:
            self._number += 1
            self.said[self._number] = row

    async def _take_in(self, intake: Intake, moves: Sequence[OffsetRange], owner: str) -> None:
        for lock in [self._releasing[subject] for subject in sorted(intake.wake)]:
            async with lock:  # a release that is on its way ends first; no new one begins before this block is left
                continue
        for subject in intake.wake:
            kept = self._kept(subject)
            kept.row = replace(kept.row, generation=kept.row.generation + 1, tries=0)
            due = self._clock() - DAY * (subject in intake.urgent)
            kept.due = due if kept.due is None else min(kept.due, due)
        for moved in moves:
            self.offsets[moved.cluster, moved.partition] = (owner, moved.next)
        self.contracts.update(intake.memories)
        self.listings.update(intake.listings)
        self.refused.update({r.origin: replace(r, at=self._clock()) for r in intake.refusals})
        self._say(intake.answers)

    def _finish(self, subject: str, generation: int, finished: Finished) -> None:
        kept, now = self._kept(subject), self._clock()
        overtaken = kept.row.generation != generation
        tries = 0 if overtaken else finished.tries
        kept.row = replace(kept.row, memory=finished.memory, tries=tries)
        again = None if finished.again_s is None else now + round(finished.again_s * 1e6)
        kept.due = now if overtaken else again
        if finished.finding != kept.finding:
            kept.finding, kept.since = finished.finding, now
        self.contracts.update(finished.memories)
        self._say(finished.answers)


class _MemoryIntake:
    def __init__(self, wanted: MemoryWanted) -> None:
        self._wanted = wanted
        self._moves: list[OffsetRange] = []
        self._owner = ""
        self._intake = Intake()

    async def fence(self, owner: str, ranges: Sequence[OffsetRange]) -> None:
        for moved in ranges:
            holder, following = self._wanted.offsets.get((moved.cluster, moved.partition), ("", None))
            if holder != owner or (following or 0) > moved.first:
                raise FenceLost(f"{moved.partition.topic}/{moved.partition.number} from {moved.first}")
        self._owner, self._moves = owner, list(ranges)

    async def load(self, contracts: Collection[str]) -> Mapping[str, bytes]:
        return {name: self._wanted.contracts[name] for name in contracts if name in self._wanted.contracts}

    async def write(self, intake: Intake) -> None:
        self._intake = intake

    async def commit(self) -> None:
        await self._wanted._take_in(self._intake, self._moves, self._owner)  # noqa: SLF001 -- one thing in two classes


class _MemoryLook:
    def __init__(self, wanted: MemoryWanted, row: InvoiceRow) -> None:
        self.row = row
        self._wanted = wanted
        self._finished: Finished | None = None

    async def listings(self) -> Sequence[Listing]:
        named = self._wanted.listings.items()
        return [Listing(self.row.subject, *place) for place, subjects in sorted(named) if self.row.subject in subjects]

    async def memories(self, contracts: Collection[str], *, lock: bool) -> Mapping[str, bytes]:  # noqa: ARG002 -- no lock
        return {name: self._wanted.contracts[name] for name in contracts if name in self._wanted.contracts}

    async def finish(self, finished: Finished) -> None:
        self._finished = finished

    def commit(self) -> None:
        if self._finished is not None:
            self._wanted._finish(self.row.subject, self.row.generation, self._finished)  # noqa: SLF001 -- as above
