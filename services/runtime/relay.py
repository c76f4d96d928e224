"""The relay: what was committed goes out, lane by lane, commands first.

    lease -> oldest rows -> render -> publish, wait for every confirmation -> delete the rows

Rows go only after confirmation, so a crash in between publishes some records again: readers drop a sequence or revision
that they have seen. One relay at a time owns a lane, by a lease that expires by itself; a relay that has lost it stops
before its next send. Inside a contract the order is that of the outbox: a contract's row is locked while its commands
are written, so they come in order of their ids.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence

from contracts_schema.errors import TransientError
from contracts_schema.failpoints import failpoint
from contracts_schema.rows import Lane, PublishRow
from services.ports import Publisher, Store, Telemetry
from services.runtime.backoff import Backoff
from services.runtime.health import Health
from services.runtime.lanes import Lanes
from services.runtime.leases import Leases

POLL_S = 0.1  # another worker's commits are found by asking
SEND_AT_A_TIME = 1000
# How many rows of a lane are taken at once, and how often they are asked for. Snapshots are patient: only the newest
# state of a milestone is worth sending.
ROWS = {Lane.COMMANDS: 20, Lane.DECISIONS: 20, Lane.SNAPSHOTS: 1000, Lane.QUARANTINE: 20, Lane.NOTICES: 100}
EVERY_S = {Lane.COMMANDS: 0.0, Lane.DECISIONS: 0.2, Lane.SNAPSHOTS: 1.0, Lane.QUARANTINE: 0.5, Lane.NOTICES: 0.5}
SNAPSHOTS_SHARE = 0.05  # of the time: while much is decided, milestones change faster than it is worth showing them
SNAPSHOTS_LATEST_S = 6.0
EXPLAINING = (Lane.DECISIONS, Lane.NOTICES, Lane.SNAPSHOTS, Lane.QUARANTINE)
LOOP = "relay"


class Relay:
    """Publishes lanes of the outbox until it is told to stop. Commands have a relay of their own in `milepost run`, so
    that they never wait for what explains them."""

    def __init__(
        self, store: Store, publisher: Publisher, lanes: Lanes, leases: Leases, telemetry: Telemetry, health: Health,
        wanted: Sequence[Lane] = tuple(Lane),
    ) -> None:  # fmt: skip
        self._wanted = wanted
        self._store = store
        self._publisher = publisher
        self._lanes = lanes
        self._leases = leases
        self._telemetry = telemetry
        self._health = health
        self._backoff = Backoff()
        self._news = asyncio.Event()
        self._stopping = asyncio.Event()
        self._next_s = dict.fromkeys(Lane, 0.0)

    def wake(self) -> None:
        """Something was committed."""
        self._news.set()

    def stop(self) -> None:
        """End `run` after the send that is under way."""
        self._stopping.set()
        self._news.set()

    async def run(self) -> None:
        """Publish until `stop`.

        Raises:
            ConfigurationError: the broker refuses a record: access is denied, a limit is too low.
        """
        while not self._stopping.is_set():
            self._health.beat(LOOP)
            self._news.clear()
            pause_s = POLL_S
            try:
                if await self.turn():
                    continue
            except TransientError as error:
                pause_s = self._failed(error)
            await self._rest(pause_s)

    async def flush(self, within_s: float) -> None:
        """Publish what is left, as far as that goes in this time, and let the next one have the lanes."""
        with contextlib.suppress(TimeoutError, TransientError):
            async with asyncio.timeout(within_s):
                while await self.turn(hurry=True):
                    pass
        with contextlib.suppress(TimeoutError, TransientError):
            async with asyncio.timeout(within_s):
                await self._leases.give_back()

    async def turn(self, *, hurry: bool = False) -> bool:
        """One look at each lane that is ours and due; whether anything was sent.

        Raises:
            TransientError: the store or the broker does not answer; the rows stay.
        """
        sent = False
        for lane in self._wanted:
            if not hurry and time.monotonic() < self._next_s[lane]:
                continue
            full, taken, began = True, 0, time.monotonic()
            while full and await self._leases.keep(_name(lane)):
                taken = await self._send_oldest(lane)
                sent = sent or taken > 0
                full = lane is Lane.COMMANDS and taken == ROWS[lane] and not self._stopping.is_set()
            self._next_s[lane] = _next_look(lane, began, taken)
        self._backoff.reset()
        self._health.fine("publisher")
        return sent

    async def _send_oldest(self, lane: Lane) -> int:
        """Publish the oldest rows of a lane and delete them; how many there were."""
        rows = await self._store.outbox(lane, ROWS[lane])
        if not rows:
            return 0
        failpoint("relay.read")
        records = await self._lanes.render(lane, rows)
        for at in range(0, len(records), SEND_AT_A_TIME):
            if not await self._leases.keep(_name(lane)):
                return 0
            await self._publish(lane, records[at : at + SEND_AT_A_TIME])
        failpoint("publish.confirmed")
        await self._store.published(lane, [row.id for row in rows])
        failpoint("relay.deleted")
        self._telemetry.count("milepost_published_total", len(records), lane=lane.name.lower())
        return len(rows)

    async def _publish(self, lane: Lane, records: Sequence[PublishRow]) -> None:
        """Publish, and renew the lease meanwhile: an outage of the broker may be waited for."""
        began = time.perf_counter()
        sending = asyncio.create_task(self._publisher.publish(records))
        try:
            while not (await asyncio.wait({sending}, timeout=self._leases.third_s))[0]:
                self._health.beat(LOOP)
                with contextlib.suppress(TransientError):  # found out before the next send
                    await self._leases.keep(_name(lane))
            await sending
        finally:
            if not sending.done():
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
        self._telemetry.took("milepost_publish_seconds", time.perf_counter() - began)

    def _failed(self, error: TransientError) -> float:
        self._telemetry.count("milepost_transient_errors_total", loop=LOOP)
        self._telemetry.event("warning", "trying again", error=str(error), loop=LOOP)
        self._health.fault("publisher", "the last attempt did not work; trying again")
        return self._backoff.next()

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()


def _next_look(lane: Lane, began: float, taken: int) -> float:
    """When to look at a lane again: at once where more is waiting, except that snapshots leave time for the rest."""
    now = time.monotonic()
    if lane is Lane.SNAPSHOTS:
        return now + min(max(EVERY_S[lane], (now - began) * (1 / SNAPSHOTS_SHARE - 1)), SNAPSHOTS_LATEST_S)
    return now if taken == ROWS[lane] else now + EVERY_S[lane]


def _name(lane: Lane) -> str:
    return f"relay/{lane.name.lower()}"
