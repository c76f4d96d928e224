"""Offsets written to Kafka for lag tools alone. The truth lies in the store, so here everything may fail."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from contracts_schema.failpoints import failpoint

log = logging.getLogger(__name__)

_EVERY_S = 1.0
_TIMEOUT_S = 5.0  # aiokafka retries a commit for ever while a broker is down


class LagSignal:
    """Commits the newest noted offsets, at most once a second, in a task of its own."""

    def __init__(self) -> None:
        self._noted: dict[TopicPartition, int] = {}
        self._task: asyncio.Task[None] | None = None
        self._last_s = 0.0

    def note(self, consumer: Any, offsets: Mapping[TopicPartition, int]) -> None:
        """Remember these offsets; a commit in the next second will carry them."""
        self._noted.update(offsets)
        if self._noted and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._commit(consumer))

    async def stop(self) -> None:
        """Forget what was noted."""
        self._noted = {}
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _commit(self, consumer: Any) -> None:
        clock = asyncio.get_running_loop().time
        while self._noted:
            await asyncio.sleep(max(0.0, self._last_s + _EVERY_S - clock()))
            self._last_s = clock()
            offsets, self._noted = self._noted, {}
            if not await self._is_written(consumer, offsets):
                self._noted = offsets | self._noted  # again, unless newer ones came meanwhile

    async def _is_written(self, consumer: Any, offsets: Mapping[TopicPartition, int]) -> bool:
        """Whether nothing is left to do for these offsets."""
        still_ours = {place: offset for place, offset in offsets.items() if place in consumer.assignment()}
        if not still_ours:
            return True
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                await consumer.commit(still_ours)
        except (KafkaError, TimeoutError) as error:
            log.debug("lag not written: %r", error)
            return False
        failpoint("offsets.told")
        return True
