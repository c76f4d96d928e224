"""Faults of what Milepost stands on: brokers, database, disk, the network between."""

import asyncio
import contextlib
import signal
import time
from pathlib import Path

from chaos.faults import Faults
from chaos.processes import until
from chaos.proxy import WAYS

LASTS_S = (2.0, 6.0)  # shorter and longer than a session, a lease and a statement may take


class Outages:
    """Ends and hinders servers and ways. Everything that is to happen is planned in the census before."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.site, self.census, self.store, self.rng = faults.site, faults.census, faults.store, faults.rng

    async def brokers(self, hows: list[str]) -> None:
        """One broker after the other is killed, or stopped cleanly, and comes back; the other two go on."""
        self.census.plan_all(f"broker {how}" for how in hows)
        for how in hows:
            await until(lambda: self.site.cluster.whole(self.site.topics), "all copies are in sync", every_s=0.5)
            broker, began = self.rng.choice(self.site.cluster.brokers), time.monotonic()
            await asyncio.to_thread(broker.kill if how == "kill" else broker.stop)
            self.census.fire(f"broker {how}")
            await self.gets_on(f"broker {how}", began)
            await asyncio.to_thread(broker.start)

    async def database(self, hows: list[str]) -> None:
        """The database dies, or stops at once, and is started again."""
        self.census.plan_all(f"postgres {how}" for how in hows)
        for how in hows:
            await self.gets_on()
            await asyncio.to_thread(self.site.postgres._end, signal.SIGKILL if how == "kill" else signal.SIGQUIT)
            self.census.fire(f"postgres {how}")
            await asyncio.to_thread(self.site.postgres.start)
            await self.gets_on(f"postgres {how}", time.monotonic())

    async def disk(self) -> None:
        """The database's disk is full, until somebody makes room."""
        if self.site.disk is None:
            return
        self.census.plan("disk full")
        filler = self.site.home / "filler"
        began = {member: member.log.stat().st_size for member in self.site.of("worker")}
        _fill(filler)
        try:
            await until(lambda: all(self._lacks_room(m.log, at) for m, at in began.items()), "the disk is full")
        finally:
            filler.unlink()
        self.census.fire("disk full")
        await asyncio.to_thread(self.site.postgres.start)
        await self.gets_on("disk full", time.monotonic())

    async def clocks(self) -> None:
        """The database's clock goes an hour ahead, an hour back, half an hour ahead, and true again."""
        if self.site.clock is None:
            return
        self.census.plan("clock step", 4)
        for seconds in (3600, -3600, 1800, 0):
            self.site.clock.move(seconds)
            await until(lambda s=seconds: self._is_off(s), f"the clock is {seconds} s off")
            self.census.fire("clock step")
            began = time.monotonic()
            await self.faults.kills("worker", 1)  # its leases end by the new time
            await self.gets_on("clock step", began)
            await until(lambda: self._relayed(), "commands go out")

    async def network(self, way: str, pair: str) -> None:
        """One way between two parts is bad for a while."""
        self.census.plan(f"network {way} {pair}")
        proxies = self.site.proxies[pair]
        touched = sum(proxy.touched for proxy in proxies)
        async with AllOf(proxies, way):
            await asyncio.sleep(self.rng.uniform(*LASTS_S))
            await until(lambda: sum(proxy.touched for proxy in proxies) > touched, f"{way} {pair} hinders")
        healed, done = time.monotonic(), await self._done_by(pair)
        self.census.fire(f"network {way} {pair}")
        await until(lambda: self._got_on(pair, done), f"what needs {pair} gets on after {way}")
        for member in self.site.of(pair.partition("-")[0]):
            await until(lambda m=member: asyncio.to_thread(m.ready), f"{member.name} is ready after {way} {pair}")
        self.census.recovered(f"network {way} {pair}: work goes on", time.monotonic() - healed)

    async def _done_by(self, pair: str) -> int:
        """A number that rises with what is done that needs this way."""
        if pair == "gate-finance":
            return len(self.site.ledger.calls)
        return await self.store.done(pair.partition("-")[0])

    async def _got_on(self, pair: str, done: int) -> bool:
        return await self._done_by(pair) > done

    async def networks(self) -> None:
        """Everything that may be wrong with a way, one after the other; all ways side by side."""
        await asyncio.gather(*(self._all_wrong_with(pair) for pair in self.site.proxies))

    async def _all_wrong_with(self, pair: str) -> None:
        for way in self.rng.sample(WAYS, len(WAYS)):
            await self.network(way, pair)

    async def gets_on(self, kind: str | None = None, since: float | None = None) -> None:
        """Wait until something more is carried."""
        done = await self._done_by("worker")
        await until(lambda: self._got_on("worker", done), f"workers get on after {kind or 'the last fault'}")
        if kind is not None and since is not None:
            self.census.recovered(f"{kind}: next commit", time.monotonic() - since)

    async def _is_off(self, seconds: int) -> bool:
        now = await self.store.value("select extract(epoch from clock_timestamp())::float8")
        return abs(float(now) - time.time() - seconds) < 60

    async def _relayed(self) -> bool:
        return await self.store.value("select count(*) from outbox where lane = 0") == 0

    def _lacks_room(self, log: Path, since: int) -> bool:
        told = log.read_bytes()[since:]
        died = not self.site.postgres.running  # where it could not even write its own log of changes
        return died or b"Postgres 53100" in told or b"No space left" in told or b"recovery mode" in told


def _fill(file: Path) -> None:
    """Write until there is no room."""
    with file.open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(bytes(1 << 16))


class AllOf:
    """All proxies of one way in the same state."""

    def __init__(self, proxies, way: str) -> None:
        self._faults = [proxy.faulty(way) for proxy in proxies]

    async def __aenter__(self) -> None:
        for fault in self._faults:
            await fault.__aenter__()

    async def __aexit__(self, *error: object) -> None:
        for fault in self._faults:
            await fault.__aexit__(None, None, None)
