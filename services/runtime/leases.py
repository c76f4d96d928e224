"""Leases: who may do what only one may do. Each expires by itself, so a process that hangs keeps nothing."""

from __future__ import annotations

import time
from collections.abc import Callable

from contracts_schema.failpoints import failpoint
from services.ports import Store

ASK_AGAIN_S = 1.0


class Leases:
    """The leases of one process, by name. A lease counts from before it was asked for, so never for too long."""

    def __init__(self, store: Store, owner: str, seconds: float, local: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._owner = owner
        self._seconds = seconds
        self._local = local
        self._until: dict[str, float] = {}
        self._ask_at: dict[str, float] = {}

    def holds(self, name: str) -> bool:
        """Whether the lease is ours at this moment."""
        return self._until.get(name, 0.0) > self._local()

    async def keep(self, name: str) -> bool:
        """Take the lease, or renew it once a third of its time has gone. Whether it is ours.

        Raises:
            TransientError: the store does not answer.
        """
        asked = self._local()
        if self._until.get(name, 0.0) - asked > self._seconds * 2 / 3:
            return True
        if not self.holds(name) and asked < self._ask_at.get(name, 0.0):
            return False
        failpoint("lease.asked")
        epoch = await self._store.lease(name, self._owner, self._seconds)
        failpoint("lease.kept")
        self._until[name] = 0.0 if epoch is None else asked + self._seconds
        self._ask_at[name] = asked + ASK_AGAIN_S
        return self.holds(name)

    async def give_back(self) -> None:
        """Let all of them go, so that the next owner need not wait.

        Raises:
            TransientError: the store does not answer; they expire.
        """
        names, self._until = list(self._until), {}
        for name in names:
            await self._store.release(name, self._owner)

    @property
    def third_s(self) -> float:
        """How often to renew while something long is under way."""
        return self._seconds / 3
