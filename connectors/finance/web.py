"""HTTP to a finance system: one configured host, every call with a deadline, answers of a bounded size.

Reading is repeated where the system did not answer. What changes something is sent once: whether it was done is for
the caller to find out by reading.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import tenacity

from connectors import tracing
from connectors.hosts import is_here, trust
from contracts_schema.errors import ConfigurationError, TransientError
from contracts_schema.payables import Called, CallState
from mappers.strict_json import parse

ANSWER_BYTES_MAX = 8 * 1024 * 1024
READ_TRIES = 3
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})


_account = re.compile(r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,30}\b")  # the number of a bank account (IBAN)


@dataclass(frozen=True)
class WebSettings:
    """Where a finance system is. `token_file` holds its bearer key; `timeout_s` is for each wait of a call.

    `cafile` is the authority that signed the server's certificate, where it is none that the system knows;
    `plain_http` lets the key travel in clear to another machine, where something else secures the way.
    """

    url: str
    token_file: Path | None = None
    timeout_s: float = 10
    cafile: Path | None = None
    plain_http: bool = False


class Web:
    """Calls below one base address, with a bearer key that is read anew for each call, so that it may be rotated."""

    def __init__(self, settings: WebSettings, headers: Mapping[str, str] | None = None) -> None:
        self._base = checked(settings)
        self._token_file = settings.token_file
        self._secret = ""
        self._timeout_s = settings.timeout_s
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(settings.timeout_s, pool=settings.timeout_s), follow_redirects=False, trust_env=False,
            verify=trust(settings.cafile, "finance: cafile") if self._base.startswith("https:") else True,
            headers={"Accept-Encoding": "identity", **(headers or {})}, limits=httpx.Limits(max_connections=8),
        )  # fmt: skip

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def read(self, path: str, parameters: Mapping[str, Any] | list[tuple[str, str]] | None = None) -> Any:
        """The JSON at a path; None where there is nothing.

        Raises:
            TransientError: it does not answer, after a few tries.
            ConfigurationError: it refuses us, or answers what no such system answers.
        """
        async for attempt in tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(TransientError),
            stop=tenacity.stop_after_attempt(READ_TRIES),
            wait=tenacity.wait_random_exponential(multiplier=0.1, max=2),
            reraise=True,
        ):
            with attempt:
                return await self._read_once(path, parameters)
        raise TransientError(f"{path} was not read")

    async def change(self, method: str, path: str, body: object) -> Called:
        """One call that changes something, sent once. Refused means that the system said no; anything else but a plain
        yes is unknown.
        """
        try:
            status, raw = await self._exchange(method, path, None, body)
        except TransientError as silent:
            return Called(CallState.UNKNOWN, str(silent))
        if status < 300:
            return Called(CallState.DONE)
        if not 400 <= status < 500 or status in _BUSY:  # a redirect often follows what was done
            return Called(CallState.UNKNOWN, f"finance answers {status}")
        return Called(CallState.REFUSED, f"finance answers {status}{_sentence(raw, self._secret)}")

    async def _read_once(self, path: str, parameters: Any) -> Any:
        status, raw = await self._exchange("GET", path, parameters, None)
        if status in _BUSY:
            raise TransientError(f"finance answers {status} to {path}")
        if status == 404:
            return None
        if status != 200:
            raise ConfigurationError(
                [f"finance answers {status} to {path}{_sentence(raw, self._secret)}; check url and token_file"]
            )
        try:
            return parse(raw, ANSWER_BYTES_MAX)
        except ValueError as error:
            raise TransientError(f"finance answers {path} with what is no JSON: {error}") from None

    async def _exchange(self, method: str, path: str, parameters: Any, body: object) -> tuple[int, bytes]:
        """Send, and read the answer to its end.

        Raises:
            TransientError: no answer, or none in time.
        """
        where, key, began = f"{self._base}/{path}", self._key(), time.perf_counter()
        told: int | str = "no answer"
        try:
            async with (
                asyncio.timeout(self._timeout_s * 2),  # httpx's own deadlines are for each piece of an answer
                self._client.stream(method, where, params=parameters, headers=key, json=body) as answer,
            ):
                if answer.headers.get("content-encoding", "identity") != "identity":  # it could become gigabytes
                    raise TransientError(f"finance packs its answer to {path}, which we ask it not to")
                raw = bytearray()
                async for piece in answer.aiter_bytes():
                    raw += piece
                    if len(raw) > ANSWER_BYTES_MAX:
                        raise TransientError(f"finance answers {path} with more than {ANSWER_BYTES_MAX} bytes")
                told = answer.status_code
                return answer.status_code, bytes(raw)
        except (httpx.HTTPError, TimeoutError) as fault:
            raise TransientError(f"finance does not answer {method} {path}: {type(fault).__name__}") from None
        finally:
            tracing.ended("finance call", time.perf_counter() - began, method=method, status=told)

    def _key(self) -> dict[str, str]:
        if self._token_file is None:
            return {}
        try:
            self._secret = self._token_file.read_text(encoding="utf-8").strip()
        except OSError as fault:
            raise ConfigurationError([f"token_file {self._token_file} cannot be read: {fault.strerror}"]) from None
        return {"Authorization": f"bearer {self._secret}"}


def checked(settings: WebSettings) -> str:
    """The base address without its last slash.

    Raises:
        ConfigurationError: it is no http or https address, bears a user, a query or a fragment, or would let the key
            travel in clear.
    """
    url, parts = settings.url, urlsplit(settings.url)
    plain = not (parts.username or parts.password or parts.query or parts.fragment)
    if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
        raise ConfigurationError([f"url {parts.scheme}://{parts.hostname}: write https://host/path and nothing else"])
    if parts.scheme == "http" and not settings.plain_http and not is_here(parts.hostname):
        raise ConfigurationError(
            [f"url: the key of {parts.hostname} would travel in clear; write https, or set plain_http"]
        )
    return url.rstrip("/")


def _sentence(raw: bytes, secret: str) -> str:
    """What the system says of a refusal, where it says it in JSON; without our key and without bank accounts."""
    try:
        said = parse(raw, 65_536)
    except ValueError:
        return ""
    message = said.get("message") if isinstance(said, dict) else None
    if not isinstance(message, str):
        return ""
    known = message[:2000].replace(secret, "***") if secret else message[:2000]
    return f": {without_accounts(known)[:200]}"


def without_accounts(text: str) -> str:
    """The text with `***` in the place of numbers of bank accounts."""
    return _account.sub("***", text)
