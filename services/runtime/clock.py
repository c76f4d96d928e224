"""The store's clock without a round trip for every batch: asked once a second, carried on by the local one between."""

from __future__ import annotations

import time
from collections.abc import Callable

from services.ports import Store

ASKED_EVERY_S = 1.0


class StoreClock:
    """Microseconds since 1970 by the store's clock."""

    def __init__(self, store: Store, local: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._local = local
        self._asked_at = float("-inf")
        self._answer = 0

    async def now(self) -> int:
        """The moment.

        Raises:
            TransientError: the store does not answer.
        """
        at = self._local()
        if at - self._asked_at >= ASKED_EVERY_S:
            self._answer = await self._store.now()
            at = self._asked_at = self._local()
        return self._answer + round((at - self._asked_at) * 1_000_000)
