"""The gate of one finance system: takes commands in, acts while it owns the lease, publishes its answers.

Its loops do not wait for each other. Taking in needs no lease, so a hold is known at once wherever it arrives; acting
needs it, so that two gates never act at the same time, and needs to have read what lay there when it was given.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from contracts_schema.errors import ConfigurationError, TransientError
from contracts_schema.failpoints import failpoint
from contracts_schema.rows import FenceLost
from services.gate.drive import Driver
from services.gate.informed import Informed
from services.gate.intake import Door
from services.gate.ports import Finance, Leases, Wanted
from services.gate.scan import Scan
from services.ports import Feed, Publisher

log = logging.getLogger(__name__)
BEATS_MOST = 60  # a turn that takes longer hangs


class Signs(Protocol):
    """Where a process says whether it lives and is ready."""

    def beat(self, loop: str) -> None:
        """This loop moves."""

    def fine(self, part: str) -> None:
        """This part works."""

    def fault(self, part: str, sentence: str) -> None:
        """This part does not work now."""


class Turn(Protocol):
    """One turn of a loop; whether there was anything to do."""

    __name__: str

    async def __call__(self) -> bool:
        """Take the turn."""


class Pace(Struct, frozen=True):
    """How fast the loops go. Times in seconds; `at_once` invoices are looked at side by side."""

    batch: int = 500
    poll_s: float = 1
    idle_s: float = 0.5
    scan_s: float = 30
    lease_s: float = 30
    at_once: int = 4
    back_off_s: float = 0.5
    back_off_most_s: float = 30
    beat_s: float = 10


class Tenure:
    """Whether this gate owns the finance system: by its own clock, and never longer than the lease was given."""

    def __init__(
        self, leases: Leases, name: str, owner: str, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:  # fmt: skip
        self.name = name
        self.epoch: int | None = None
        self.term = 0  # rises whenever the lease was not ours just before
        self._leases = leases
        self._owner = owner
        self._seconds = seconds
        self._clock = clock
        self._until = 0.0

    def may_act(self) -> bool:
        """Whether the lease is ours now, with a margin for a call that is about to be made."""
        return self.epoch is not None and self._clock() < self._until - self._seconds / 3

    async def renew(self) -> bool:
        """Take the lease or renew it."""
        asked, before = self._clock(), self.epoch
        self.epoch = await self._leases.lease(self.name, self._owner, self._seconds)
        if self.epoch is not None and (self.epoch != before or asked >= self._until):
            self.term += 1
        failpoint("tenure.renewed")
        self._until = asked + self._seconds
        return self.epoch is not None

    async def leave(self) -> None:
        """Give it back, so that the next gate need not wait."""
        self.epoch = None
        await self._leases.release(self.name, self._owner)


class Gate:
    """One finance system's gate. `run` returns when `stop` was called and what was under way is done."""

    def __init__(
        self, door: Door, driver: Driver, scan: Scan, tenure: Tenure, wanted: Wanted, finance: Finance,
        feed: Feed, publisher: Publisher, pace: Pace | None = None, signs: Signs | None = None,
        informed: Informed | None = None,
    ) -> None:  # fmt: skip
        self.pace = pace or Pace()
        self._signs = signs
        self._informed = informed
        self.door = door
        self.driver = driver
        self.tenure = tenure
        self._scan = scan
        self._wanted = wanted
        self._finance = finance
        self._feed = feed
        self._publisher = publisher
        self._stopping = asyncio.Event()
        self._scanned_at = float("-inf")

    def stop(self) -> None:
        """Ask it to end."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until `stop`.

        Raises:
            ConfigurationError: the set-up is at fault; nothing is lost.
        """
        turns: tuple[Turn, ...] = (self.keep, self.take_in, self.act, self.watch, self.answer)
        loops = [asyncio.create_task(self._over_and_over(turn)) for turn in turns]
        try:
            await asyncio.wait(loops, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            self.stop()
            ended = await asyncio.gather(*loops, return_exceptions=True)
        await self.tenure.leave()
        _raise_first(ended)

    async def take_in(self) -> bool:
        """Take in one batch of commands; whether there were any."""
        return await self.door.pump(self._feed, self.pace.batch, self.pace.poll_s) > 0

    async def keep(self) -> bool:
        """Take or renew the lease, and rest until it is time again."""
        await self.tenure.renew()
        await self._rest(self.pace.lease_s / 6)
        return True

    async def act(self) -> bool:
        """Look at what is due, while the finance system is ours; whether there was anything."""
        if not self.tenure.may_act() or not await self._is_informed():
            return False
        due = await self._wanted.due(self.pace.at_once)
        _raise_first(await asyncio.gather(*(self._look(task.subject) for task in due), return_exceptions=True))
        return bool(due)

    async def watch(self) -> bool:
        """Walk through what is open, while the finance system is ours and as often as is wanted. However long finance
        takes over that, no hold waits for it."""
        now = time.monotonic()
        if now - self._scanned_at < self.pace.scan_s or not self.tenure.may_act() or not await self._is_informed():
            return False
        self._scanned_at = now
        try:
            return await self._scan.walk() > 0
        except (TransientError, ConfigurationError) as silent:
            log.warning("%s: what is open cannot be read: %s", self.tenure.name, silent)
            return False

    async def answer(self) -> bool:
        """Publish the answers that wait; whether there were any."""
        waiting = await self._wanted.answers(self.pace.batch)
        if waiting:
            await self._publisher.publish([row for _, row in waiting])
            failpoint("answers.published")
            await self._wanted.answered([number for number, _ in waiting])
            failpoint("answers.deleted")
        return bool(waiting)

    async def _is_informed(self) -> bool:
        return self._informed is None or await self._informed.since(self.tenure.term)

    async def _look(self, subject: str) -> None:
        """One look. What it could not finish stays due."""
        try:
            await self.driver.look(subject)
        except FenceLost as lost:
            log.info("%s: %s", subject, lost)
        except TransientError as fault:
            log.warning("%s: %s", subject, fault)
            await asyncio.sleep(self.pace.back_off_s)

    async def _over_and_over(self, turn: Turn) -> None:
        """Run one of the loops; back off while something does not answer, rest while there is nothing to do."""
        pause_s, loop = self.pace.back_off_s, f"{self.tenure.name} {turn.__name__}"
        while not self._stopping.is_set():
            try:
                worked = await self._patiently(turn, loop)
                pause_s = self.pace.back_off_s
                self._sign(loop, None)
                if not worked:
                    await self._rest(self.pace.idle_s)
            except TransientError as fault:
                log.warning("%s: %s; again in %.1f s", self.tenure.name, fault, pause_s)
                self._sign(loop, str(fault))
                await self._rest(pause_s)
                pause_s = min(pause_s * 2, self.pace.back_off_most_s)

    async def _patiently(self, turn: Turn, loop: str) -> bool:
        """Take a turn, and say meanwhile that the loop moves: all it waits for has a deadline, and a gate started anew
        mends no finance system that is slow."""
        task = asyncio.ensure_future(turn())
        try:
            for _ in range(BEATS_MOST):
                if (await asyncio.wait({task}, timeout=self.pace.beat_s))[0]:
                    break
                if self._signs is not None:
                    self._signs.beat(loop)
            return await task
        finally:
            task.cancel()
            await asyncio.wait({task})

    def _sign(self, loop: str, fault: str | None) -> None:
        """Say that a loop moves, and whether what it needs answers."""
        if self._signs is not None:
            self._signs.beat(loop)
            (self._signs.fine(loop) if fault is None else self._signs.fault(loop, fault))

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return


def _raise_first(ended: Sequence[object]) -> None:
    for end in ended:
        if isinstance(end, BaseException):
            raise end
