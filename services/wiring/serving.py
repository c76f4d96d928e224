"""What every long-running process has: patience at its start, its pages over HTTP, and a way to be told to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

from faststream.asgi import AsgiFastStream
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from connectors import http_server, tracing
from contracts_schema.errors import TransientError
from services.settings import Http, Settings

START_S = 60.0  # how long a step of the start waits for a broker or a database that does not answer
Answer = TypeVar("Answer")


async def patiently(step: Callable[[], Awaitable[Answer]]) -> Answer:
    """What a step of the start answers: a broker or a database that comes up at the same time is waited for.

    Raises:
        TransientError: it did not answer within a minute.
    """
    waiting, stop = wait_random_exponential(0.2, 5), stop_after_delay(START_S)
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(TransientError), stop=stop, wait=waiting, reraise=True
    ):
        with attempt:
            return await step()
    raise AssertionError("the last attempt answers or raises")


@asynccontextmanager
async def serving(routes: Sequence[tuple[str, Any]], http: Http) -> AsyncIterator[str]:
    """Serve these routes for the block; the address, with the port that was taken where it is 0.

    Raises:
        ConfigurationError: the address cannot be had.
    """
    app = AsgiFastStream(asgi_routes=routes, logger=None)
    async with http_server.serving(app, http.host, http.port) as port:
        yield address(http.host, port)


@contextmanager
def traced(process: str, settings: Settings, release: str) -> Iterator[None]:
    """Spans for OpenTelemetry for the block, where the configuration asks for them (`tracing: true`)."""
    if settings.tracing:
        tracing.turn_on(process, release)
    try:
        yield
    finally:
        tracing.turn_off()


def address(host: str, port: int) -> str:
    """Where a server that listens there is found."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def told_to_stop() -> asyncio.Event:
    """Set by SIGTERM or SIGINT."""
    told, loop = asyncio.Event(), asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, told.set)
    return told
