"""Who may look, and who may act: programs by bearer token, browsers by name and token (HTTP Basic).

A token stands in a file of its own, which is read for each request, so that it may be exchanged while we run: two lines
are two tokens, while one is exchanged for the other. Tokens are compared by their hashes, in constant time.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from starlette.requests import Request

from contracts_schema.errors import ConfigurationError
from services.console.desk import Watch
from services.console.problems import LoginNeeded, Wrong

Right = Literal["look", "act"]

TOKEN_LEAST = 32  # characters: a shorter one could be found by trying
PAUSE_S = 0.5  # before a failed login is answered
OF_THIS_MACHINE = ("127.0.0.1", "[::1]", "localhost")
BEARER, BASIC = 'Bearer realm="Milepost"', 'Basic realm="Milepost", charset="UTF-8"'


@dataclass(frozen=True)
class Login:
    """A person, or a program that acts for one. `name` is what stands as `by` in what they do."""

    name: str
    token_file: Path | None
    may: frozenset[Right]

    def tokens(self) -> list[bytes]:
        """What fits now. Raises ConfigurationError where there is none to be read."""
        at = f"console.logins.{self.name}.token_file: {self.token_file}"
        try:
            lines = self.token_file.read_bytes().split() if self.token_file else []
        except OSError as error:
            raise ConfigurationError([f"{at} cannot be read: {error.strerror}"]) from None
        if not 0 < len(lines) <= 2 or any(len(line) < TOKEN_LEAST for line in lines):
            raise ConfigurationError([f"{at} holds no token of {TOKEN_LEAST} characters, or two, a line each"])
        return lines


ANYBODY = Login("", None, frozenset({"look"}))  # on this machine, where nobody has a login


class Door:
    """Lets in whoever may. Without logins it is whoever is on this machine, to look."""

    def __init__(
        self, logins: Sequence[Login], watch: Watch, pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._logins = logins
        self._watch = watch
        self._pause = pause

    async def by_token(self, request: Request, right: Right) -> Login:
        """Whose bearer token it is. Raises LoginNeeded, or Wrong where they may not."""
        token = _after(request, "bearer ")
        return await self._let_in(request, right, "api", BEARER, token is not None, self._fitting("", token or ""))

    async def by_password(self, request: Request, right: Right) -> Login:
        """Who logs in with a name and a token. Raises LoginNeeded, or Wrong where they may not."""
        name, token = _name_and_token(_after(request, "basic ") or "")
        fitting = self._fitting(name, token) if name else []
        return await self._let_in(request, right, "pages", BASIC, bool(name or token), fitting)

    async def _let_in(
        self, request: Request, right: Right, door: str, challenge: str, tried: bool, fitting: Sequence[Login]
    ) -> Login:
        if not self._logins:
            _only_from_here(request)
            login = ANYBODY
        elif len(fitting) == 1:
            login = fitting[0]
        else:
            if tried:
                self._watch.count("milepost_console_logins_failed_total", door=door)
                await self._pause(PAUSE_S)
            raise LoginNeeded("this login is not known" if tried else "nobody is logged in", challenge)
        if right not in login.may:
            raise Wrong(403, f"this login may not {right}", f"give it `{right}` under console.logins, or use another")
        return login

    def _fitting(self, name: str, token: str) -> list[Login]:
        """The logins (of this name, where one is given) whose token it is. All are compared, whichever fits."""
        given, found = _digest(token.encode()), []
        for login in self._logins:
            fits = [hmac.compare_digest(_digest(known), given) for known in self._tokens(login)]
            if any(fits) and name in ("", login.name):
                found.append(login)
        return found

    def _tokens(self, login: Login) -> list[bytes]:
        try:
            return login.tokens()
        except ConfigurationError:  # its own sentence names the login
            self._watch.event("error", "a token cannot be read: that login fails; see `milepost config check`")
            return []


def token_faults(logins: Sequence[Login]) -> list[str]:
    """Logins without a token, or with somebody else's."""
    faults, seen = list[str](), dict[bytes, str]()
    for login in logins:
        try:
            tokens = login.tokens()
        except ConfigurationError as error:
            faults += error.faults
            continue
        faults += [
            f"console.logins.{login.name}: its token is that of {seen[token]}, too; make one for each"
            for token in tokens
            if seen.setdefault(token, login.name) != login.name
        ]
    return faults


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()


def _after(request: Request, scheme: str) -> str | None:
    given = request.headers.getlist("authorization")
    return given[0][len(scheme) :].strip() if len(given) == 1 and given[0].lower().startswith(scheme) else None


def _name_and_token(encoded: str) -> tuple[str, str]:
    try:
        name, _, token = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return "", encoded
    return name, token


def _only_from_here(request: Request) -> None:
    """A page of somewhere else may let its own name lead to this machine; it does not get in by that."""
    host = request.headers.get("host", "")
    if host.rpartition(":")[0] not in OF_THIS_MACHINE and host not in OF_THIS_MACHINE:
        raise Wrong(403, "without logins only this machine is let in", "make logins: console.logins", "host", host)
