"""What is wrong with a request, as RFC 9457 has it: the field, the value and the remedy."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from msgspec import Struct
from msgspec.json import encode
from starlette.exceptions import HTTPException
from starlette.responses import Response

from contracts_schema.errors import ConfigurationError, MessageError, MilepostError, TransientError
from services.console.desk import Watch

MEDIA_TYPE = "application/problem+json"
VALUE_SHOWN = 100
RETRY_AFTER = {"Retry-After": "5"}


class Problem(Struct, frozen=True, omit_defaults=True):
    """Why a request was not answered. `field` and `value` name what is wrong with it, `remedy` what would do."""

    title: str
    status: int
    detail: str
    type: str = "about:blank"
    field: str | None = None
    value: str | None = None
    remedy: str | None = None


class Wrong(Exception):
    """A request that is not answered."""

    def __init__(self, status: int, detail: str, remedy: str, field: str | None = None, value: object = None) -> None:
        super().__init__(detail)
        shown = None if value is None else str(value)[:VALUE_SHOWN]
        self.headers: Mapping[str, str] = {}
        self.problem = Problem(HTTPStatus(status).phrase, status, detail, field=field, value=shown, remedy=remedy)


class LoginNeeded(Wrong):
    """Nobody known asks; `challenge` says how to log in."""

    def __init__(self, detail: str, challenge: str) -> None:
        super().__init__(401, detail, "log in with a name and token that stand under console.logins")
        self.headers = {"WWW-Authenticate": challenge}


def answer(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """The problem for a program."""
    return Response(encode(problem), problem.status, headers, MEDIA_TYPE)


def problem_of(error: Exception, watch: Watch) -> tuple[Problem, Mapping[str, str]]:
    """What to answer to an error, and with which headers. A defect is told to `watch`, and to nobody else."""
    if isinstance(error, Wrong):
        return error.problem, error.headers
    if isinstance(error, HTTPException):
        detail = "there is no such page" if error.status_code == 404 else "this cannot be done here"
        return _problem(error.status_code, detail, "see /api/v1/openapi.json"), error.headers or {}
    if isinstance(error, MilepostError):
        return _of_the_house(error, watch)
    watch.defect("a question failed", error)
    return _problem(500, "Milepost failed at this; its log says where", "tell whoever runs it"), {}


def _of_the_house(error: MilepostError, watch: Watch) -> tuple[Problem, Mapping[str, str]]:
    if isinstance(error, MessageError):
        return _problem(404, error.sentence, "look for it in /api/v1/contracts or /api/v1/quarantine"), {}
    if isinstance(error, ConfigurationError):
        watch.event("error", "set-up is not fit", sentence=str(error))
        return _problem(500, "the set-up of this console is not fit", "run `milepost config check`"), {}
    if isinstance(error, TransientError):
        watch.count("milepost_transient_errors_total", loop="console")
    return _problem(503, "the store or the broker does not answer now", "ask again in some seconds"), RETRY_AFTER


def _problem(status: int, detail: str, remedy: str) -> Problem:
    return Problem(HTTPStatus(status).phrase, status, detail, remedy=remedy)
