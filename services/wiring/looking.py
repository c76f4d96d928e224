"""Wires what operators look at: contracts, positions with their reasons, conflicts, parked facts."""

from __future__ import annotations

from collections.abc import AsyncIterator

from msgspec import Struct
from msgspec.msgpack import Decoder

from contracts_schema.commands import Amount, ConflictLine
from contracts_schema.errors import Refused
from contracts_schema.facts import Fact
from contracts_schema.plan import Plan
from contracts_schema.rows import ParkedRow
from services.ports import Store
from services.reconciliation.calendar import show_moment
from services.reconciliation.crosswalk import index_of
from services.reconciliation.elsewhere import away, is_movable
from services.reconciliation.policy import Rules
from services.reconciliation.state import State, decode_state
from services.reconciliation.wire import amount
from services.runtime.explain import Account, accounts
from services.runtime.routing import index_in_force
from services.runtime.sentences import word
from services.settings import Settings
from services.wiring import doors
from services.wiring.sending import load


class ContractLine(Struct, frozen=True):
    """One contract in a list; amounts are sums over its milestones."""

    contract: str
    version: int
    status: str
    revision: int
    title: str
    currency: str
    value: str
    released: str
    frozen: bool


class VersionLine(Struct, frozen=True):
    """One registered version."""

    version: int
    in_force: bool
    amendment: str | None
    effective_from: str | None
    fact: str
    rationale: str | None = None
    requested_by: str | None = None
    approved_by: str | None = None


class MilestoneLine(Struct, frozen=True):
    """One milestone of the plan in force with its position; its four days are kept apart."""

    milestone: str
    title: str
    kind: str
    status: str
    due: str | None
    requires: tuple[str, ...]
    value: Amount
    released_to_date: Amount
    held: Amount
    reasons: tuple[str, ...]
    exceptions: tuple[str, ...]
    baseline: str | None
    forecast: str | None
    met_on: str | None


class ContractView(Struct, frozen=True):
    """A contract: its plan in force, versions and positions."""

    contract: str
    title: str
    status: str
    buyer: str
    supplier: str
    timezone: str
    revision: int
    sequence: int
    chain_head: str
    frozen: str | None
    versions: tuple[VersionLine, ...]
    milestones: tuple[MilestoneLine, ...]

    def sentences(self) -> list[str]:
        """The head of the contract as a person reads it."""
        lines = [f"{self.contract}: {self.title}", f"{self.status}; buyer {self.buyer}, supplier {self.supplier}"]
        lines.append(f"revision {self.revision}, {self.sequence} commands so far")
        for v in self.versions:
            amendment = f", amendment {v.amendment}" if v.amendment else ""
            since = f", from {v.effective_from}" if v.effective_from else ""
            lines.append(f"version {v.version}: {'in force' if v.in_force else 'not in force'}{amendment}{since}")
            if v.requested_by:
                approved = f", approved by {v.approved_by}" if v.approved_by else ""
                lines.append(f"  asked for by {v.requested_by}{approved}: {v.rationale}")
        if self.frozen:
            lines.append(f"FROZEN: version {self.frozen} of Milepost cannot decide it; facts are kept")
        return lines


class ConflictView(Struct, frozen=True):
    """An open conflict, and where."""

    contract: str
    milestone: str
    conflict: ConflictLine
    holds: bool


class ParkedView(Struct, frozen=True):
    """A fact that waits: for which keys, since when, and why. `claimed` says that a contract has one of the keys."""

    source: str
    kind: str
    keys: tuple[str, ...]
    reason: str
    since: str
    record: str
    claimed: bool
    contract: str | None = None


async def list_contracts(settings: Settings, after: str, limit: int) -> list[ContractLine]:
    """Contracts by id, a page of them."""
    async with doors.open_store(settings) as store:
        names = [name for name, _ in await store.contracts(after, limit)]
        states = [await load(store, name) for name in names]
    return [_line(state) for state in states if state is not None]


def _line(state: State) -> ContractLine:
    released = sum(m.released for m in state.milestones.values())
    if state.in_force == 0:
        return ContractLine(state.contract, 0, "", state.revision, "", "", "", "", state.frozen is not None)
    plan = index_of(state.plans[state.in_force].plan).plan
    value = sum(m.value or 0 for m in plan.milestones if not m.contingency_for)
    planned, out = amount(value, plan.currency).amount, amount(released, plan.currency).amount
    return ContractLine(
        state.contract, plan.version, plan.status, state.revision, plan.title, plan.currency, planned, out,
        state.frozen is not None,
    )  # fmt: skip


async def show_contract(settings: Settings, contract: str) -> ContractView:
    """One contract. Raises Refused where it is not registered."""
    async with doors.open_store(settings) as store:
        state = await known(store, contract)
    newest = state.in_force or max(state.plans)
    plan = index_of(state.plans[newest].plan).plan
    return ContractView(
        contract=contract, title=plan.title, status=plan.status, buyer=plan.buyer, supplier=plan.supplier,
        timezone=plan.timezone, revision=state.revision, sequence=state.sequence, chain_head=state.head.hex(),
        frozen=state.frozen, versions=tuple(_version(state, number) for number in sorted(state.plans)),
        milestones=tuple(_milestone(a) for a in accounts(state, settings.rules()) if a.title or a.exceptions),
    )  # fmt: skip


def _version(state: State, number: int) -> VersionLine:
    plan: Plan = index_of(state.plans[number].plan).plan
    amendment, begins = plan.amendment, None
    if amendment is not None and amendment.effective_from is not None:
        begins = amendment.effective_from.isoformat()
    words = f"{amendment.id} {amendment.state}" if amendment else None
    why = (amendment.rationale, amendment.requested_by, amendment.approved_by) if amendment else ()
    return VersionLine(number, number == state.in_force, words, begins, state.plans[number].fact, *why)


def _milestone(a: Account) -> MilestoneLine:
    return MilestoneLine(
        a.milestone, a.title, a.kind, a.status, a.dates.due, a.requires, a.value, a.released_to_date, a.held,
        tuple(r.code for r in a.reasons), a.exceptions, a.dates.baseline, a.dates.forecast, a.dates.met_on,
    )  # fmt: skip


async def known(store: Store, contract: str) -> State:
    """A contract's state. Raises Refused where it is not registered."""
    state = await load(store, contract)
    if state is None or not state.plans:
        raise Refused(f"no contract {contract!r} is registered")
    return state


async def conflicts(settings: Settings, contract: str | None, limit: int) -> list[ConflictView]:
    """Open conflicts, of one contract or of all, in the order of contracts."""
    rules, found = settings.rules(), list[ConflictView]()
    async with doors.open_store(settings) as store:
        async for state in states_of(store, contract):
            found += conflicts_of(state, rules)
            if len(found) >= limit:
                break
    return found[:limit]


def conflicts_of(state: State, rules: Rules) -> list[ConflictView]:
    """The open conflicts of one contract; none while no plan is in force."""
    if state.in_force == 0:
        return []
    holding = index_of(state.plans[state.in_force].plan).plan.hold_on_conflict
    return [
        ConflictView(a.contract, a.milestone, x, x.field in holding)
        for a in accounts(state, rules)
        for x in a.conflicts
    ]


async def states_of(store: Store, contract: str | None) -> AsyncIterator[State]:
    """One contract's state (Refused where it is not registered), or all, by id."""
    if contract is not None:
        yield await known(store, contract)
        return
    async for _, raw in await store.states():
        yield decode_state(raw)


async def parked(settings: Settings, limit: int, *, inside: bool = True) -> list[ParkedView]:
    """What waits: under keys that nobody claims, ambiguous between contracts, and (`inside`; all are read for that)
    inside contracts."""
    async with doors.open_store(settings) as store:
        found = [_parked(row, claimed=True) for row in await store.stranded(limit)]
        found += [_parked(row, claimed=False) for row in await store.parked(limit)]
        async for _, raw in await store.states():
            if not inside or len(found) >= limit:
                break
            found += _waiting(decode_state(raw))
    return found[:limit]


_facts = Decoder(Fact)


def _parked(row: ParkedRow, *, claimed: bool) -> ParkedView:
    keys = tuple(f"{source}:{key}" if source else key for source, key in row.keys)
    kind = _facts.decode(row.fact).kind
    return ParkedView(row.source, kind, keys, row.reason, show_moment(row.since), row.origin, claimed)


def _waiting(state: State) -> list[ParkedView]:
    """Facts that a contract has and cannot place at one milestone; what is another's by its key is parked outside."""
    index = index_in_force(state)
    return [
        ParkedView(
            slot.source, slot.kind, slot.address.keys or (slot.address.milestone or "",), slot.parked,
            show_moment(slot.order[1]), ", ".join(slot.waiting or ()), True, state.contract,
        )
        for slot in state.slots.values()
        if slot.parked and (not is_movable(slot) or away(state, index, slot.address) is None)
    ]  # fmt: skip


def conflict_sentence(conflict: ConflictLine) -> str:
    """What the systems say; the first one counts."""
    return "; ".join(f"{w.source}: {word(conflict.field, w.value)}" for w in conflict.values)
