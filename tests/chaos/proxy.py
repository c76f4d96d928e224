"""A port that leads to another one, and what may be wrong with the way between them.

open      everything passes
cut       connections are reset, new ones refused
upward    what the client sends does not arrive (one way); it arrives late if the way heals in time, as in TCP
downward  what the server answers does not arrive
slow      every piece takes a tenth of a second more
flapping  cut, open, cut, ... several times a second
"""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator

WAYS = ("cut", "upward", "downward", "slow", "flapping")
SLOW_S = 0.1
FLAP_S = (0.15, 0.35)  # cut, open


class Proxy:
    """Stands on `port` before `to`. `touched` counts what was hindered, so that a fault is known to have bitten."""

    def __init__(self, port: int, to: int) -> None:
        self.port, self.touched = port, 0
        self._to = to
        self._way = "open"
        self._up, self._down = asyncio.Event(), asyncio.Event()
        self._up.set()
        self._down.set()
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._reset()

    @contextlib.asynccontextmanager
    async def faulty(self, way: str) -> AsyncIterator[None]:
        """Something is wrong for the block; then everything passes again."""
        flapping = asyncio.create_task(self._flap()) if way == "flapping" else None
        self._be(way)
        try:
            yield
        finally:
            if flapping is not None:
                flapping.cancel()
            self._be("open")

    def _be(self, way: str) -> None:
        self._way = way
        for name, passing in (("upward", self._up), ("downward", self._down)):
            passing.clear() if way == name else passing.set()
        if way == "cut":
            self._reset()

    async def _flap(self) -> None:
        for way, seconds in itertools.cycle(zip(("cut", "open"), FLAP_S, strict=True)):
            self._be(way)
            await asyncio.sleep(seconds)

    def _reset(self) -> None:
        self.touched += len(self._open)
        for writer in self._open:
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._way == "cut":
            self.touched += 1
            writer.transport.abort()
            return
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:  # the server is away: so is the proxy, for whoever asks
            writer.transport.abort()
            return
        both = {writer, to_server}
        self._open |= both
        ways = ((reader, to_server, self._up), (from_server, writer, self._down))
        pumps = [asyncio.create_task(self._pump(*way)) for way in ways]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._open -= both
            for end in both:
                end.transport.abort()
            for pump in pumps:
                pump.cancel()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passing: asyncio.Event) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65536):
                if not passing.is_set():
                    self.touched += 1
                    await passing.wait()
                if self._way == "slow":
                    self.touched += 1
                    await asyncio.sleep(SLOW_S)
                writer.write(chunk)
                await writer.drain()
