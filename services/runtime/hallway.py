"""The hallway: one batch of records through one transaction, the same for every store.

    read -> [ fence, claims, load -> react -> others' invoices -> write ] -> what the relay will publish

Nothing here knows Kafka or Postgres. `work.py` holds what happens between fence and write.
"""

from __future__ import annotations

from collections.abc import Sequence

from contracts_schema.errors import MessageError
from contracts_schema.failpoints import failpoint
from contracts_schema.records import Record
from contracts_schema.rows import Lane, OffsetRange
from services.ports import Store
from services.reconciliation.policy import Rules
from services.runtime.gathered import Report
from services.runtime.keeping import kept_rows
from services.runtime.known import KnownPersons, KnownRevisions, KnownStates
from services.runtime.outgoing import RECORD_BYTES, Topics
from services.runtime.reading import Reader, Reading
from services.runtime.work import Work


class DeadlyRecord(MessageError):
    """A record on which the process died, again and again."""

    fault = "killed the process"


class Hallway:
    """Carries batches through the store. `release` names this version of the code, for contracts it cannot decide;
    `record_bytes` is the most that a record to publish may have; `keeps` says whether records are kept for replay."""

    def __init__(
        self, store: Store, reader: Reader, rules: Rules, topics: Topics, release: str,
        record_bytes: int = RECORD_BYTES, *, keeps: bool = False,
    ) -> None:  # fmt: skip
        self.store = store
        self.reader = reader
        self.rules = rules
        self.topics = topics
        self.release = release
        self.record_bytes = record_bytes
        self.keeps = keeps
        self.states = KnownStates()
        self.revisions = KnownRevisions(decisions=Lane.DECISIONS not in topics.left_out)
        self.persons = KnownPersons()

    async def carry(self, records: Sequence[Record], owner: str, ranges: Sequence[OffsetRange], now: int) -> Report:
        """One batch: all of it is committed with the offsets, or none of it. `now` is the database's clock (µs).

        Raises:
            FenceLost: the partitions are another worker's by now.
            TransientError: the store does not answer; the same batch may be carried again.
        """
        return await self._carry([self.reader.read(record) for record in records], owner, ranges, now)

    async def set_aside(self, record: Record, owner: str, ranges: Sequence[OffsetRange], now: int) -> Report:
        """Pass over a record on which the process died: it goes to quarantine without being read.

        Raises:
            FenceLost, TransientError: as `carry`.
        """
        error = DeadlyRecord("the process died each time it worked on this record; it was not read")
        reading = Reading(record, (), self.reader.quarantined(record, "", error))
        return await self._carry([reading], owner, ranges, now)

    async def _carry(self, readings: Sequence[Reading], owner: str, ranges: Sequence[OffsetRange], now: int) -> Report:
        work = self._work(now)
        if self.reader.hides:
            work.gathered.changes.persons = self.persons.new([reading.persons for reading in readings])
        if self.keeps:  # packed before anything is locked
            work.gathered.changes.kept = kept_rows(readings, ranges)
        async with self.store.batch() as batch:
            await batch.fence(owner, ranges)
            failpoint("batch.fenced")
            await work.route(batch, readings)
            await work.decide(batch)
            failpoint("batch.decided")
            await batch.write(changes := work.gathered.packed())
            failpoint("batch.written")
        failpoint("batch.committed")
        self.revisions.keep(changes.log, work.gathered.entries)
        if changes.persons:
            self.persons.keep(changes.persons)
        return work.gathered.report

    async def wake(self, frontier: int, limit: int, now: int) -> Report:
        """Look again at contracts whose moment has come; `frontier` is the moment past which all sources were read."""
        work = self._work(now)
        async with self.store.batch() as batch:
            due = await batch.due(frontier, limit)
            if due:
                failpoint("wake.taken")
                await work.look_again(batch, self.store, due, frontier)
                await batch.write(work.gathered.packed())
                failpoint("wake.written")
        if due:
            failpoint("wake.committed")
        return work.gathered.report

    def _work(self, now: int) -> Work:
        return Work(self.reader, self.rules, self.topics, self.release, now, self.states, self.record_bytes)
