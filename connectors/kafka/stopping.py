"""Stopping a consumer of aiokafka, which cancels its fetches one by one and waits for each.

One that waits to try again, as while a broker is away, lets its cancellation out (`Fetcher.close`, aiokafka 0.14): for
the caller it looks like his own, and the connections stay open.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any


async def stopped(stopping: Awaitable[object], consumer: Any) -> None:
    """Await that the consumer stops, whatever becomes of its fetches."""
    try:
        await stopping
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        if consumer is not None:
            await consumer._client.close()  # noqa: SLF001 -- what `stop` would have done next
