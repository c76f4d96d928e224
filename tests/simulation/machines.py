"""The processes that run, and what happens to them and around them."""

import asyncio
from collections import Counter

from simulation.process import GateProcess, WorkerProcess, ended

from contracts_schema.errors import TransientError

DAY_US = 86_400_000_000


class Machines:
    """Starts processes, lets them die, starts others in their place, and lets happen what the world does by itself."""

    def __init__(self, world):
        self._world = world
        self._every, self._lives, self._tasks = [], Counter(), []

    @property
    def living(self):
        return [process for process in self._every if not process.is_dead]

    async def start(self, name, after_s=0.0):
        """Start `name`, for the first time or again."""
        await asyncio.sleep(after_s)
        self._lives[name] += 1
        process = (WorkerProcess if name[0] == "w" else GateProcess)(self._world, f"{name}.{self._lives[name]}")
        self._every.append(process)
        process.spawn(self._begin(process))

    async def _begin(self, process):
        while True:
            try:
                return await process.start()
            except TransientError:
                await asyncio.sleep(0.1)

    def crash(self, process):
        """As kill -9; another process takes its place after a while."""
        self._world.trace(process.name, "died")
        process.die()
        self._spawn(self._group(process).gone(process))
        self._spawn(self.start(process.name.partition(".")[0], self._world.fate.rng.choice((0.1, 0.5, 2.0))))

    def happen(self, name, victim=None):
        """One thing that the world does by itself, to this process or to any."""
        world, rng = self._world, self._world.fate.rng
        world.trace("world", name)
        victim = victim or (rng.choice(self.living) if self.living else None)
        if name == "server":
            world.server.locks.roll_back()
            world.down_until = world.loop.now + rng.choice((0.0, 0.5))
        elif name == "days":
            world.pass_days(rng.choice((1, 2)))
        elif victim is not None:
            self._befall(name, victim, rng)

    def _befall(self, name, victim, rng):
        match name:
            case "rebalance":
                self._spawn(self._group(victim).rebalance())
            case "zombie":
                self._spawn(self._zombie(self._group(victim), victim))
            case "replay":
                victim.feed.replay(rng)
            case "crash":
                self.crash(victim)
            case "freeze":
                victim.freeze(self._world.fate.frozen_s())

    async def end(self):
        """End everything; what went wrong in between."""
        for task in self._tasks:
            task.cancel()
        ends = await asyncio.gather(*self._tasks, return_exceptions=True)
        await ended(self._every)
        return [repr(end) for end in ends if isinstance(end, Exception)]

    async def _zombie(self, group, process):
        await group.rebalance(zombies=(process,))
        await asyncio.sleep(self._world.fate.rng.choice((0.3, 2.0)))
        await group.rebalance()

    def _group(self, process):
        return self._world.workers if isinstance(process, WorkerProcess) else self._world.gates

    def _spawn(self, coroutine):
        self._tasks.append(self._world.loop.create_task(coroutine))
