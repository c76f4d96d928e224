"""A revision: facts applied together, one decision, and what was said because of it. The step that a log replays."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

from contracts_schema.facts import ABOUT_MESSAGES, Address, Fact
from contracts_schema.rows import LogRow
from services.reconciliation.adoption import take_over
from services.reconciliation.calendar import day_of
from services.reconciliation.claims import renewed
from services.reconciliation.contract_case import ContractCase, Touched
from services.reconciliation.crosswalk import Index, Place, index_of
from services.reconciliation.decide import decide
from services.reconciliation.elsewhere import away
from services.reconciliation.issue import decided, is_due, remember, say
from services.reconciliation.log import Decided, LogEntry, ToldNotice, append
from services.reconciliation.notices.tell import since_when
from services.reconciliation.notices.turn import tell_people
from services.reconciliation.policy import Rules
from services.reconciliation.position import Position
from services.reconciliation.review import next_review
from services.reconciliation.standing import KINDS_OF, Kinds
from services.reconciliation.state import Slot, State, packed
from services.reconciliation.versions import (
    next_version_begins,
    opening_is_shared,
    put_in_force,
    taken_over_by,
    version_in_force,
)


class Revision(NamedTuple):
    """The log's new row (None where no fact was applied and no decision changed), what it says, and the addresses of
    facts that have to wait from now on because they could be either of two invoices."""

    row: LogRow | None
    entry: LogEntry | None
    parked: tuple[Address, ...] = ()


FACTS = "facts"
NOTHING_CHANGED = Revision(None, None)


def revise(
    state: State, facts: Sequence[Fact], moment: int, cause: str, rules: Rules, *, thoroughly: bool = False,
    moved: bool = False,
) -> Revision:  # fmt: skip
    """Decide the contract at `moment` after `facts` were merged. The state is changed in place.

    Only milestones that the facts may have changed are decided anew, unless `thoroughly` asks for all of them. `moved`:
    parked facts were let in, which the log keeps even where it changes no decision yet (law 12).
    """
    state.moment = max(state.moment, moment)
    index, fresh = _plan_at(state)
    take_over(state, facts, index.milestones if index else ())
    if index is None:
        state.review = next_version_begins(state, state.moment)
        return _write(state, facts, cause, rules, None, ()) if facts else NOTHING_CHANGED
    touched = None if thoroughly or fresh or cause != FACTS else _touched(state, index, facts, rules)
    contract, parked = _unambiguous_case(state, index, rules, touched)
    positions = decide(contract, fresh)
    state.claims = renewed(state.claims, contract.ledger, contract.counted)
    state.rulebook = rules.rulebook.hash
    state.decided_on = (state.in_force, contract.today.toordinal())
    news = [positions[name] for name in positions if name in contract.changed]
    decisions = [d for d in (_say(state, contract, p) for p in news) if d is not None]
    told = tell_people(contract, {d.milestone for d in decisions}, thoroughly=touched is None or bool(parked))
    state.review = next_review(contract)
    if not (facts or decisions or moved or told):
        return NOTHING_CHANGED._replace(parked=parked)
    return _write(state, facts, cause, rules, index, decisions, told)._replace(parked=parked)


def _unambiguous_case(
    state: State, index: Index, rules: Rules, touched: Touched | None
) -> tuple[ContractCase, tuple[Address, ...]]:
    """The case without what could be either of two, which is parked: it joins no suppliers any more, so all is looked
    at anew."""
    contract, parked = _contract_case(state, index, rules, touched), tuple[Address, ...]()
    while contract.ledger.ambiguous:
        parked += _park_ambiguous(state, contract)
        contract = _contract_case(state, index, rules, None)
    return contract, parked


def _contract_case(state: State, index: Index, rules: Rules, touched: Touched | None) -> ContractCase:
    """The case that was kept beside the state, brought up to date; a new one where that would not do."""
    contract: ContractCase | None = state.kept.pop("case", None)
    if touched is None or contract is None or contract.index is not index or contract.rules is not rules:
        if contract is not None:
            contract.end()
        contract = ContractCase(state, index, state.moment, rules)
    else:
        contract.renew(state.moment, touched)
    state.kept["case"] = contract
    return contract


def _touched(state: State, index: Index, facts: Sequence[Fact], rules: Rules) -> Touched | None:
    """The milestones that these facts may have changed; None where it may be all of them."""
    today = day_of(state.moment, index.plan.timezone).toordinal()
    if (
        not index.is_separable
        or opening_is_shared(state)
        or state.decided_on != (state.in_force, today)
        or state.rulebook != rules.rulebook.hash
    ):
        return None
    touched: dict[str, Kinds] = {}
    for fact in facts:
        home = index.home(fact.address, fact.body)
        if fact.document is not None or home is Place.EVERYWHERE or type(fact.body) in ABOUT_MESSAGES:
            return None  # a vendor document may void parts elsewhere (rule F9)
        if fact.address.contract is None and not isinstance(home, str):
            return None  # its key is claimed no more: it may stand where it stood
        for at in [home] if isinstance(home, str) else taken_over_by(state, index, fact.kind, fact.address):
            kinds = KINDS_OF[type(fact.body)]
            for name in (at, *index.dependents.get(at, ())):
                touched[name] = touched[name] | kinds if name in touched else kinds
    return touched


def _plan_at(state: State) -> tuple[Index | None, Sequence[str]]:
    """The plan in force now, and, where it has just come into force, the milestones that have said nothing yet."""
    version = version_in_force(state, state.moment)
    if version == 0:
        return None, ()
    index = index_of(state.plans[version].plan)
    if version == state.in_force and index.milestones.keys() <= state.milestones.keys():
        return index, ()
    put_in_force(state, version)
    return index, [name for name in index.milestones if state.milestones[name].last is None]


def _say(state: State, contract: ContractCase, position: Position) -> Decided | None:
    """Remember one position; what the log keeps of it, if it has changed."""
    case = contract.cases[position.milestone]
    known = state.milestones[position.milestone]
    known.released = position.released
    known.since = since_when(position, known.since, state.moment)
    digest = blake2b(packed((*position[:-1], case.completion.status)), digest_size=16).digest()
    said = None
    if case.milestone.value is not None and is_due(position, known.last):
        state.sequence += 1
        said = say(case, position, known.last, state.sequence)
        known.last = remember(said, position, state.revision + 1)
    if said is None and digest == known.decided:
        return None
    known.decided = digest
    return decided(case, position, known.since, said)


def _write(
    state: State, facts: Sequence[Fact], cause: str, rules: Rules, index: Index | None, decisions: Sequence[Decided],
    told: Sequence[ToldNotice] = (),
) -> Revision:  # fmt: skip
    state.revision += 1
    finance = (index.plan.finance if index else None) or rules.finance
    entry = LogEntry(
        state.contract, state.revision, state.moment, cause, rules.rulebook.hash, finance, tuple(facts),
        tuple(decisions), notices=tuple(told),
    )  # fmt: skip
    row = append(entry, state.head)
    state.head = row.head
    return Revision(row, entry)


def _park_ambiguous(state: State, contract: ContractCase) -> tuple[Address, ...]:
    """Park invoice facts that could be either of two business units' (rule C3), whatever came first."""
    ambiguous = contract.ledger.ambiguous
    parked = [slot for slot in state.slots.values() if id(slot) in ambiguous] if ambiguous else []
    for slot in parked:
        slot.parked = Place.AMBIGUOUS.value
        state.kept.clear()
    return tuple(slot.address for slot in parked)


def has_parked(state: State) -> bool:
    """Whether a fact waits in the contract itself for its milestone."""
    return any(slot.parked is not None for slot in state.slots.values())


def unpark(state: State) -> tuple[list[str], bool]:
    """Let parked facts that have found their home count (rule A10): the records in which they came, and whether any."""
    if state.in_force == 0:
        return [], False
    index, origins, moved = index_of(state.plans[state.in_force].plan), [], False
    for slot in state.slots.values():
        if slot.parked is not None and _has_home(state, index, slot):
            origins += slot.waiting or []
            slot.parked, slot.waiting, moved = None, None, True
    return origins, moved


def _has_home(state: State, index: Index, slot: Slot) -> bool:
    home = index.home(slot.address, slot.body)
    return home not in (Place.UNKNOWN, Place.AMBIGUOUS) and away(state, index, slot.address) is None
