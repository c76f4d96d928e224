"""The pages of a process over HTTP: an ASGI application of FastStream's, served by uvicorn."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import uvicorn
from faststream.asgi import AsgiFastStream

from contracts_schema.errors import ConfigurationError
from services.settings import Http

FAREWELL_S = 2


class _Server(uvicorn.Server):
    """Leaves signals to the process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def serving(routes: Sequence[tuple[str, Any]], http: Http) -> AsyncIterator[str]:
    """Serve these routes for the block; the address, with the port that was taken where it is 0.

    Raises:
        ConfigurationError: the address cannot be had.
    """
    app = AsgiFastStream(asgi_routes=routes, logger=None)
    config = uvicorn.Config(
        app, http.host, http.port, lifespan="off", log_config=None, access_log=False,
        timeout_graceful_shutdown=FAREWELL_S,
    )  # fmt: skip
    try:
        listening = config.bind_socket()
    except (OSError, SystemExit):
        raise ConfigurationError([f"http: {http.host}:{http.port} cannot be listened on; is it taken?"]) from None
    server = _Server(config)
    running = asyncio.create_task(server.serve([listening]))
    host, port = listening.getsockname()[:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        server.should_exit = True
        await asyncio.gather(running, return_exceptions=True)
        listening.close()
