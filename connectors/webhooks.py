"""Receives what systems send by themselves, over HTTP, and puts it on their topic as it came.

A delivery is accepted (202) only when the broker has confirmed its record, so a sender that tries again loses nothing:
503 while it has not. Whoever cannot sign as the source's configuration says is refused (401) before anything is done
with what was sent. The signature is checked over the bytes as they came; nothing here looks into them.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from contracts_schema.errors import ConfigurationError, MilepostError
from contracts_schema.failpoints import failpoint
from contracts_schema.records import is_identifier
from contracts_schema.rows import PublishRow

Publish = Callable[[Sequence[PublishRow]], Awaitable[None]]
Count = Callable[[str, str], None]  # source, outcome
Scheme = Literal["sha256-hex", "sha1-hex", "sha256-base64"]

BODY_BYTES = 256 * 1024
BODY_S = 10.0
RETRY_AFTER = {"Retry-After": "5"}
CONTENT_TYPE_MOST = 200


@dataclass(frozen=True)
class Hook:
    """How one source sends. `header` bears `prefix` and the signature; `delivery_header` the vendor's id of a delivery.

    A file with two lines holds two secrets, while one is exchanged for the other.
    """

    source: str
    topic: str
    path: str
    secret_file: Path
    header: str
    scheme: Scheme = "sha256-hex"
    prefix: str = ""
    kind: str | None = None
    delivery_header: str | None = None

    def secrets(self) -> list[bytes]:
        """Read each time, so that they may be exchanged while we run.

        Raises:
            ConfigurationError: there is none to be read.
        """
        try:
            lines = self.secret_file.read_bytes().splitlines()
        except OSError as error:
            raise ConfigurationError([f"{self.secret_file} cannot be read: {error.strerror}"]) from None
        found = [line.strip() for line in lines if line.strip()]
        if not 0 < len(found) <= 2:
            raise ConfigurationError([f"{self.secret_file} holds {len(found)} secrets; one is needed, or two lines"])
        return found


def receiver(
    hooks: Sequence[Hook], publish: Publish, count: Count, pages: Sequence[tuple[str, ASGIApp]] = ()
) -> Starlette:
    """The application: a path for each hook, and `pages` (health, metrics) beside them.

    Raises:
        ConfigurationError: two sources share a path, or a secret cannot be read.
    """
    _check(hooks)
    routes = [Route(hook.path, _Receiver(hook, publish, count).receive, methods=["POST"]) for hook in hooks]
    app = Starlette(routes=[*routes, *(Route(path, _Page(page)) for path, page in pages)])
    app.router.redirect_slashes = False
    return app


def signature(body: bytes, secret: bytes, scheme: Scheme) -> bytes:
    """The signature of a body as this scheme writes it."""
    digest = hmac.digest(secret, body, "sha1" if scheme == "sha1-hex" else "sha256")
    return base64.b64encode(digest) if scheme == "sha256-base64" else digest.hex().encode()


class _Page:
    """An ASGI application as starlette takes it for one; a plain function it would take for something else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


class _Refused(Exception):
    """A delivery is not taken: with what status, and as what it is counted."""

    def __init__(self, status: int, outcome: str) -> None:
        super().__init__(outcome)
        self.status = status
        self.outcome = outcome


class _Receiver:
    def __init__(self, hook: Hook, publish: Publish, count: Count) -> None:
        self._hook = hook
        self._publish = publish
        self._count = count

    async def receive(self, request: Request) -> Response:
        """One delivery."""
        try:
            body = await _body(request)
            self._verify(request, body)
            failpoint("webhook.verified")
            await self._publish([self._row(request, body)])
            failpoint("webhook.published")
        except _Refused as refused:
            self._count(self._hook.source, refused.outcome)
            return PlainTextResponse(refused.outcome + "\n", refused.status)
        except ClientDisconnect:
            self._count(self._hook.source, "broken off")
            return Response(status_code=400)
        except MilepostError:  # the broker, or our own set-up: the sender has done nothing wrong, and tries again
            self._count(self._hook.source, "not published")
            return PlainTextResponse("try again later\n", 503, RETRY_AFTER)
        self._count(self._hook.source, "accepted")
        return PlainTextResponse("accepted\n", 202)

    def _verify(self, request: Request, body: bytes) -> None:
        """Every secret is tried, each in constant time."""
        given = request.headers.getlist(self._hook.header)
        if len(given) != 1:
            raise _Refused(401, "not signed")
        prefix, claimed = given[0][: len(self._hook.prefix)], given[0][len(self._hook.prefix) :].strip()
        claim = (claimed.lower() if self._hook.scheme.endswith("hex") else claimed).encode()
        wanted = [signature(body, secret, self._hook.scheme) for secret in self._hook.secrets()]
        fits = [hmac.compare_digest(claim, one) for one in wanted]
        if prefix != self._hook.prefix or not any(fits):
            raise _Refused(401, "wrongly signed")

    def _row(self, request: Request, body: bytes) -> PublishRow:
        """All deliveries of a source have one key, so that they keep the order in which they came."""
        hook = self._hook
        headers = [("milepost-source", hook.source), ("milepost-received-at", datetime.now(UTC).isoformat())]
        if hook.kind is not None:
            headers.append(("milepost-kind", hook.kind))
        told = request.headers.get("content-type", "")
        if told and len(told) <= CONTENT_TYPE_MOST:
            headers.append(("content-type", told))
        delivery = request.headers.get(hook.delivery_header) if hook.delivery_header else None
        if is_identifier(delivery):
            headers.append(("milepost-delivery", str(delivery)))
        return PublishRow(hook.topic, hook.source.encode(), tuple((k, v.encode()) for k, v in headers), body)


async def _body(request: Request) -> bytes:
    """The whole body, not decoded. Bounded in bytes and time before it is read whole."""
    if request.headers.get("content-encoding", "identity") != "identity":
        raise _Refused(415, "encoded")
    length = request.headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()) or int(length[:12]) > BODY_BYTES:
        raise _Refused(413, "too large")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > BODY_BYTES:
                    raise _Refused(413, "too large")
    except TimeoutError:
        raise _Refused(408, "too slow") from None
    if not body:
        raise _Refused(400, "empty")
    return bytes(body)


def _check(hooks: Sequence[Hook]) -> None:
    faults = []
    paths = [hook.path for hook in hooks]
    for hook in hooks:
        if paths.count(hook.path) > 1:
            faults.append(f"sources.{hook.source}.webhook.path: {hook.path} is another source's too")
        try:
            hook.secrets()
        except ConfigurationError as error:
            faults += [f"sources.{hook.source}.webhook: {fault}" for fault in error.faults]
    if faults:
        raise ConfigurationError(faults)
