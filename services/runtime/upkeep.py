"""What is looked after now and then, beside the loop: a changed rulebook, contracts that an older release could not
decide, parked facts that a contract claims or that have waited for too long, records kept for replay, sessions that
stand still in the middle of a statement, and the gauges.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Collection, Sequence

from msgspec import Struct
from msgspec.msgpack import Decoder

from contracts_schema.errors import TransientError
from contracts_schema.rows import Backlog, Changes, Lane, ParkedRow
from services.ports import Feed, Store, Telemetry
from services.reconciliation.policy import Rules
from services.reconciliation.react import UNPARK
from services.runtime.clock import StoreClock
from services.runtime.health import Health
from services.runtime.pressure import Pressure

RULEBOOK = "rulebook"
UPGRADE = "upgrade"
GAUGES_EVERY_S = 5.0
SWEEP_EVERY_S = 60.0
SWEPT_AT_A_TIME = 1000
PIECES_MOST = 10  # of kept records in one sweep: ten thousand rows, each of one batch and partition
DAY_US = 86_400_000_000
ROLLED_S = 600.0  # until then workers of the release before are gone, which may have taken wakes that were not for them


class Decided(Struct):
    """As much of a contract's state as tells whether a release could not decide it, and by which rules it was."""

    contract: str
    frozen: str | None = None
    rulebook: str | None = None
    in_force: int = 0


_decided = Decoder(Decided)


class Upkeep:
    """Looks after the store while the worker works."""

    def __init__(
        self, store: Store, feed: Feed, rules: Rules, release: str, telemetry: Telemetry, health: Health,
        pressure: Pressure | None = None, keep_days: int = 0,
    ) -> None:  # fmt: skip
        self._store = store
        self._feed = feed
        self._rules = rules
        self._release = release
        self._telemetry = telemetry
        self._health = health
        self._pressure = pressure
        self._keep_days = keep_days
        self._clock = StoreClock(store)
        self._stopping = asyncio.Event()
        self._all_woken = False

    async def begin(self) -> None:
        """Wake every contract if the rulebook is not the one last used.

        Raises:
            TransientError: the store does not answer.
        """
        woken = await self._store.keep_rulebook(self._rules.rulebook, RULEBOOK)
        self._all_woken = woken is not None
        if woken is not None:
            self._telemetry.event("info", "another rulebook", rulebook=self._rules.rulebook.hash, contracts=woken)

    def stop(self) -> None:
        """Let `run` return."""
        self._stopping.set()

    async def run(self) -> None:
        """Look after everything until `stop`."""
        thaws_s, sweep_s = [time.monotonic(), time.monotonic() + ROLLED_S], 0.0
        while not self._stopping.is_set():
            try:
                await self.end_stalled()
                if thaws_s and time.monotonic() >= thaws_s[0]:
                    await self.thaw()
                    del thaws_s[0]
                if time.monotonic() >= sweep_s:
                    await self.sweep()
                    sweep_s = time.monotonic() + SWEEP_EVERY_S
                await self.measure()
            except TransientError as error:
                self._telemetry.count("milepost_transient_errors_total", loop="upkeep")
                self._telemetry.event("warning", "trying again", error=str(error), loop="upkeep")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GAUGES_EVERY_S):
                    await self._stopping.wait()

    async def end_stalled(self) -> None:
        """Take the locks away from workers that stand still; the fence judges them when they go on."""
        if ended := await self._store.end_stalled():
            self._telemetry.event("warning", "sessions that stood still were ended", sessions=ended)

    async def thaw(self) -> None:
        """Wake the contracts that another release could not decide: this one may. So are those that were decided by
        other rules since all were woken: by a worker that is replaced a little later than this one."""
        found = [_decided.decode(state) async for _, state in await self._store.states()]
        frozen = [f for f in found if f.frozen is not None]
        self._telemetry.gauge("milepost_frozen_at_start", len(frozen))
        await self.wake([f.contract for f in frozen if f.frozen != self._release], UPGRADE)
        ours = self._rules.rulebook.hash
        others = [f.contract for f in found if f.in_force > 0 and f.frozen is None and f.rulebook != ours]
        await self.wake([] if self._all_woken else others, RULEBOOK)
        self._all_woken = False

    async def sweep(self) -> None:
        """Wake contracts for which facts wait that they claim, and forget what nobody has claimed for too long."""
        stranded = await self._store.stranded(SWEPT_AT_A_TIME)
        self._telemetry.gauge("milepost_parked_claimed", len(stranded))
        await self.wake(await self._homes(stranded), UNPARK)
        before = await self._clock.now() - self._rules.policy.parked_days_max * DAY_US
        forgotten = await self._store.forget_parked(before, SWEPT_AT_A_TIME)
        self._telemetry.count("milepost_parked_expired_total", forgotten)
        await self._store.forget_documents(before, SWEPT_AT_A_TIME)
        await self.forget_kept()
        tally = await self._store.tally()
        self._telemetry.gauge("milepost_parked", tally["parked"])
        self._telemetry.gauge("milepost_quarantine_open", tally["quarantine"])

    async def forget_kept(self) -> None:
        """Delete records that were kept for replay for long enough, a piece at a time; what is left waits for the next
        sweep. Where none are to be kept any more, all that are there go."""
        before = await self._clock.now() - self._keep_days * DAY_US
        for _ in range(PIECES_MOST):
            if await self._store.forget_kept(before, SWEPT_AT_A_TIME) < SWEPT_AT_A_TIME:
                return

    async def wake(self, contracts: Collection[str], cause: str) -> None:
        """Have these contracts looked at now, by whichever worker comes first."""
        if contracts:
            async with self._store.batch() as batch:
                await batch.write(Changes(wakes=[(contract, 0, cause) for contract in sorted(contracts)]))
            self._telemetry.event("info", "contracts woken", cause=cause, contracts=len(contracts))

    async def _homes(self, rows: Sequence[ParkedRow]) -> set[str]:
        """The contracts that alone claim the most specific claimed key of a parked fact."""
        if not rows:
            return set()
        async with self._store.batch() as batch:
            claims = await batch.claims({key for row in rows for key in row.keys})
        first = [next((claims[key] for key in row.keys if key in claims), ()) for row in rows]
        return {claimants[0] for claimants in first if len(claimants) == 1}

    def _press(self, rows: int) -> None:
        """Let the worker stop reading while the outbox is full."""
        if self._pressure is None:
            return
        if self._pressure.saw(rows):
            self._telemetry.event("warning", "outbox full" if self._pressure.on else "outbox no longer full")
        self._telemetry.gauge("milepost_outbox_full", float(self._pressure.on))

    async def measure(self) -> None:
        """Set the gauges that nobody counts along the way."""
        waiting = await self._store.backlog()
        for lane in Lane:
            rows, age = waiting.get(lane, Backlog(0, 0))
            self._telemetry.gauge("milepost_outbox_rows", rows, lane=lane.name.lower())
            self._telemetry.gauge("milepost_outbox_age_seconds", age / 1e6, lane=lane.name.lower())
        self._press(sum(rows for rows, _ in waiting.values()))
        now, read_to = await self._clock.now(), {s.partition: s.read_to for s in await self._store.partitions()}
        for partition, behind in self._feed.behind().items():
            place = {"topic": partition.topic, "partition": str(partition.number)}
            late = max(0, now - read_to.get(partition, now)) / 1e6 if behind else 0.0
            self._telemetry.gauge("milepost_lag_records", behind, **place)
            self._telemetry.gauge("milepost_lag_seconds", late, **place)
        self._telemetry.gauge("milepost_loop_age_seconds", self._health.age("worker"), loop="worker")
        self._telemetry.gauge("milepost_loop_age_seconds", self._health.age("relay"), loop="relay")
