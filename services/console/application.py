"""The console as one ASGI application: API, pages, and what every answer bears."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.console import api, pages
from services.console.desk import Desk, Watch
from services.console.logins import Door
from services.console.problems import answer, problem_of

HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}
_RAW = [(name.encode(), value.encode()) for name, value in HEADERS.items()]


def application(
    desk: Desk, door: Door, watch: Watch, document: Mapping[str, Any], health: Sequence[tuple[str, ASGIApp]] = ()
) -> ASGIApp:
    """All of it; `health` are the pages that every process has."""

    async def nowhere(_: Request, error: Exception) -> Response:
        return answer(*problem_of(error, watch))

    routes = [*api.routes(desk, door, watch, document), *pages.routes(desk, door, watch)]
    routes += [Route(path, _Page(page)) for path, page in health]
    app = Starlette(routes=routes, exception_handlers={404: nowhere, 405: nowhere})
    app.router.redirect_slashes = False
    return _Outside(app)


class _Page:
    """An ASGI application as starlette takes it for one; a plain function it would take for something else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


class _Outside:
    """Routes by the path as it was sent, so that an id may hold `/` as %2F; gives every answer its headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def answered(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *_RAW]}
            await send(message)

        if scope["type"] == "http":
            raw = scope.get("raw_path") or scope["path"].encode()
            scope = {**scope, "path": raw.partition(b"?")[0].decode("latin-1")}
        await self._app(scope, receive, answered)
