"""The worker's loop: poll, carry the batch, look at what is due, again.

    poll -> carry (one transaction) -> tell lag tools, wake the relay -> look at woken contracts -> poll ...

What may go wrong, and what then happens:

- *The store or the broker does not answer* (TransientError): the same batch again after a pause that grows. Meanwhile
  the partitions are paused and polling goes on, so that the group keeps us; nothing is lost.
- *Another worker has our partitions, or a commit was in doubt* (FenceLost): the batch is dropped and the partitions are
  sought anew at the offsets that the store has.
- *A rebalance*: the feed waits until the running batch is committed; one that waits for the store is given up.
- *The outbox is full* (`Pressure`): nothing is read, with the partitions paused, until half of it is out.
- *Processes died here* (`Holdings.is_suspected`): records one by one, each attempt written before; a record on which
  the process died three times is set aside.
- *Anything else* is a defect of the loop, the fence or the store: it ends the process.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from contracts_schema.errors import TransientError
from contracts_schema.failpoints import failpoint
from contracts_schema.records import Record
from contracts_schema.rows import FenceLost, Partition
from services.ports import Feed, Store, Telemetry
from services.runtime.appetite import Appetite
from services.runtime.backoff import Backoff
from services.runtime.clock import StoreClock
from services.runtime.gathered import Report
from services.runtime.hallway import Hallway
from services.runtime.health import Health
from services.runtime.holdings import Holdings
from services.runtime.pressure import Pressure
from services.runtime.reviews import Reviews

POLL_S = 0.1
BREATH_S = 0.25  # how long a poll may take while the worker waits for the store
DEATHS_MOST = 3
LOOP = "worker"


class Worker:
    """Carries what the feed brings until it is told to stop. `on_commit` is told after every commit."""

    def __init__(
        self, store: Store, feed: Feed, hallway: Hallway, holdings: Holdings, telemetry: Telemetry, health: Health,
        on_commit: Callable[[], None], appetite: Appetite, pressure: Pressure | None = None,
    ) -> None:  # fmt: skip
        self._store = store
        self._feed = feed
        self._hallway = hallway
        self._holdings = holdings
        self._telemetry = telemetry
        self._health = health
        self._on_commit = on_commit
        self._appetite = appetite
        self._pressure = pressure
        self._clock = StoreClock(store)
        self._reviews = Reviews(store, feed, hallway, holdings.cluster)
        self._backoff = Backoff()
        self._fences = Backoff()
        self._stopping = asyncio.Event()
        self._tried, self._attempts = "", 0  # the record last taken by itself, and how many processes have tried it

    def stop(self) -> None:
        """Take no further batch; `run` returns when the running one is done."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until `stop`.

        Raises:
            ConfigurationError: what is read, or the store, turned out not to be fit.
        """
        while not self._stopping.is_set():
            self._health.beat(LOOP)
            if self._pressure is not None and self._pressure.on:
                await self._hold(BREATH_S)
                continue
            try:
                records = await self._feed.poll(self._appetite.now, POLL_S)
                self._appetite.had(len(records))
                if records:
                    await self._finish(records)
                await self._look()
            except TransientError as error:
                await self._hold_after(error)
        await self._holdings.revoked(frozenset(self._holdings.held))

    async def _finish(self, records: Sequence[Record]) -> None:
        """Carry these records, whatever it takes, unless their partitions are taken away."""
        self._holdings.begin()  # nothing was awaited since the records came
        try:
            failpoint("batch.polled")
            left = self._steps(records)
            while left and not self._is_over():
                try:
                    await self._carry(left[0])
                    del left[0]
                except FenceLost as error:
                    await self._seek_anew(records, error)
                    break
                except TransientError as error:
                    await self._hold_after(error)
        finally:
            self._holdings.end()

    def _steps(self, records: Sequence[Record]) -> list[Sequence[Record]]:
        """The records as they are to be committed: suspected ones each by itself, all others together."""
        suspected = [r for r in records if self._holdings.is_suspected(r)]
        if not suspected:
            return [records]
        others = [r for r in records if not self._holdings.is_suspected(r)]
        return [*([r] for r in suspected), *([others] if others else [])]

    async def _carry(self, records: Sequence[Record]) -> None:
        began, worked = time.perf_counter(), time.thread_time()
        now = await self._clock.now()
        owner, ranges = self._holdings.owner, self._holdings.ranges(records, now)
        if self._holdings.is_suspected(records[0]):
            report = await self._carry_with_care(records[0], now)
        else:
            report = await self._hallway.carry(records, owner, ranges, now)
        self._appetite.took(report.contracts, time.thread_time() - worked)
        self._telemetry.took("milepost_batch_seconds", time.perf_counter() - began)
        self._telemetry.count("milepost_records_total", len(records))
        self._feed.note_committed({r.partition: r.next for r in ranges})
        failpoint("batch.noted")
        for moved in ranges:
            place = {"topic": moved.partition.topic, "partition": str(moved.partition.number)}
            self._telemetry.gauge("milepost_read_to_seconds", moved.read_to / 1e6, **place)
        self._worked(report)

    async def _carry_with_care(self, record: Record, now: int) -> Report:
        owner, ranges = self._holdings.owner, self._holdings.ranges([record], now)
        if self._tried != record.origin:  # trying again after an error of the store is no death
            place = Partition(record.topic, record.partition)
            self._attempts = await self._store.attempt(owner, self._holdings.cluster, place, record.offset)
            self._tried = record.origin
            failpoint("batch.attempted")
        if self._attempts > DEATHS_MOST:
            self._telemetry.event("error", "record set aside: processes died on it", origin=record.origin)
            report = await self._hallway.set_aside(record, owner, ranges, now)
        else:
            report = await self._hallway.carry([record], owner, ranges, now)
        self._holdings.passed(record)
        return report

    async def _look(self) -> None:
        """Look at contracts whose moment has come."""
        report = await self._reviews.between_batches(await self._clock.now())
        self._backoff.reset()
        self._health.fine("store")
        if report is not None and report.woken:
            self._telemetry.count("milepost_woken_total", report.woken)
            self._worked(report)

    def _worked(self, report: Report) -> None:
        self._backoff.reset()
        self._fences.reset()
        self._health.beat(LOOP)
        self._health.fine("store")
        if report.rouses:
            self._reviews.rouse()
        tell(report, self._telemetry)
        self._on_commit()

    # -- when it does not work -----------------------------------------------------------------------------------

    async def _seek_anew(self, records: Sequence[Record], error: FenceLost) -> None:
        """Read on from where the store stands, with partitions that it says are still ours, or nobody's business."""
        self._telemetry.count("milepost_fence_lost_total")
        self._telemetry.event("warning", "fence lost", error=str(error))
        first: dict[Partition, int] = {}
        for record in records:
            first.setdefault(Partition(record.topic, record.partition), record.offset)
        await self._hold(self._fences.next())
        while not self._is_over():
            try:
                await self._feed.rewind(await self._standing(first))
            except TransientError as fault:
                await self._hold_after(fault)
            else:
                return

    async def _standing(self, first: dict[Partition, int]) -> dict[Partition, int]:
        """The next offset of each of these partitions; those that another worker took are taken back, where the
        group says that they are ours."""
        known = {s.partition: s for s in await self._store.partitions() if s.cluster == self._holdings.cluster}
        mine = {p for p in first if p in known and known[p].owner == self._holdings.owner}
        stands = {p: known[p].next for p in mine}
        lost = (first.keys() - mine) & self._holdings.held
        if lost:
            stands |= await self._holdings.assigned(lost)
        return {p: first[p] if offset is None else offset for p, offset in stands.items()}

    async def _hold_after(self, error: TransientError) -> None:
        self._telemetry.count("milepost_transient_errors_total", loop=LOOP)
        self._telemetry.event("warning", "trying again", error=str(error))
        self._health.fault("store", "the last attempt did not work; trying again")
        await self._hold(self._backoff.next())

    async def _hold(self, pause_s: float) -> None:
        """Let time pass with all partitions paused; polling keeps the membership and tells of rebalances."""
        end = time.monotonic() + pause_s
        self._feed.pause()
        try:
            while (left := end - time.monotonic()) > 0 and not self._is_over():
                self._health.beat(LOOP)
                await self._keep_membership(min(left, BREATH_S))
        finally:
            self._feed.resume()

    async def _keep_membership(self, timeout_s: float) -> None:
        try:
            await self._feed.poll(1, timeout_s)
        except TransientError:  # counted where it stops the loop; here it only must not spin
            await asyncio.sleep(timeout_s)

    def _is_over(self) -> bool:
        return self._holdings.abandoned or self._stopping.is_set()


def tell(report: Report, telemetry: Telemetry) -> None:
    """Count what one transaction did."""
    for outcome, facts in report.facts.items():
        telemetry.count("milepost_facts_total", facts, outcome=outcome)
    telemetry.count("milepost_records_ignored_total", len(report.ignored))
    telemetry.count("milepost_records_quarantined_total", len(report.quarantined))
    holds = sum(row.urgent for row in report.said.commands)
    telemetry.count("milepost_commands_total", holds, action="hold")
    telemetry.count("milepost_commands_total", len(report.said.commands) - holds, action="release")
    for contract, sentence in report.defects:
        telemetry.count("milepost_frozen_total")
        kind = sentence.partition(":")[0]  # what follows may quote people
        telemetry.event("error", "contract frozen: it cannot be decided", contract=contract, defect=kind)
