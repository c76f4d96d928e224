"""Wires `milepost contract history` and `contract show --expanded`: the versions of a contract, what each changed, who
asked for it and who approved it, and every registration that said so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

from msgspec import Struct

from contracts_schema.errors import Refused
from contracts_schema.facts import ContractRegistered
from contracts_schema.plan import Plan, decode_plan
from contracts_schema.plan_changes import Change, changes
from contracts_schema.plan_document import document_of
from services.reconciliation.calendar import midnight, show_moment
from services.reconciliation.crosswalk import index_of
from services.reconciliation.log import LogEntry, read_entry
from services.reconciliation.state import State
from services.settings import Settings
from services.wiring import doors
from services.wiring.looking import known


class Registered(Struct, frozen=True):
    """One registration of a version: under one version the state of its amendment may change (rule B3)."""

    at: str
    revision: int
    fact: str
    amendment_state: str | None


class VersionView(Struct, frozen=True):
    """One version: whether and since when it counts, why it exists, and what it changes in the one before.

    `state` is `in force`, `was in force`, `waits for approval`, `rejected`, `waits for its day`, `superseded` (a later
    version came into force first) or `without an amendment`.
    """

    version: int
    state: str
    in_force_since: str | None
    effective_from: str | None
    amendment: str | None
    rationale: str | None
    requested_by: str | None
    approved_by: str | None
    compared_with: int | None
    changes: tuple[Change, ...]
    registrations: tuple[Registered, ...]

    def sentences(self) -> list[str]:
        """The version as a person reads it."""
        lines = [f"version {self.version}: {self.state}{_since(self)}"]
        if self.amendment:
            approved = f", approved by {self.approved_by}" if self.approved_by else ""
            lines.append(f"  amendment {self.amendment}: asked for by {self.requested_by}{approved}")
            lines.append(f"  because: {self.rationale}")
        lines += [f"  - {change.sentence}" for change in self.changes]
        if self.compared_with is not None and not self.changes:
            lines.append(f"  changes nothing in version {self.compared_with}")
        for r in self.registrations:
            stood = f", amendment {r.amendment_state}" if r.amendment_state else ""
            lines.append(f"  registered {r.at} (revision {r.revision}){stood}: {r.fact}")
        return lines


def _since(view: VersionView) -> str:
    if view.in_force_since:
        return f" since {view.in_force_since}"
    return f", effective from {view.effective_from}" if view.effective_from else ""


async def history(settings: Settings, contract: str) -> list[VersionView]:
    """Every version, the newest first. Raises Refused where the contract is not registered."""
    async with doors.open_store(settings) as store:
        state = await known(store, contract)
        entries = [read_entry(row) for row in await store.log(contract)]
    return versions(state, entries)


def versions(state: State, entries: Iterable[LogEntry]) -> list[VersionView]:
    """Every version that a contract's state knows, with what its log says of them."""
    said: dict[int, list[Registered]] = {}
    forces: dict[int, int] = {}
    moments: dict[int, list[tuple[int, Plan]]] = {}
    for entry in entries:
        for version, told, plan in _registrations(entry):
            said.setdefault(version, []).append(told)
            moments.setdefault(version, []).append((entry.moment, plan))
    forces = {version: begun for version, told in moments.items() if (begun := _could_begin(version, told)) is not None}
    plans = {number: index_of(v.plan).plan for number, v in state.plans.items()}
    return [_view(state, plans, number, said.get(number, []), forces) for number in sorted(plans, reverse=True)]


def _registrations(entry: LogEntry) -> Iterator[tuple[int, Registered, Plan]]:
    for fact in entry.facts:
        if isinstance(fact.body, ContractRegistered):
            plan = decode_plan(fact.body.plan)
            amended = plan.amendment.state if plan.amendment else None
            at = show_moment(entry.moment)
            yield plan.version, Registered(at, entry.revision, f"{fact.source}/{fact.id}", amended), plan


def _could_begin(version: int, told: list[tuple[int, Plan]]) -> int | None:
    """The moment at which a version could first count: approved, and its day has come (rule B3)."""
    for moment, plan in told:
        a = plan.amendment
        if version == 1:
            return moment
        if a is not None and a.state == "approved":
            begins = midnight(a.effective_from, plan.timezone) if a.effective_from else 0
            return max(moment, begins)
    return None


def _view(
    state: State, plans: dict[int, Plan], number: int, said: list[Registered], begun: dict[int, int]
) -> VersionView:
    plan, a = plans[number], plans[number].amendment
    before = max((v for v in plans if v < number), default=None)
    counts, moment = _state_of(state, plan, begun)
    return VersionView(
        version=number, state=counts, in_force_since=show_moment(moment) if moment is not None else None,
        effective_from=_day(a.effective_from if a else None), amendment=a.id if a else None,
        rationale=a.rationale if a else None, requested_by=a.requested_by if a else None,
        approved_by=a.approved_by if a else None, compared_with=before,
        changes=tuple(changes(plans[before], plan)) if before is not None else (), registrations=tuple(said),
    )  # fmt: skip


def _state_of(state: State, plan: Plan, begun: dict[int, int]) -> tuple[str, int | None]:
    """How a version stands, and since when it has counted if it ever did."""
    number, a = plan.version, plan.amendment
    moment = begun.get(number)
    earlier = [other for version, other in begun.items() if version > number]
    counted = moment is not None and moment <= state.moment and all(moment < other for other in earlier)
    if state.in_force == number:
        return "in force", moment
    if number > 1 and a is None:
        return "without an amendment", None
    if counted:
        return "was in force", moment
    if a is not None and a.state != "approved":
        return "rejected" if a.state == "rejected" else "waits for approval", None
    return ("waits for its day", None) if number > state.in_force else ("superseded", None)


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None


async def registered_document(settings: Settings, contract: str, version: int | None) -> dict[str, Any]:
    """The whole document of a version, or of the one in force. Raises Refused where there is none."""
    async with doors.open_store(settings) as store:
        state = await known(store, contract)
    number = version if version is not None else state.in_force or max(state.plans)
    if number not in state.plans:
        has = ", ".join(map(str, sorted(state.plans)))
        raise Refused(f"contract {contract!r} has no version {number}; it has {has}")
    return document_of(index_of(state.plans[number].plan).plan)
