"""Whether a process lives and is ready, and the three pages on which it says so: /healthz, /readyz, /metrics.

Alive means that its loops move, not that the broker answers: a restart mends a loop that hangs, never a broker that is
away. The same module serves the worker, the gate and the collectors.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

STALLED_S = 60.0

Message = MutableMapping[str, Any]
Page = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]
Answer = Callable[[], tuple[int, str, bytes]]  # status, content type, body


class Health:
    """What the parts of a process said last. A part named in `parts` counts as not ready until it has spoken."""

    def __init__(
        self, parts: tuple[str, ...], stalled_s: float = STALLED_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._stalled_s = stalled_s
        self._beats: dict[str, float] = {}
        self._faults: dict[str, str | None] = dict.fromkeys(parts, "not ready yet")

    def beat(self, loop: str) -> None:
        """This loop moves."""
        self._beats[loop] = self._clock()

    def fine(self, part: str) -> None:
        """This part works."""
        self._faults[part] = None

    def fault(self, part: str, sentence: str) -> None:
        """This part does not work now."""
        self._faults[part] = sentence

    def age(self, loop: str) -> float:
        """Seconds since this loop moved."""
        return self._clock() - self._beats.get(loop, self._clock())

    def stalled(self) -> list[str]:
        """A sentence for each loop that has not moved for too long."""
        ages = {loop: self._clock() - at for loop, at in self._beats.items()}
        return [f"{loop} has not moved for {age:.0f} s" for loop, age in ages.items() if age > self._stalled_s]

    def unready(self) -> list[str]:
        """A sentence for each part that does not work, and each loop that does not move."""
        return [*self.stalled(), *(f"{part}: {fault}" for part, fault in self._faults.items() if fault)]


def pages(health: Health, metrics: Callable[[], tuple[str, bytes]]) -> list[tuple[str, Page]]:
    """The pages as ASGI applications by path."""

    def shown() -> tuple[int, str, bytes]:
        return (200, *metrics())

    return [
        ("/healthz", _page(lambda: _verdict(health.stalled()))),
        ("/readyz", _page(lambda: _verdict(health.unready()))),
        ("/metrics", _page(shown)),
    ]


def _verdict(faults: list[str]) -> tuple[int, str, bytes]:
    return (503 if faults else 200, "text/plain; charset=utf-8", "\n".join(faults or ["ok"]).encode())


def _page(answer: Answer) -> Page:
    async def page(scope: Message, _receive: object, send: Callable[[Message], Awaitable[None]]) -> None:
        status, kind, body = answer() if scope["method"] in ("GET", "HEAD") else (405, "text/plain", b"")
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    return page
