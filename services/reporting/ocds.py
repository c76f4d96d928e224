"""OCDS 1.1 releases and records of a contract: one release for each revision that changed something published.

Revisions make ids and dates, so that the same log always gives the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from msgspec import Struct
from msgspec.json import Encoder

from contracts_schema.plan import Amendment, Plan
from services.reconciliation.calendar import datetime_of, midnight
from services.reconciliation.crosswalk import Index, index_of, successors
from services.reconciliation.log import LogEntry
from services.reconciliation.policy import Rules
from services.reconciliation.react import refold
from services.reconciliation.standing import Standing, place
from services.reconciliation.state import State
from services.reconciliation.versions import put_in_force, version_in_force
from services.reporting.ocds_merge import change, compiled
from services.reporting.ocds_picture import Json, Past, Seen, left, milestone_of, payments_of, picture

VERSION: Final = "1.1"
PREFIX = re.compile(r"ocds-[a-z0-9]{6}")
# Kinds of facts of which anything is published, with those that end them.
PUBLISHED = frozenset({"milestone.assessed", "payment.made", "evidence.attached", "evidence.removed"})
RulesOf = Callable[[str], Rules]


class Publisher(Struct, frozen=True):
    """Who publishes, and under which prefix of ocids; `uri` names the package."""

    prefix: str
    name: str
    uri: str
    scheme: str | None = None
    uid: str | None = None
    homepage: str | None = None
    license: str | None = None
    policy: str | None = None

    def ocid(self, contract: str) -> str:
        """The id of a contracting process."""
        return f"{self.prefix}-{contract}"


class Stage(NamedTuple):
    """A contract after one revision."""

    entry: LogEntry
    seen: Seen


def stages(entries: Iterable[LogEntry], rules_of: RulesOf) -> Iterator[Stage]:
    """The contract after each revision that may have changed something published, under the rules of that revision."""
    state = State("")
    for entry in entries:
        state.contract = entry.contract
        refold(state, entry)
        version, before = version_in_force(state, entry.moment), state.in_force
        if version != before:
            put_in_force(state, version)
        if version and (entry.facts or version != before or entry.cause != "facts"):
            index = index_of(state.plans[version].plan)
            yield Stage(entry, Seen(index.plan, _placed(state, index), rules_of(entry.rulebook)))


def _placed(state: State, index: Index) -> dict[str, Standing]:
    """What stands under each milestone, of the published kinds alone."""
    slots = {name: slot for name, slot in state.slots.items() if slot.kind in PUBLISHED}
    placed: dict[str, Standing] = {name: {} for name in index.milestones}
    place(State(state.contract, slots=slots, documents=state.documents), index, placed)
    return placed


def releases(entries: Iterable[LogEntry], rules_of: RulesOf, publisher: Publisher) -> list[Json]:
    """All releases of a contract, the oldest first; none while no version of its plan was in force."""
    book = _Book(publisher)
    for stage in stages(entries, rules_of):
        book.take(stage)
    return book.releases


class _Book:
    """Releases so far, and what they picture together."""

    def __init__(self, publisher: Publisher) -> None:
        self.releases: list[Json] = []
        self._publisher = publisher
        self._before: Json = {}
        self._last: Seen | None = None
        self._past = Past({}, {}, {}, [])
        self._moment = 0

    def take(self, stage: Stage) -> None:
        """Say what a revision changed."""
        plan, before = stage.seen.plan, self._last
        amended = before is not None and before.plan.version != plan.version
        identity = f"{self._publisher.ocid(plan.contract)}-r{stage.entry.revision}"
        moment = max(stage.entry.moment, self._moment + 1)
        if before is not None and amended:
            self._amend(before, plan, identity, moment)
        now = picture(stage.seen, self._past)
        self._last = stage.seen
        self._keep_parties(now)
        now = _dated(now, self._before, _shown(moment))
        said = change(self._before, now)
        if said:
            self._moment = moment
            self._release(said, identity, _tags(self._before, said, amended=amended), plan)
            self._before = now

    def _keep_parties(self, now: Json) -> None:
        """Who paid whom is so for good, also where an amendment names another supplier later."""
        for contract in now["contracts"]:
            for one in contract["implementation"].get("transactions", ()):
                self._past.parties.setdefault(one["id"], {"payer": one["payer"], "payee": one["payee"]})

    def _amend(self, before: Seen, plan: Plan, identity: str, moment: int) -> None:
        """Keep what leaves the plan, and note the amendment."""
        past, names = self._past, {m.id for m in plan.milestones}
        for milestone in before.plan.milestones:
            if milestone.id not in names:
                past.milestones[milestone.id] = left(milestone_of(milestone, before), successors(plan, milestone.id))
        for one in payments_of(before):
            if one["relatedImplementationMilestone"]["id"] not in names:
                past.payments[one["id"]] = one
        for name in names & past.milestones.keys():
            del past.milestones[name]
        for name, one in list(past.payments.items()):
            if one["relatedImplementationMilestone"]["id"] in names:
                del past.payments[name]
        if plan.amendment is not None:
            past.amendments.append(self._amendment(plan, plan.amendment, identity, moment))

    def _amendment(self, plan: Plan, amendment: Amendment, identity: str, moment: int) -> Json:
        since, taken = amendment.effective_from, {one["id"] for one in self._past.amendments}
        return {
            "id": amendment.id if amendment.id not in taken else f"{amendment.id}/{plan.version}",
            "date": _shown(moment if since is None else midnight(since, plan.timezone)),
            "rationale": amendment.rationale, "description": f"Version {plan.version} of the milestone plan",
            "amendsReleaseID": self.releases[-1]["id"], "releaseID": identity,
        }  # fmt: skip

    def _release(self, said: Json, identity: str, tags: list[str], plan: Plan) -> None:
        ocid = self._publisher.ocid(plan.contract)
        head = {"ocid": ocid, "id": identity, "date": _shown(self._moment), "tag": tags, "initiationType": "tender"}
        self.releases.append(head | said)


def _dated(now: Json, before: Json, date: str) -> Json:
    """The picture with the moment at which each milestone last changed."""
    known = {m["id"]: m for c in before.get("contracts", ()) for m in c["implementation"]["milestones"]}
    contracts = []
    for contract in now["contracts"]:
        done = contract["implementation"]
        milestones = [_with_moment(m, known.get(m["id"], {}), date) for m in done["milestones"]]
        contracts.append(contract | {"implementation": done | {"milestones": milestones}})
    return now | {"contracts": contracts}


def _with_moment(milestone: Json, known: Json, date: str) -> Json:
    said = {name: value for name, value in known.items() if name != "dateModified"}
    return milestone | {"dateModified": known["dateModified"] if said == milestone else date}


def _tags(before: Json, said: Json, *, amended: bool) -> list[str]:
    """What kind of release it is, in the words of the closed codelist releaseTag."""
    if not before:
        return ["contract", "implementation"]
    tags = ["contractAmendment"] if amended else []
    parts = said.get("contracts", ())
    if any(part.get("status") == "terminated" for part in parts):
        tags.append("contractTermination")
    if any("implementation" in part for part in parts) and not amended:
        tags.append("implementationUpdate")
    return tags or ["contractUpdate"]


def _shown(moment: int) -> str:
    """A moment (µs), always with microseconds: dates of releases are compared as text."""
    return datetime_of(moment).isoformat(timespec="microseconds").replace("+00:00", "Z")


def record(made: Sequence[Json]) -> Json:
    """The record of a contract: its releases, and what they come to."""
    return {"ocid": made[-1]["ocid"], "releases": [*made], "compiledRelease": compiled(made)}


_encoder = Encoder(decimal_format="number")


def encoded(value: object) -> bytes:
    """JSON in UTF-8; amounts are numbers with the currency's decimals."""
    return _encoder.encode(value)


def head_of(publisher: Publisher) -> Json:
    """What stands at the head of a package, as far as it is known before its content."""
    named = {"name": publisher.name, "scheme": publisher.scheme, "uid": publisher.uid, "uri": publisher.homepage}
    head: Json = {"uri": publisher.uri, "version": VERSION}
    head["publisher"] = {name: value for name, value in named.items() if value is not None}
    optional = {"license": publisher.license, "publicationPolicy": publisher.policy}
    return head | {name: value for name, value in optional.items() if value is not None}


def package(publisher: Publisher, kind: str, content: Sequence[Json], published: str) -> Json:
    """A whole package of `records` or `releases`; `published` is the newest date in it."""
    return head_of(publisher) | {kind: [*content], "publishedDate": published}
