"""The web pages: rendered here, readable without JavaScript, escaped by construction."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import escape
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from contracts_schema.persons import with_names
from contracts_schema.reasons import clearing
from services.console import acts, tables
from services.console.api import PART, PART_MOST, REVISION_MOST, onward, told
from services.console.desk import Desk, Part, Watch
from services.console.logins import Door, Login
from services.console.problems import problem_of
from services.console.requests import after, fitting, form, named, number, same_origin

TEMPLATES = Path(__file__).parent / "templates"
PLACES = (
    ("/", "Held"), ("/contracts", "Contracts"), ("/conflicts", "Conflicts"), ("/sync", "Sync"),
    ("/quarantine", "Quarantine"), ("/parked", "Parked"), ("/drift", "Drift"),
)  # fmt: skip
GATES_ONLY = "As far as the gates know. `milepost drift` reads the logs of all contracts too."

_jinja = Environment(
    loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_jinja.globals |= {"places": PLACES, "to": tables.to, "money": tables.money, "clearing": clearing}
_style = (TEMPLATES / "style.css").read_text(encoding="utf-8")

Shown = Callable[[Request, Login], Awaitable[Response]]


def routes(desk: Desk, door: Door, watch: Watch) -> list[Route]:
    """Every page."""
    site = Pages(desk, door, watch)
    looks: dict[str, Shown] = {
        "/": site.held,
        "/contracts": site.contracts,
        "/contracts/{contract}": site.contract,
        "/contracts/{contract}/history": site.history,
        "/conflicts": site.conflicts,
        "/sync": site.sync,
        "/quarantine": site.quarantine,
        "/quarantine/{record}": site.record,
        "/parked": site.parked,
        "/drift": site.drift,
    }
    return [
        *(Route(path, site.guarded(page), methods=["GET"]) for path, page in looks.items()),
        *(
            Route(f"/contracts/{{contract}}/hold/{what}", site.guarded(site.acting(act), acts=True), methods=["POST"])
            for what, act in acts.FORMS.items()
        ),
        Route("/style.css", told(_stylesheet, watch), methods=["GET"]),
    ]


async def _stylesheet(_: Request) -> Response:
    return Response(_style, media_type="text/css")


class Pages:
    """What is shown on each page."""

    def __init__(self, desk: Desk, door: Door, watch: Watch) -> None:
        self._desk, self._door, self._watch = desk, door, watch

    def guarded(self, page: Shown, *, acts: bool = False) -> Callable[[Request], Awaitable[Response]]:
        """The page for those who may see it; what goes wrong is a page too."""

        async def answered(request: Request) -> Response:
            try:
                login = await self._door.by_password(request, "act" if acts else "look")
                if acts:
                    same_origin(request)
                return await page(request, login)
            except Exception as error:  # noqa: BLE001 -- every error has an answer; a defect is told to the log
                problem, headers = problem_of(error, self._watch)
                text = _jinja.get_template("problem.html").render(here="", problem=problem)
                return Response(text, problem.status, headers, "text/html")

        return answered

    async def held(self, request: Request, _: Login) -> Response:
        """What is held and why."""
        part = await self._desk.holds(after(request), _limit(request))
        return await self._list(request, "/", "What is held and why", [tables.held(part.items)], part)

    async def contracts(self, request: Request, _: Login) -> Response:
        """All contracts."""
        part = await self._desk.contracts(after(request), _limit(request))
        return await self._list(request, "/contracts", "Contracts", [tables.contracts(part.items)], part)

    async def conflicts(self, request: Request, _: Login) -> Response:
        """Open conflicts."""
        part = await self._desk.conflicts(after(request), _limit(request))
        return await self._list(
            request, "/conflicts", "Systems that differ", [tables.conflicts(part.items, self._desk.words)], part
        )

    async def sync(self, request: Request, _: Login) -> Response:
        """How far everything is."""
        status = await self._desk.status()
        notes = [f"As of {status.now}.", *(f"Could not be asked: {fault}" for fault in status.faults)]
        return await self._list(request, "/sync", "State of the sync", tables.sync(status), notes=notes)

    async def quarantine(self, request: Request, _: Login) -> Response:
        """What could not be used."""
        lines = await self._desk.quarantine(_limit(request))
        return await self._list(request, "/quarantine", "Quarantine", [tables.quarantine(lines)])

    async def parked(self, request: Request, _: Login) -> Response:
        """What waits."""
        found = await self._desk.parked(_limit(request))
        return await self._list(request, "/parked", "Parked facts", [tables.parked(found)])

    async def drift(self, request: Request, _: Login) -> Response:
        """Where finance differs, as far as the gates know."""
        found = await self._desk.drift(None)
        return await self._list(
            request, "/drift", "Drift", [tables.drift(found.findings)], notes=[GATES_ONLY, *found.faults]
        )

    async def history(self, request: Request, _: Login) -> Response:
        """The revisions of one contract."""
        contract, begins = named(request, "contract"), number(request, "after", 0, 0, REVISION_MOST)
        part = await self._desk.log(contract, begins, _limit(request))
        back = tables.To(f"Back to {contract}", tables.to("contracts", contract))
        table = tables.history(contract, part.items)
        return await self._list(request, "/contracts", f"History of {contract}", [table], part, back=back)

    async def record(self, request: Request, _: Login) -> Response:
        """One record in quarantine, without its value."""
        record = await self._desk.quarantined(named(request, "record"))
        return await self._page("record.html", here="/quarantine", record=record)

    async def contract(self, request: Request, login: Login) -> Response:
        """One contract with its milestones, and the forms for holds for those who may."""
        contract = named(request, "contract")
        view = await self._desk.contract(contract)
        in_force = any(version.in_force for version in view.versions)
        found = await self._desk.explanation(contract, None) if in_force else []
        event = secrets.token_hex(16)  # the form sent twice is one event
        may_act = "act" in login.may
        return await self._page(
            "contract.html",
            here="/contracts",
            contract=view,
            explained=found,
            words=self._desk.words,
            may_act=may_act,
            event=event,
        )

    def acting(self, act: type[acts.Said]) -> Shown:
        """Take a form, and show the verdict."""

        async def done(request: Request, login: Login) -> Response:
            contract = named(request, "contract")
            said = fitting(await form(request) | {"contract": contract}, act)
            verdict = await self._desk.act(said.act(login.name))
            status = acts.status_of(verdict.outcome, verdict.good)
            return await self._page("verdict.html", status, here="/contracts", verdict=verdict, contract=contract)

        return done

    async def _list(
        self,
        request: Request,
        here: str,
        title: str,
        shown: list[tables.Table],
        part: Part | None = None,
        notes: list[str] | None = None,
        back: tables.To | None = None,
    ) -> Response:
        following = onward(request, part.next) if part and part.next else None
        return await self._page(
            "list.html", here=here, title=title, tables=shown, following=following, notes=notes or [], back=back
        )

    async def _page(self, name: str, status: int = 200, **values: Any) -> Response:
        text = _jinja.get_template(name).render(**values)
        names = await self._desk.names(text)
        known = {pseudonym: str(escape(name)) for pseudonym, name in names.items()}
        return Response(with_names(text, known), status, media_type="text/html")


def _limit(request: Request) -> int:
    return number(request, "limit", PART, 1, PART_MOST)
