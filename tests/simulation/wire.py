"""Between a process and everything outside it: each call has a moment before it takes effect and one after."""

import asyncio
from contextlib import asynccontextmanager
from inspect import iscoroutinefunction

from simulation.fate import Fault

from contracts_schema.errors import TransientError

NOT_THE_STORE = ("feed", "publish", "finance")


class Calm:
    """A wire on which nothing happens, for tests that need none of it."""

    name = "calm"

    async def step(self, what, work, *args, **more):
        await asyncio.sleep(0)
        return await work(*args, **more)


class Wire:
    """The wire of one process. What it carries takes time, fails, or finds the process dead when it comes back."""

    def __init__(self, world, process):
        self._world = world
        self._process = process
        self.name = process.name

    @property
    def is_dead(self):
        """Whether the process has died."""
        return self._process.is_dead

    async def step(self, what, work, *args, **more):
        """One call. An error before it means that nothing happened; one after it, that nobody can tell.

        Raises:
            TransientError: no answer.
            CancelledError: the process died on the way.
        """
        await self.moment(f"{what}<")
        result = await work(*args, **more)
        await self.moment(f"{what}>")
        return result

    async def moment(self, what):
        """One side of a call."""
        world, process = self._world, self._process
        if process.is_dead:
            raise asyncio.CancelledError
        fault = world.fate.fault(what, process.name)
        world.trace(process.name, what, fault)
        if fault is Fault.CRASH:
            world.machines.crash(process)
            raise asyncio.CancelledError
        if isinstance(fault, str):
            world.machines.happen(fault, process)
        if fault is Fault.FREEZE:
            process.freeze(world.fate.frozen_s())
        await asyncio.sleep(world.fate.slow_s() if fault is Fault.SLOW else world.fate.delay(what))
        while (left := process.frozen_until - world.loop.now) > 0:
            await asyncio.sleep(left)
        if process.is_dead:
            raise asyncio.CancelledError
        if fault is Fault.ERROR or (world.down_until > world.loop.now and not what.startswith(NOT_THE_STORE)):
            raise TransientError(f"no answer to {what}")


class Wired:
    """Something outside, called over a wire: every coroutine of it is a step, everything else is as it is."""

    def __init__(self, target, wire, name):
        self._target, self._wire, self._name = target, wire, name

    def __getattr__(self, name):
        found = getattr(self._target, name)
        if not iscoroutinefunction(found):
            return found
        wire, what = self._wire, f"{self._name}.{name}"

        async def call(*args, **more):
            return await wire.step(what, found, *args, **more)

        setattr(self, name, call)
        return call


@asynccontextmanager
async def transaction(locks, wire, what):
    """One transaction over a wire: `apply`, set on it inside the block, takes effect at its end, or nothing does.

    Whoever dies or gets an error before that leaves nothing; after it, it is done and only the answer is lost.
    """
    opened = locks.begin(wire.name)
    try:
        yield opened
        await wire.step(f"{what}.commit", opened.commit)
    finally:
        opened.end()
