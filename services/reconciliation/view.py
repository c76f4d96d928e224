"""A contract as it stands: the positions of all milestones, and their snapshots for those who follow along."""

from __future__ import annotations

from typing import NamedTuple

from contracts_schema import commands as c
from contracts_schema import facts as f
from contracts_schema.reasons import ExceptionCode
from services.reconciliation.calendar import day_of
from services.reconciliation.case import Case
from services.reconciliation.contract_case import ContractCase
from services.reconciliation.crosswalk import Index, index_of
from services.reconciliation.decide import decide, withdrawn, withdrawn_position
from services.reconciliation.issue import conflict_line
from services.reconciliation.policy import Rules
from services.reconciliation.position import Position
from services.reconciliation.state import State
from services.reconciliation.wire import amount


class MilestoneStanding(NamedTuple):
    """One milestone as it stands; `case` is None for one that was removed from the plan."""

    position: Position
    case: Case | None
    currency: str
    action: c.Action | None
    status: f.Status


def standings(state: State, rules: Rules) -> list[MilestoneStanding]:
    """Every milestone of the plan in force, then those withdrawn after money was released."""
    if state.in_force == 0:
        return []
    index = index_of(state.plans[state.in_force].plan)
    if state.frozen:
        return [_undecided(state, index, name) for name in index.milestones]
    contract = _decided(state, index, rules)
    found = []
    for name, position in contract.positions.items():
        known, case = state.milestones[name], contract.cases[name]
        shown = position._replace(released=known.released)
        found.append(MilestoneStanding(shown, case, index.plan.currency, _action(state, name), case.completion.status))
    for name, known in withdrawn(state, index).items():
        gone = withdrawn_position(name, known)
        found.append(MilestoneStanding(gone, None, index.plan.currency, _action(state, name), "scheduled"))
    return found


def _decided(state: State, index: Index, rules: Rules) -> ContractCase:
    """The contract with the positions of all its milestones: as it was kept beside the state, or decided anew."""
    kept: ContractCase | None = state.kept.get("case")
    today = day_of(state.moment, index.plan.timezone)
    if kept is not None and kept.index is index and kept.rules is rules and kept.today == today:
        return kept
    contract = ContractCase(state, index, state.moment, rules)
    decide(contract)
    return contract


def _undecided(state: State, index: Index, name: str) -> MilestoneStanding:
    """A contract that cannot be decided is not decided to be shown: what was last said stands."""
    value, released = index.milestones[name].value or 0, state.milestones[name].released
    undecided = (ExceptionCode.UNDECIDED,)
    position = Position(name, value, released, max(0, value - released), released, None, (), (), undecided, ())
    return MilestoneStanding(position, None, index.plan.currency, _action(state, name), "scheduled")


def _action(state: State, milestone: str) -> c.Action | None:
    last = state.milestones[milestone].last
    return None if last is None else last.action  # type: ignore[return-value]  # stored as text


def snapshot(state: State, standing: MilestoneStanding) -> c.Snapshot | None:
    """The canonical milestone for `milestone.snapshots`; None for one that is no longer in the plan."""
    case, p, currency = standing.case, standing.position, standing.currency
    if case is None:
        return None
    days = (case.baseline.value, case.milestone.due, case.forecast.value, case.completion.met_on)
    carried = {} if p.carried is None else {"carried": amount(p.carried, currency)}
    return c.Snapshot(
        contract=state.contract, milestone=p.milestone, revision=state.revision, title=case.milestone.title,
        kind=case.milestone.kind, status=standing.status, owner=case.milestone.owner,
        dates=c.Dates(*(day.isoformat() if day else None for day in days)),
        value=amount(p.value, currency), released_to_date=amount(p.released, currency), held=amount(p.held, currency),
        reasons=tuple(r.code for r in p.reasons), exceptions=tuple(p.exceptions),
        invoices=tuple(
            c.InvoiceLine(i.number, i.supplier, i.business_unit, i.issued_on.isoformat(), i.state, amount(*i.net))
            for i in case.invoices
        ),
        conflicts=tuple(conflict_line(x, case.plan.authority) for x in p.conflicts), action=standing.action, **carried,
    )  # fmt: skip
