"""What the gate keeps, as Postgres keeps it, over the tables of the memory gate: row locks and the two locks of an
invoice, held until the transaction ends.
"""

from contextlib import asynccontextmanager

from simulation.wire import Calm, Wired, transaction

from connectors.memory_gate import MemoryWanted, _MemoryIntake, _MemoryLook


class SimWanted:
    """One process's door to `kept`, the gate's tables that all processes share."""

    def __init__(self, kept: MemoryWanted, locks, wire=None):
        self._kept, self._locks, self._wire = kept, locks, wire or Calm()
        self._plain = Wired(kept, self._wire, "wanted")
        self.on_intake = lambda: None

    def __getattr__(self, name):
        return getattr(self._plain, name)

    async def take(self, owner, cluster, partitions):
        return await self._wire.step("wanted.take", self._take, owner, cluster, partitions)

    async def _take(self, owner, cluster, partitions):
        opened = self._locks.begin(self._wire.name)
        try:
            await opened.lock(*(("gate_offset", cluster, *p) for p in sorted(partitions)))
            return await self._kept.take(owner, cluster, sorted(partitions))
        finally:
            opened.end()

    @asynccontextmanager
    async def intake(self):
        async with transaction(self._locks, self._wire, "intake") as opened:
            yield Wired(_Intake(self._kept, opened, self.on_intake), self._wire, "intake")

    @asynccontextmanager
    async def look(self, subject):
        async with transaction(self._locks, self._wire, "look") as opened:
            await self._wire.step("look.lock", opened.lock, ("looking", subject))
            look = _Look(self._kept, opened, self._kept._kept(subject).row)
            yield Wired(look, self._wire, "look")

    @asynccontextmanager
    async def releasing(self, subject, generation):
        async with transaction(self._locks, self._wire, "releasing") as opened:
            await self._wire.step("releasing.lock", opened.lock, ("releasing", subject))
            yield self._kept._kept(subject).row.generation == generation


class _Intake(_MemoryIntake):
    def __init__(self, kept, opened, told):
        super().__init__(kept)
        self._opened, self._told = opened, told
        opened.apply = self._apply

    async def fence(self, owner, ranges):
        await super().fence(owner, ranges)
        await self._opened.lock(*sorted(("gate_offset", moved.cluster, *moved.partition) for moved in ranges))
        await super().fence(owner, ranges)

    async def load(self, contracts):
        await self._opened.lock(*(("gate_contract", name) for name in sorted(contracts)))
        return await super().load(sorted(contracts))

    async def write(self, intake):
        await self._opened.lock(*(("releasing", subject) for subject in sorted(intake.wake)))
        await self._opened.lock(*(("gate_invoice", subject) for subject in sorted(intake.wake)))
        await super().write(intake)

    def _apply(self):
        try:
            self.commit().send(None)  # it waits for nobody: every lock is held
        except StopIteration:
            self._told()


class _Look(_MemoryLook):
    def __init__(self, kept, opened, row):
        super().__init__(kept, row)
        self._opened = opened
        opened.apply = self.commit

    async def memories(self, contracts, *, lock):
        if lock:
            await self._opened.lock(*(("gate_contract", name) for name in sorted(contracts)))
        return await super().memories(sorted(contracts), lock=lock)

    async def finish(self, finished):
        await self._opened.lock(("gate_invoice", self.row.subject))
        await super().finish(finished)
