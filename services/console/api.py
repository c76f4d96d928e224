"""The HTTP API under /api/v1: JSON, the very structures that the commands print with `--json`.

Lists are given in parts; the Link header says where the next one is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from msgspec.json import encode
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.console import acts
from services.console.desk import Desk, Part, Watch
from services.console.logins import Door
from services.console.problems import answer, problem_of
from services.console.requests import after, body_as, named, number

PREFIX = "/api/v1"
PART, PART_MOST = 100, 500
REVISION_MOST = 2**53

Endpoint = Callable[[Request], Awaitable[Response]]
Asked = Callable[[Desk, Request], Awaitable[Any]]


class Question(NamedTuple):
    """What may be looked at: where, what it is, and what it takes in the query."""

    path: str
    name: str
    summary: str
    ask: Asked
    query: tuple[str, ...] = ()


def _limit(request: Request) -> int:
    return number(request, "limit", PART, 1, PART_MOST)


async def _contracts(desk: Desk, request: Request) -> Part:
    return await desk.contracts(after(request), _limit(request))


async def _contract(desk: Desk, request: Request) -> Any:
    return await desk.contract(named(request, "contract"))


async def _explanation(desk: Desk, request: Request) -> Any:
    milestone = named(request, "milestone") if "milestone" in request.path_params else None
    return await desk.explanation(named(request, "contract"), milestone)


async def _log(desk: Desk, request: Request) -> Part:
    begins = number(request, "after", 0, 0, REVISION_MOST)
    return await desk.log(named(request, "contract"), begins, _limit(request))


async def _holds(desk: Desk, request: Request) -> Part:
    return await desk.holds(after(request), _limit(request))


async def _conflicts(desk: Desk, request: Request) -> Part:
    return await desk.conflicts(after(request), _limit(request))


async def _drift(desk: Desk, request: Request) -> Any:
    return await desk.drift(after(request, "contract") or None)


QUESTIONS: tuple[Question, ...] = (
    Question("/status", "status", "How far everything has been read, and what waits.", lambda d, _: d.status()),
    Question("/contracts", "contracts", "Contracts, by id.", _contracts, ("after", "limit")),
    Question("/contracts/{contract}", "contract", "One contract: versions, milestones, positions.", _contract),
    Question(
        "/contracts/{contract}/explanation", "explanation", "Why each milestone stands where it stands.", _explanation
    ),
    Question(
        "/contracts/{contract}/milestones/{milestone}/explanation", "milestone_explanation",
        "Why this milestone stands where it stands.", _explanation,
    ),
    Question(
        "/contracts/{contract}/log", "log",
        "Revisions with the chain: `head` is the SHA-256 over the bytes of `previous` and `raw`.", _log,
        ("after", "limit"),
    ),
    Question(
        "/holds", "holds", "What is held and why, in `limit` contracts behind `after`; the worst first.", _holds,
        ("after", "limit"),
    ),
    Question(
        "/conflicts", "conflicts", "Open conflicts of `limit` contracts behind `after`.", _conflicts,
        ("after", "limit"),
    ),
    Question(
        "/parked", "parked", "Facts that wait under keys of contracts.", lambda d, r: d.parked(_limit(r)), ("limit",)
    ),
    Question(
        "/drift", "drift",
        "Where finance differs from what was commanded: of one `contract` all that its log and the gates tell; of all "
        "contracts what the gates know.", _drift, ("contract",),
    ),
    Question(
        "/quarantine", "quarantine", "Open records, newest first.", lambda d, r: d.quarantine(_limit(r)), ("limit",)
    ),
    Question(
        "/quarantine/{record:path}", "quarantined", "One record, without its value.",
        lambda d, r: d.quarantined(named(r, "record")),
    ),
)  # fmt: skip


def routes(desk: Desk, door: Door, watch: Watch, document: Mapping[str, Any]) -> list[Route]:
    """Everything under /api/v1."""

    async def openapi(request: Request) -> Response:
        await door.by_token(request, "look")
        return _json(document)

    found = [Route(f"{PREFIX}/openapi.json", told(openapi, watch), methods=["GET"])]
    found += [
        Route(PREFIX + q.path, told(_looking(q.ask, desk, door), watch), methods=["GET"], name=q.name)
        for q in QUESTIONS
    ]
    return found + [
        Route(PREFIX + acts.path_of(act), told(_acting(act, desk, door), watch), methods=["POST"]) for act in acts.ACTS
    ]


def told(endpoint: Endpoint, watch: Watch) -> Endpoint:
    """The endpoint, with what goes wrong told as a problem."""

    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Exception as error:  # noqa: BLE001 -- every error has an answer; a defect is told to the log
            return answer(*problem_of(error, watch))

    return answered


def _looking(ask: Asked, desk: Desk, door: Door) -> Endpoint:
    async def look(request: Request) -> Response:
        await door.by_token(request, "look")
        found = await ask(desk, request)
        if isinstance(found, Part):
            return _json(found.items, headers=_link(request, found.next))
        return _json(found)

    return look


def _acting(act: type[acts.Said], desk: Desk, door: Door) -> Endpoint:
    async def do(request: Request) -> Response:
        login = await door.by_token(request, "act")
        said = await body_as(request, act)
        verdict = await desk.act(said.act(login.name))
        return _json(verdict, acts.status_of(verdict.outcome, verdict.good))

    return do


def _link(request: Request, following: str | None) -> dict[str, str]:
    """The header that leads to the next part (RFC 8288), where there is one."""
    return {"Link": f'<{request.scope["path"]}{onward(request, following)}>; rel="next"'} if following else {}


def onward(request: Request, following: str) -> str:
    """The query that asks for the next part."""
    limit = request.query_params.get("limit")
    more = f"&limit={quote(limit, safe='')}" if limit else ""
    return f"?after={quote(following, safe='')}{more}"


def _json(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(encode(content), status, headers, "application/json")
