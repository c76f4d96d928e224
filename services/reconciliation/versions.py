"""Versions of the plan: which one is in force, and what an amendment carries over (rules B3, B8, E3)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from hashlib import blake2b
from typing import NamedTuple

from msgspec import structs

from contracts_schema import facts as f
from contracts_schema.faults import Fault, fault, refusal
from contracts_schema.plan import Opening, Plan, decode_plan, encode_plan
from services.reconciliation.calendar import midnight
from services.reconciliation.crosswalk import Index, index_of
from services.reconciliation.state import Carried, MilestoneState, PlanVersion, State, order_of
from services.reconciliation.subject import FAMILY, content_of


class Rejection(NamedTuple):
    """A registration that was understood and is not allowed."""

    sentence: str


def register(state: State, fact: f.Fact) -> Rejection | None:
    """Store one version, or say why not; a rejection leaves the state as it was."""
    body = fact.body
    assert isinstance(body, f.ContractRegistered)  # noqa: S101 -- callers sort by kind
    plan = decode_plan(body.plan)
    faults = faults_against(state, plan)
    if faults:
        return Rejection(refusal("registration", faults))
    order, content = order_of(fact, content_of(fact)), _content(plan)
    known = state.plans.get(plan.version)
    if known is None:
        state.plans[plan.version] = PlanVersion(body.plan, order, content, False, f"{fact.source}/{fact.id}")
        if plan.version < state.in_force:
            _arrive_late(state, plan.version)
        return None
    known.clash = known.clash or known.content != content
    if order > known.order:
        known.plan, known.order, known.content = body.plan, order, content
        known.fact = f"{fact.source}/{fact.id}"
    return None


def _content(plan: Plan) -> bytes:
    """What two registrations of one version must share; an amendment's state may change under it (rule B3)."""
    if plan.amendment is not None:
        plan = structs.replace(plan, amendment=structs.replace(plan.amendment, state="proposed", approved_by=None))
    return blake2b(encode_plan(plan), digest_size=8).digest()


def faults_against(state: State, plan: Plan) -> list[Fault]:
    """Everything that makes a plan impossible as a successor of the version before it (rules B4, B8, E3)."""
    before = max((v for v in state.plans if v < plan.version), default=None)
    return [] if before is None else [*_faults_after(index_of(state.plans[before].plan), plan, state)]


def _faults_after(old: Index, plan: Plan, state: State) -> Iterator[Fault]:
    before = old.plan.version
    if plan.currency != old.plan.currency:
        text = f"version {before} is in {old.plan.currency}; a contract keeps its currency, register another one"
        yield fault(("currency",), text)
    payable = {name for m in plan.milestones if m.value is not None for name in m.replaces}
    names = {m.id for m in plan.milestones}
    for m in plan.milestones:
        at = ("milestones", m.id)
        for name in m.replaces:
            known = old.milestones.get(name)
            if known is None:
                yield fault((*at, "replaces"), f"{name!r} is no milestone of version {before} (rule B4)")
            elif known.value is not None and name not in payable:
                yield fault((*at, "replaces"), f"nothing is payable in what replaces {name!r} (rule E3)")
        opened = old.milestones.get(m.id)
        if m.opening is not None and (opened is None or opened.opening != m.opening):
            yield fault((*at, "opening"), "an opening belongs to version 1 and cannot change (rule B8)")
        heirs = names.intersection(_heirs(state, m.id))
        if heirs:
            text = f"{m.id!r} was replaced by {', '.join(sorted(heirs))}; what is new needs an id of its own (rule E3)"
            yield fault(at, text)


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
    if len(state.plans) < 2 and state.in_force:
        return None
    begins = (_begins(index_of(v.plan).plan) for number, v in state.plans.items() if number > state.in_force)
    return min((b for b in begins if b is not None and b > moment), default=None)


def put_in_force(state: State, version: int) -> None:
    """Put a version in force and carry over what was released under other names."""
    index = index_of(state.plans[version].plan)
    known = set(state.milestones)
    if state.in_force:
        _note_places(state, index_of(state.plans[state.in_force].plan))
    for name in index.milestones:
        state.milestones.setdefault(name, MilestoneState())
    if state.in_force == 0:
        _open_balances(state, index)
    _carry_over(state, index, known)
    for name in index.milestones:
        state.milestones[name].replaced_by = ()
    state.in_force = version
    _bind_keys_anew(state)


def _arrive_late(state: State, version: int) -> None:
    """A version that comes after a later one is in force: what it opens was paid all the same (rule B8), and what it
    replaces has its successors in the plan in force (rule E3)."""
    opened = {name for m in state.milestones.values() if m.carried for name in m.carried.opened}
    for name, milestone in index_of(state.plans[version].plan).milestones.items():
        if version == 1 and milestone.opening is not None and not opened:
            _open(state.milestones.setdefault(name, MilestoneState()), name, milestone.opening)
    index = index_of(state.plans[state.in_force].plan)
    for name in [n for n, m in state.milestones.items() if n not in index.milestones and not m.replaced_by]:
        successors = _successors_in_all(state, name)
        _hand_over(state, index, name, [m for m in index.milestones if m in successors], late=True)


def _successors_in_all(state: State, name: str) -> set[str]:
    """Every milestone that replaces one, or what has replaced it, in any version up to the one in force."""
    plans = [index_of(known.plan).plan for number, known in state.plans.items() if number <= state.in_force]
    found: set[str] = set()
    pending = [name]
    while pending:
        left = pending.pop()
        new = {m.id for plan in plans for m in plan.milestones if left in m.replaces} - found
        found |= new
        pending += new
    return found


def _open_balances(state: State, index: Index) -> None:
    for name, milestone in index.milestones.items():
        if milestone.opening is not None and state.milestones[name].released == 0:
            _open(state.milestones[name], name, milestone.opening)


def _open(known: MilestoneState, name: str, opening: Opening) -> None:
    """What was paid before Milepost is carried. Where it is known late, what was released meanwhile is not more for it:
    that much of it is payable no longer (rules A7, B8)."""
    out = _carry(known, Carried(opening.released, {}, opening.as_of.isoformat(), {name: opening.released}))
    known.released = max(known.released, out)


def _carry_over(state: State, index: Index, known: Collection[str]) -> None:
    """What replaced milestones had released goes to their successors, in plan order, up to their values (rule E3).

    Where an amendment is taken back, or a milestone comes back whose successors leave, it goes the same way back.
    `known` are the milestones that were in force before, in any version.
    """
    successors: dict[str, list[str]] = {}
    for name in index.milestones:
        for left in dict.fromkeys([*_replaced(state, index, name, known), *_heirs(state, name)]):
            if left not in index.milestones:
                successors.setdefault(left, []).append(name)
    for left, names in successors.items():
        _hand_over(state, index, left, names)


def _hand_over(state: State, index: Index, left: str, names: list[str], *, late: bool = False) -> None:
    old = state.milestones[left]
    if names and not old.replaced_by:
        _distribute(state, index, left, names, late=late)
        old.replaced_by, old.released, old.carried = tuple(names), 0, None


def _note_places(state: State, index: Index) -> None:
    """Note where each person's hold and dispute under a system's key stands in the plan that is left now."""
    for slot in state.slots.values():
        if slot.address.contract is None and slot.parked is None and stays(slot.kind):
            home = index.home(slot.address, slot.body)
            slot.stood = home if isinstance(home, str) else slot.stood


def stays(kind: str) -> bool:
    """Whether a fact of this kind keeps its place when its key goes elsewhere: a person's hold, a dispute."""
    return FAMILY.get(kind, kind) in ("hold.placed", "dispute.opened")


def taken_over_by(state: State, index: Index, kind: str, address: f.Address, stood: str | None = None) -> list[str]:
    """Where a person's hold or a dispute stands that has no home in the plan: at all that have taken over from its
    milestone, or, where its key is claimed no more or by several, where it `stood`. No amendment lifts the one or
    resolves the other (law 4, rule D7)."""
    name = address.milestone or stood
    if name is None or name not in state.milestones or not stays(kind):
        return []
    if name in index.milestones:
        return [name]
    return [heir for heir in _heirs(state, name) if heir in index.milestones]


def _heirs(state: State, name: str) -> Iterator[str]:
    """Those to whom what a replaced milestone had released has come in the end."""
    known = state.milestones.get(name)
    for heir in known.replaced_by if known else ():
        if state.milestones[heir].replaced_by:
            yield from _heirs(state, heir)
        else:
            yield heir


def _replaced(state: State, index: Index, name: str, known: Collection[str]) -> Iterator[str]:
    """The milestones that one replaces and that have been in force: those that it names, or, where versions between
    never came into force, those that had been replaced there. Iterative: chains may be long."""
    asked, pending = {name}, [*index.milestones[name].replaces]
    if name not in known:
        pending += _replaced_between(state, index, name)
    while pending:
        other = pending.pop(0)
        if other in known:  # what it had released may have gone elsewhere since, as when an amendment was taken back
            heirs = state.milestones[other].replaced_by
            yield from (other,) if not heirs else () if name in heirs else _heirs(state, other)
        elif other not in asked:
            asked.add(other)
            pending += _replaced_between(state, index, other)


def _replaced_between(state: State, index: Index, name: str) -> Iterator[str]:
    """What a milestone that has never been in force replaces in any version before this one."""
    for version in sorted(v for v in state.plans if v < index.plan.version):
        milestone = index_of(state.plans[version].plan).milestones.get(name)
        yield from milestone.replaces if milestone else ()


def _distribute(state: State, index: Index, gone: str, names: list[str], *, late: bool) -> None:
    """To each successor up to its value, the rest to the last. What was paid before Milepost, and is known `late`, lies
    within what they have released (rules A7, B8)."""
    old = state.milestones[gone]
    left, known = old.released, old.carried or Carried(0)
    paid = {f"{gone}@{state.revision}": old.last.paid} if old.last and old.last.paid else {}
    within = late and left == known.out == known.opened.get(gone)
    for n, name in enumerate(names):
        heir = state.milestones[name]
        taken = (heir.carried.amount if heir.carried else 0) if within else heir.released
        part = min(left, max(0, (index.milestones[name].value or 0) - taken))
        rest = left - part if n == len(names) - 1 else 0
        out = _carry(heir, Carried(part, known.settled | paid, known.until, known.opened, rest))
        heir.released = max(heir.released, out) if within else heir.released + part + rest
        left -= part


def _carry(known: MilestoneState, more: Carried) -> int:
    """Add to what was carried to a milestone; all that is out by it now."""
    before = known.carried or Carried(0)
    known.carried = Carried(
        before.amount + more.amount,
        before.settled | more.settled,
        max((day for day in (before.until, more.until) if day), default=None),
        before.opened | more.opened,
        before.beyond + more.beyond,
    )
    return known.carried.out


def opening_is_shared(state: State) -> bool:
    """Whether what was paid before Milepost may have settled invoices of several milestones: an old invoice that comes
    to one of them may then change what is left for another."""
    return state.in_force > 1 and any(
        m.carried is not None and any(opened != name for opened in m.carried.opened)
        for name, m in state.milestones.items()
    )


def _bind_keys_anew(state: State) -> None:
    """A registration binds a key to the object that now stands under it (rule F8)."""
    for slot in state.slots.values():
        if slot.created and len(slot.created) > 1:
            slot.created = slot.created[-1:]
