"""Asks a Redmine 5 or later over its REST API for versions and issues.

Versions have no history and no list over all projects: every time, those of each project are read whole. Issues are
read in the order of their numbers, so that nothing is left out while others are made, moved or deleted. Redmine keeps
no trace of what was deleted, and on some databases gives its number to the next one: `created_on` tells them apart.

A key that Redmine does not know is no error there: the asker is then nobody, to whom much is invisible. So before
anything is read the key must prove to be somebody's.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import msgspec
from msgspec.json import decode, encode

from connectors.rest import Params, Rest, TooLarge
from contracts_schema.collected import Kind, Page, Seen
from contracts_schema.errors import ConfigurationError, TransientError

PAGE = 100  # Redmine gives no more at once
VERSION, ISSUE = Kind("version", whole=True), Kind("issue")


class RedminePoller:
    """Asks one Redmine (port `Poller`) about these projects, by identifier; about all that it may see where none is."""

    kinds: Sequence[Kind] = (VERSION, ISSUE)

    def __init__(self, rest: Rest, projects: Sequence[str] = (), page: int = PAGE) -> None:
        self._rest = rest
        self._projects = tuple(projects)
        self._page = page

    @property
    def skew(self) -> int:
        """How far the system's clock is ahead of ours (µs)."""
        return self._rest.skew

    async def page(self, kind: str, after: int, since: int | None) -> Page:
        """Versions of all projects at once, or issues numbered above `after`."""
        if not after:
            await self._prove_identity()
        projects, faults = await self._numbers_of_projects()
        if kind == VERSION.name:
            return await self._versions(projects, after, faults)
        return await self._issues(projects, after, since, faults)

    async def is_gone(self, kind: str, number: int) -> bool:
        """Whether Redmine answers 404; what may not be seen any more is 403, and known to be neither."""
        return await self._rest.get(f"/{kind}s/{number}.json") is None

    def deletion(self, kind: str, number: int, created: str, observed_at: int) -> Seen:
        """An object that was seen to be gone."""
        value = encode({kind: {"id": number, "deleted": True, "created_on": created or None}})
        return Seen(kind, number, value, observed_at, sha256(value).digest()[:16], created, deleted=True)

    async def _prove_identity(self) -> None:
        if await self._rest.get("/users/current.json") is None:
            raise ConfigurationError(["collect.url: there is no Redmine with its REST API enabled"])

    async def _numbers_of_projects(self) -> tuple[list[int], list[str]]:
        """The projects to read, and a sentence for each that cannot be. Asked each time: rights come and go."""
        if not self._projects:
            return await self._visible_projects(), []
        numbers: list[int] = []
        faults: list[str] = []
        for identifier in self._projects:
            try:
                raw = await self._rest.get(f"/projects/{identifier}.json")
            except ConfigurationError as error:
                faults += error.faults
                continue
            if raw is None:
                faults.append(f"collect.projects: there is no project {identifier!r}")
            else:
                numbers.append(_number(_of(raw, "project", dict[str, Any])))
        return numbers, faults

    async def _visible_projects(self) -> list[int]:
        numbers: dict[int, None] = {}
        for offset in itertools.count(0, self._page):
            where = [("limit", str(self._page)), ("offset", str(offset))]
            found = _of(await self._rest.get("/projects.json", where), "projects", list[dict[str, Any]])
            known = len(numbers)
            numbers.update(dict.fromkeys(_number(project) for project in found))
            if len(found) < self._page:
                break
            if len(numbers) == known:
                raise TransientError("Redmine gives the same projects again and again")
        return list(numbers)

    async def _versions(self, projects: Iterable[int], after: int, faults: list[str]) -> Page:
        seen: dict[int, Seen] = {}  # a version may be shared with several projects
        for project in projects:
            observed_at = self._rest.now()
            try:
                raw = await self._rest.get(f"/projects/{project}/versions.json")
            except ConfigurationError as error:  # archived meanwhile, or closed to us: the others go on
                faults = [*faults, *error.faults]
                continue
            found = [] if raw is None else _of(raw, "versions", list[msgspec.Raw])
            for one in (_seen(VERSION.name, each, observed_at) for each in found):
                seen.setdefault(one.number, one)
        return Page([seen[number] for number in sorted(seen) if number > after], None, faults)

    async def _issues(self, projects: Sequence[int], after: int, since: int | None, faults: list[str]) -> Page:
        if not projects:
            return Page([], None, faults)
        limit = self._page
        while True:
            observed_at = self._rest.now()
            asked = _filters(after, since, limit, projects if self._projects else ())
            try:
                raw = await self._rest.get("/issues.json", asked)
            except TooLarge:
                if limit == 1:
                    raise TransientError(f"the issue after {after} is larger than an answer may be") from None
                limit //= 2
                continue
            found = [_seen(ISSUE.name, each, observed_at) for each in _of(raw, "issues", list[msgspec.Raw])]
            return Page(found, found[-1].number if len(found) == limit else None, faults)


def _filters(after: int, since: int | None, limit: int, projects: Iterable[int]) -> Params:
    """Issues in whatever status. Redmine's own way to filter by several values of one field."""
    wanted = [("status_id", "*", []), ("issue_id", ">=", [str(after + 1)])]
    if since is not None:
        wanted.append(
            ("updated_on", ">=", [datetime.fromtimestamp(since // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")])
        )
    if numbers := [str(number) for number in projects]:
        wanted.append(("project_id", "=", numbers))
    params = [("set_filter", "1"), ("sort", "id"), ("limit", str(limit))]
    for field, operator, values in wanted:
        params += [("f[]", field), (f"op[{field}]", operator), *((f"v[{field}][]", value) for value in values)]
    return params


def _of(body: bytes | None, name: str, shape: Any) -> Any:
    """What stands under `name` in an answer."""
    if body is None:
        raise ConfigurationError([f"collect.url: Redmine has no list of {name} there"])
    try:
        return decode(decode(body, type=dict[str, msgspec.Raw])[name], type=shape)
    except (msgspec.DecodeError, KeyError):
        raise TransientError(f"Redmine's answer has no {name}") from None


def _number(thing: dict[str, Any]) -> int:
    number = thing.get("id")
    if type(number) is not int:
        raise TransientError("Redmine's answer has an object without a number")
    return number


def _seen(kind: str, raw: msgspec.Raw, observed_at: int) -> Seen:
    thing = decode(raw, type=dict[str, Any])
    canonical = encode(thing, order="deterministic")
    value = encode({kind: raw})
    return Seen(
        kind, _number(thing), value, observed_at, sha256(canonical).digest()[:16], str(thing.get("created_on") or "")
    )
