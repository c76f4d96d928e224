"""Asking a vendor's system over HTTP: only GET, only its own host, with bounds on everything.

A GET is safe, so it is tried a few times where the connection fails or the system says that it is busy; whoever asks
for more patience does so with `Retry-After`, which is kept to, here for a few seconds and beyond that by the caller.
Nothing that is read or sent stands in an error: neither the key nor the query, which may name people.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_random_exponential

from connectors.hosts import is_here, trust
from contracts_schema.collected import Busy
from contracts_schema.errors import ConfigurationError, TransientError

Params = Sequence[tuple[str, str]]

_PASSING = frozenset({408, 425, 429, 502, 503, 504})
_CHUNK = 64 * 1024
_TRUSTED_SKEW = 2_000_000  # µs; the Date header has whole seconds


class TooLarge(Exception):
    """An answer has more bytes than are read; `start` is what was read of it."""

    def __init__(self, start: bytes) -> None:
        super().__init__(f"more than {len(start)} bytes")
        self.start = start


class _Passing(TransientError):
    """What is often over in a moment, and worth another try at once."""


@dataclass(frozen=True)
class RestSettings:
    """Where a system is, and how patient we are. `key_header` and `key_prefix` say how its key is sent.

    Times in seconds: to connect, until something comes, for a whole answer. `wait_s` is the longest pause made here.
    """

    url: str
    token_file: Path
    key_header: str
    key_prefix: str = ""
    headers: Mapping[str, str] | None = None
    cafile: Path | None = None
    plain_http: bool = False
    connect_s: float = 5
    read_s: float = 30
    answer_s: float = 60
    answer_bytes: int = 32 * 1024 * 1024
    attempts: int = 3
    wait_s: float = 5


class Rest:
    """Asks one system. `async with` opens and closes its connections."""

    def __init__(self, settings: RestSettings, clock: Callable[[], int] = lambda: time.time_ns() // 1000) -> None:
        self._settings = settings
        self._clock = clock
        self._base = _checked(settings)
        self._client: httpx.AsyncClient | None = None
        self.skew = 0
        """How far the system's clock is ahead of ours (µs); 0 while it is less than two seconds."""

    async def __aenter__(self) -> Rest:
        wanted = self._settings
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(wanted.read_s, connect=wanted.connect_s),
            limits=httpx.Limits(max_connections=4),
            verify=trust(wanted.cafile, "collect.cafile") if self._base.startswith("https:") else True,
            follow_redirects=False,
            trust_env=False,
            headers={"Accept": "application/json", "Accept-Encoding": "identity", **(wanted.headers or {})},
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._client is not None:
            await self._client.aclose()

    def check(self) -> None:
        """Raises ConfigurationError where there is no key to be read."""
        self._key()

    def now(self) -> int:
        """The moment (µs since 1970) by the system's clock, so far as it is known to differ from ours."""
        return self._clock() + self.skew

    async def get(self, path: str, params: Params = ()) -> bytes | None:
        """The body of a 200; None for 404.

        Raises:
            TransientError: it does not answer now.
            ConfigurationError: it refuses the key or the question, or is not what the settings say.
            TooLarge: the answer has more bytes than are read.
        """
        retrying = AsyncRetrying(
            retry=retry_if_exception(self._is_worth_another_try),
            stop=stop_after_attempt(self._settings.attempts),
            wait=self._pause,
            reraise=True,
        )
        body: bytes | None = await retrying(self._get, path, params)
        return body

    def _is_worth_another_try(self, error: BaseException) -> bool:
        """Longer pauses than ours are the caller's business."""
        return isinstance(error, _Passing) or (isinstance(error, Busy) and error.retry_after_s <= self._settings.wait_s)

    def _pause(self, state: RetryCallState) -> float:
        """Seconds until the next attempt: what the system asked for, else a random time that grows."""
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, Busy):
            return error.retry_after_s
        return wait_random_exponential(multiplier=0.25, max=self._settings.wait_s)(state)

    async def _get(self, path: str, params: Params) -> bytes | None:
        if self._client is None:
            raise TransientError(f"{self._base} is not open yet")
        request = self._client.build_request("GET", self._base + path, params=tuple(params), headers=self._key())
        try:
            async with asyncio.timeout(self._settings.answer_s):
                answer = await self._client.send(request, stream=True)
                try:
                    self._note_clock(answer)
                    return await self._read(answer, path)
                finally:
                    await answer.aclose()
        except (httpx.TransportError, TimeoutError) as error:
            raise _Passing(f"{self._base}{path} does not answer: {_why(error)}") from error

    async def _read(self, answer: httpx.Response, path: str) -> bytes | None:
        if answer.status_code == 404:
            return None
        if answer.status_code != 200:
            raise self._refusal(answer, path)
        if answer.headers.get("content-encoding", "identity") != "identity":  # a few bytes could become gigabytes
            raise ConfigurationError([f"{self._base}{path} packs its answer, which we ask it not to"])
        body = bytearray()
        async for chunk in answer.aiter_bytes(_CHUNK):
            body += chunk
            if len(body) > self._settings.answer_bytes:
                raise TooLarge(bytes(body[: self._settings.answer_bytes]))
        return bytes(body)

    def _refusal(self, answer: httpx.Response, path: str) -> TransientError | ConfigurationError:
        status = answer.status_code
        where = f"{self._base}{path} answers {status}"
        if status == 401:
            return ConfigurationError([f"{where}: it does not know the key in {self._settings.token_file}"])
        if status == 403:
            return ConfigurationError([f"{where}: the key's user may not read this; give it the right to"])
        if 300 <= status < 400:
            return ConfigurationError([f"{where}: it sends us elsewhere, and we do not follow; correct collect.url"])
        if 400 <= status < 500 and status not in _PASSING:
            return ConfigurationError([f"{where}: it does not take the question; the key's user may lack a right"])
        if (pause_s := _retry_after(answer, self.now())) is not None:
            return Busy(where, pause_s)
        return _Passing(where) if status in _PASSING else TransientError(where)

    def _key(self) -> dict[str, str]:
        """Read each time, so that a key may be exchanged while we run."""
        wanted = self._settings
        try:
            key = wanted.token_file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            key = ""
        if not key or not key.isprintable() or " " in key:
            raise ConfigurationError([f"{wanted.token_file} cannot be read, or holds no key on one line"])
        return {wanted.key_header: wanted.key_prefix + key}

    def _note_clock(self, answer: httpx.Response) -> None:
        told = _http_date(answer.headers.get("date"))
        if told is not None:
            ahead = told - self._clock()
            self.skew = ahead if abs(ahead) > _TRUSTED_SKEW else 0


def _checked(settings: RestSettings) -> str:
    """The address without a slash at its end. TLS, unless the system is on this machine."""
    url = urlsplit(settings.url)
    if url.scheme not in ("http", "https") or not url.hostname or url.username or url.query or url.fragment:
        raise ConfigurationError([f"collect.url {_shown(settings.url)} is not like https://host/path"])
    if url.scheme == "http" and not settings.plain_http and not is_here(url.hostname):
        raise ConfigurationError(
            [f"collect.url: the key of {url.hostname} would travel in clear; write https, or set plain_http"]
        )
    return settings.url.rstrip("/")


def _shown(url: str) -> str:
    """Without what may be a password."""
    return url.rpartition("@")[2][:200]


def _why(error: BaseException) -> str:
    return "not in time" if isinstance(error, TimeoutError | httpx.TimeoutException) else type(error).__name__


def _retry_after(answer: httpx.Response, now: int) -> float | None:
    """Seconds, from a number or from a date; at most an hour is believed."""
    told = answer.headers.get("retry-after", "").strip()
    if told.isascii() and told.isdigit():
        return float(min(int(told[:6]), 3600))
    at = _http_date(told)
    return None if at is None else min(max((at - now) / 1e6, 0.0), 3600.0)


def _http_date(text: str | None) -> int | None:
    try:
        at = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    zoned: datetime = at if at.tzinfo else at.replace(tzinfo=UTC)
    return int(zoned.timestamp()) * 1_000_000
