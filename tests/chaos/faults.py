"""Faults of processes: they are killed, die at failpoints, hang as zombies, come and go in the group."""

import asyncio
import contextlib
import itertools
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from chaos.census import Census
from chaos.processes import LIMIT_S, Member, until
from chaos.site import SESSION_S, Site
from chaos.store import Store

from contracts_schema.failpoints import POINTS
from services.runtime.holdings import SUSPICIOUS

MAY_S = 30.0  # how long a process that may never come to a failpoint is waited for
# A record is suspected, and its attempts are counted, once so many processes have died before they committed it.
DEATHS_OF_A_RECORD = ("batch.polled",) * SUSPICIOUS + ("batch.attempted",)
# Where standing still is worst: in the middle of a transaction, between commit and publish, around a call.
WORST = {
    "worker": ("batch.written", "batch.committed", "relay.read", "publish.sent"),
    "gate": ("call.before", "call.after", "look.written", "answers.published"),
}
OFTEN = {
    "worker": ("partitions.taken", "batch.fenced", "batch.written", "batch.committed", "wake.read_past", "lease.kept",
               "relay.read", "publish.sent", "publish.confirmed"),
    "gate": ("intake.fenced", "intake.written", "intake.committed", "tenure.renewed"),
    "collect": ("webhook.verified", "webhook.published"),
}  # fmt: skip


class Faults:
    """What may happen to Milepost's own processes. Everything that is to happen is planned in the census before."""

    def __init__(self, site: Site, census: Census, store: Store, rng: random.Random) -> None:
        self.site, self.census, self.store, self.rng = site, census, store, rng
        self._hands: set[Member] = set()

    async def kills(self, kind: str, times: int) -> None:
        """kill -9 of one process after the other, each some work after the last."""
        self.census.plan(f"kill {kind}", times)
        for _ in range(times):
            await self.some_work(kind)
            async with self._in_hand(kind) as member:
                await self.kill(member)

    async def kill(self, member: Member) -> None:
        """kill -9, and start again at once."""
        pid, began, done = member.pid, time.monotonic(), await self.store.done(member.kind)
        await asyncio.to_thread(member.kill)
        self.census.fire(f"kill {member.kind}")
        member.launch()
        if member.kind == "worker":
            await until(lambda: self._orphaned(pid), f"the partitions of {member.name} are taken over")
            self.census.recovered("kill worker: partitions taken over", time.monotonic() - began)
        elif member.kind == "gate":
            await until(lambda: self._left(pid), f"the lease of {member.name} is taken over")
            self.census.recovered("kill gate: lease taken over", time.monotonic() - began)
        else:
            await until(lambda: self._got_on("collect", done), f"somebody collects after {member.name} is gone")
            self.census.recovered("kill collect: collected again", time.monotonic() - began)

    async def some_work(self, kind: str) -> None:
        """Wait until processes of this kind have done something: a fault in idleness proves little."""
        least = await self.store.done(kind) + self.rng.randrange(30)
        await until(lambda: self._got_on(kind, least), f"{kind}s get on")

    async def _got_on(self, kind: str, done: int) -> bool:
        return await self.store.done(kind) > done

    # -- failpoints ------------------------------------------------------------------------------------------------

    async def die_everywhere(self, kind: str) -> None:
        """Every failpoint of this kind of process once; all processes of the kind share them among them. Who has none
        left stays down until all are through: it would keep what only one may have from those that still need it."""
        members, alone = self.site.of(kind), DEATHS_OF_A_RECORD if kind == "worker" else ()
        queue = [name for name in POINTS[kind] if name not in alone]
        self.rng.shuffle(queue)
        self.census.plan_all(f"failpoint {name}" for name in POINTS[kind])
        await asyncio.gather(*(self._dying(member, queue) for member in members))
        for name in alone:
            await self.die_at(members[0], name)
        for member in members:
            member.launch()

    async def _dying(self, member: Member, queue: list[str]) -> None:
        while queue:
            name = queue.pop()
            async with self._guests() if name.startswith("partitions.") else contextlib.nullcontext():
                await self.die_at(member, name, at=self.rng.choice((1, 1, 2)))

    async def die_somewhere(self) -> None:
        """One process dies at a failpoint that it comes to often, if it comes there now."""
        kind, names = self.rng.choice(list(OFTEN.items()))
        name = self.rng.choice(names)
        async with self._in_hand(kind) as member:
            with contextlib.suppress(TimeoutError):  # while much else is broken it may not
                await self.die_at(member, name, MAY_S)
                self.census.plan(f"failpoint {name}")
            await asyncio.to_thread(member.kill)
            member.launch()

    async def die_at(self, member: Member, name: str, within_s: float = LIMIT_S, at: int = 1) -> None:
        """Let a process run into a failpoint that kills it, the `at`-th time that it comes there."""
        await asyncio.to_thread(member.kill)
        member.launch(f"{name}=kill:{at}")
        await until(lambda: not member.running, f"{member.name} dies at {name}", within_s)
        if name not in member.fired():
            raise AssertionError(f"{member.name} ended, and not by {name}:\n{member.log_end()}")
        self.census.fire(f"failpoint {name}")

    # -- zombies and rebalances ------------------------------------------------------------------------------------

    async def zombies(self, kind: str, times: int) -> None:
        """One after the other stands still, longer than a session or a lease, and goes on: every second one at a place
        where that is worst."""
        self.census.plan(f"zombie {kind}", times)
        worst = itertools.cycle(self.rng.sample(WORST[kind], len(WORST[kind])))
        for n in range(times):
            await self.some_work(kind)
            if n % 2:
                await self._stand_still_at(kind, next(worst))
            else:
                async with self._in_hand(kind, self._works) as member:
                    await self._stand_still(member)

    async def _stand_still_at(self, kind: str, name: str) -> None:
        """One of this kind stands still at a failpoint. The others are away until it has come there: they might have
        what it needs for it."""
        async with contextlib.AsyncExitStack() as hands:
            members = [await hands.enter_async_context(self._in_hand(kind)) for _ in self.site.of(kind)]
            for member in members:
                await asyncio.to_thread(member.kill)
            zombie, *others = members
            zombie.launch(f"{name}=stop")
            await until(lambda: name in zombie.fired(), f"{zombie.name} stands still at {name}")
            for other in others:
                other.launch()
            await self._stand_still(zombie)
            zombie.may_end = False
            self.census.fire(f"zombie at {name}")

    async def _stand_still(self, member: Member) -> None:
        member.stop_still()
        kind, began = f"zombie {member.kind}", time.monotonic()
        try:
            await until(lambda: self._replaced(member), f"others take over from {member.name}")
            self.census.recovered(f"{kind}: taken over", time.monotonic() - began)
        except TimeoutError:
            await self.store.write_activity(f"while {member.name} stood still")
            raise
        finally:
            member.go_on()
        began = time.monotonic()
        await until(lambda: asyncio.to_thread(member.ready), f"{member.name} is ready again")
        self.census.recovered(f"{kind}: ready again", time.monotonic() - began)
        self.census.fire(kind)

    async def _works(self, member: Member) -> bool:
        """Whether it has partitions, or acts on finance."""
        if member.kind == "worker":
            return bool(await self.store.owned(member.pid))
        return f"/{member.pid}/" in await self.store.acting()

    async def _replaced(self, member: Member) -> bool:
        others = [other for other in self.site.of(member.kind) if other is not member]
        return not await self._works(member) and any([await self._works(other) for other in others])

    async def storm(self, rebalances: int) -> None:
        """Somebody joins the workers' group and leaves it, again and again; each generation is a rebalance."""
        self.census.plan("rebalance", rebalances)
        wanted, before = self.census.fired["rebalance"] + rebalances, 0
        while self.census.fired["rebalance"] < wanted:
            generation = await self._visit()
            self.census.fire("rebalance", max(1, generation - before) if before else 1)
            before = generation

    @contextlib.asynccontextmanager
    async def _guests(self) -> AsyncIterator[None]:
        """Somebody joins the workers' group and leaves it, each time when some work was done since, for the block."""
        over = asyncio.Event()

        async def come_and_go() -> None:
            while not over.is_set():
                done = await self.store.done("worker")
                while not (over.is_set() or await self._got_on("worker", done)):
                    await asyncio.sleep(0.05)
                await self._visit()

        coming = asyncio.create_task(come_and_go())
        try:
            yield
        finally:
            over.set()  # a client of Kafka that is cancelled while it joins may never end
            await coming

    async def _visit(self) -> int:
        """Join the group, and leave it; which generation of the group that was."""
        guest = AIOKafkaConsumer(
            *self.site.inputs, bootstrap_servers=self.site.cluster.bootstrap, group_id=self.site.name,
            partition_assignment_strategy=(RangePartitionAssignor,), enable_auto_commit=False,
            session_timeout_ms=SESSION_S * 1000, heartbeat_interval_ms=300, rebalance_timeout_ms=60_000,
        )  # fmt: skip
        try:
            await guest.start()
            # No public way to know that the group is settled with it, and how often it was rearranged.
            await until(lambda: guest._subscription.subscription.assignment is not None, "a guest is in the group")
            return int(guest._coordinator.generation)
        finally:
            await guest.stop()

    @contextlib.asynccontextmanager
    async def _in_hand(
        self, kind: str, wanted: Callable[[Member], Awaitable[bool]] | None = None
    ) -> AsyncIterator[Member]:
        """A process that nobody else is breaking, for the block."""
        while (chosen := await self._free_one(kind, wanted)) is None:
            await asyncio.sleep(0.1)
        self._hands.add(chosen)
        try:
            yield chosen
        finally:
            self._hands.remove(chosen)

    async def _free_one(self, kind: str, wanted: Callable[[Member], Awaitable[bool]] | None) -> Member | None:
        for member in self.rng.sample(self.site.of(kind), len(self.site.of(kind))):
            fits = member.running and (wanted is None or await wanted(member))
            if fits and member not in self._hands:
                return member
        return None

    async def _orphaned(self, pid: int) -> bool:
        return not await self.store.owned(pid)

    async def _left(self, pid: int) -> bool:
        return f"/{pid}/" not in await self.store.acting()
