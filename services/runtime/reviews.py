"""What happens between batches: contracts whose moment has come are looked at again.

A review runs only when every partition of every source has been read past its moment: yesterday's dispute, still in
Kafka, must not lose against midnight. Partitions in which nothing comes are read past too: the feed says until when.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from contracts_schema.errors import TransientError
from contracts_schema.failpoints import failpoint
from services.ports import Feed, Store
from services.runtime.appetite import Appetite
from services.runtime.gathered import Report
from services.runtime.hallway import Hallway

AT_A_TIME = 300  # contracts; fewer where they are so large that the database would give up on the transaction
READ_PAST_EVERY_S = 1.0


class Reviews:
    """Looks at woken contracts, a few hundred at a time."""

    def __init__(
        self, store: Store, feed: Feed, hallway: Hallway, cluster: str, local: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._feed = feed
        self._hallway = hallway
        self._cluster = cluster
        self._local = local
        self._next_s = float("-inf")
        self._more = False
        self._appetite = Appetite(AT_A_TIME, AT_A_TIME, least=1)

    def rouse(self) -> None:
        """A contract is to be looked at now."""
        self._more = True

    async def between_batches(self, now: int) -> Report | None:
        """Look at what is due; None where it is too early to ask. `now` is the store's clock (µs).

        Raises:
            TransientError: the store does not answer; what was due stays due.
        """
        at = self._local()
        if at >= self._next_s:
            past = await self._feed.read_past()
            await self._store.read_past(self._cluster, {p: min(moment, now) for p, moment in past.items()})
            self._next_s = at + READ_PAST_EVERY_S
            failpoint("wake.read_past")
        elif not self._more:
            return None
        self._more = True  # until it is known that nothing is left, whatever fails meanwhile
        report = await self._look(now)
        self._more = report.woken > 0 or report.rouses
        return report

    async def _look(self, now: int) -> Report:
        frontier, began = await self._store.frontier(), self._local()
        try:
            report = await self._hallway.wake(frontier, self._appetite.now, now)
        except TransientError:  # the transaction may have stood still for too long, over too much work
            self._appetite.choked()
            raise
        self._appetite.had(report.woken)
        self._appetite.took(report.woken, self._local() - began)
        return report
