"""Versions of the plan: which one is in force, and what an amendment carries over (rules B3, B8, E3)."""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple

from msgspec import structs

from contracts_schema import facts as f
from contracts_schema.plan import Plan, decode_plan, encode_plan
from services.reconciliation.calendar import midnight
from services.reconciliation.crosswalk import Index, index_of
from services.reconciliation.state import Carried, MilestoneState, PlanVersion, State, order_of
from services.reconciliation.subject import content_of


class Rejection(NamedTuple):
    """A registration that was understood and is not allowed."""

    sentence: str


def register(state: State, fact: f.Fact) -> Rejection | bool:
    """Store one version. True if something changed; a rejection leaves the state as it was."""
    body = fact.body
    assert isinstance(body, f.ContractRegistered)  # noqa: S101 -- callers sort by kind
    plan = decode_plan(body.plan)
    fault = _against_version_before(state, plan)
    if fault:
        return Rejection(f"registration refused: {fault}")
    order, content = order_of(fact, content_of(fact)), _content(plan)
    known = state.plans.get(plan.version)
    if known is None:
        state.plans[plan.version] = PlanVersion(body.plan, order, content, False, f"{fact.source}/{fact.id}")
        return True
    known.clash = known.clash or known.content != content
    if order > known.order:
        known.plan, known.order, known.content = body.plan, order, content
        known.fact = f"{fact.source}/{fact.id}"
    return True


def _content(plan: Plan) -> bytes:
    """What two registrations of one version must share; an amendment's state may change under it (rule B3)."""
    if plan.amendment is not None:
        plan = structs.replace(plan, amendment=structs.replace(plan.amendment, state="proposed", approved_by=None))
    return blake2b(encode_plan(plan), digest_size=8).digest()


def _against_version_before(state: State, plan: Plan) -> str | None:
    before = max((v for v in state.plans if v < plan.version), default=None)
    if before is None:
        return None
    old = index_of(state.plans[before].plan)
    for m in plan.milestones:
        for name in m.replaces:
            if name not in old.milestones:
                return f"milestones.{m.id}.replaces: {name!r} is no milestone of version {before} (rule B4)"
        known = old.milestones.get(m.id)
        if m.opening is not None and (known is None or known.opening != m.opening):
            return f"milestones.{m.id}.opening: an opening belongs to version 1 and cannot change (rule B8)"
    return None


def version_in_force(state: State, moment: int) -> int:
    """The highest version in force at a moment: the first, or an approved amendment whose day has come; 0 for none."""
    for version in sorted(state.plans, reverse=True):
        begins = _begins(index_of(state.plans[version].plan).plan)
        if begins is not None and begins <= moment:
            return version
    return 0


def _begins(plan: Plan) -> int | None:
    """When a version comes into force (µs); None for one that is not approved (rule B3)."""
    amendment = plan.amendment
    if plan.version == 1:
        return 0
    if amendment is None or amendment.state != "approved":
        return None
    return midnight(amendment.effective_from, plan.timezone) if amendment.effective_from else 0


def next_version_begins(state: State, moment: int) -> int | None:
    """When the next version that is approved already comes into force; None if there is none."""
    if len(state.plans) < 2:
        return None
    begins = (_begins(index_of(v.plan).plan) for number, v in state.plans.items() if number > state.in_force)
    return min((b for b in begins if b is not None and b > moment), default=None)


def put_in_force(state: State, version: int) -> Index:
    """Put a version in force and carry over what was released under other names."""
    index = index_of(state.plans[version].plan)
    for name in index.milestones:
        state.milestones.setdefault(name, MilestoneState())
    if state.in_force == 0:
        _open_balances(state, index)
    _carry_over(state, index)
    state.in_force = version
    _bind_keys_anew(state)
    return index


def _open_balances(state: State, index: Index) -> None:
    for name, milestone in index.milestones.items():
        if milestone.opening is not None and state.milestones[name].released == 0:
            known = state.milestones[name]
            known.released = milestone.opening.released
            known.carried = Carried(milestone.opening.released, {}, milestone.opening.as_of.isoformat())


def _carry_over(state: State, index: Index) -> None:
    """What replaced milestones had released goes to their successors, in plan order, up to their values (rule E3)."""
    successors: dict[str, list[str]] = {}
    for name, milestone in index.milestones.items():
        for replaced in milestone.replaces:
            successors.setdefault(replaced, []).append(name)
    for replaced, names in successors.items():
        old = state.milestones.get(replaced)
        if old is None or old.replaced_by:
            continue
        _distribute(state, index, old, names)
        old.replaced_by = tuple(names)
        old.released = 0


def _distribute(state: State, index: Index, old: MilestoneState, names: list[str]) -> None:
    left = old.released
    settled = _settled_by_last_command(old)
    for n, name in enumerate(names):
        heir = state.milestones[name]
        room = max(0, (index.milestones[name].value or 0) - heir.released)
        part = min(left, room)
        rest = left - part if n == len(names) - 1 else 0
        before = heir.carried or Carried(0)
        heir.carried = Carried(before.amount + part, _merged(before.settled, settled), before.until)
        heir.released += part + rest
        left -= part


def _settled_by_last_command(old: MilestoneState) -> dict[str, int]:
    return dict(old.last.paid) if old.last else {}


def _merged(a: dict[str, int], b: dict[str, int]) -> dict[str, int]:
    return {key: a.get(key, 0) + b.get(key, 0) for key in a.keys() | b.keys()}


def _bind_keys_anew(state: State) -> None:
    """A registration binds a key to the object that now stands under it (rule F8)."""
    for slot in state.slots.values():
        if slot.created and len(slot.created) > 1:
            slot.created = slot.created[-1:]
