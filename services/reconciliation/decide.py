"""The decision: all checks and money rules of a contract put together into one position per milestone.

no blocking reason:  released = max(released so far, allowed)      else: released stays
held = max(0, value - released)        allowed < released  =>  OVER_RELEASED, nothing more goes out
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from contracts_schema.reasons import PROOFS, WAIVABLE, ExceptionCode
from contracts_schema.reasons import HoldReason as R
from services.reconciliation.case import Case, ContractCase, Finding
from services.reconciliation.checks import CHECKS
from services.reconciliation.crosswalk import Index
from services.reconciliation.exceptions import exceptions_of
from services.reconciliation.money import Allowance, allowances
from services.reconciliation.policy import Rules
from services.reconciliation.state import MilestoneState, State
from services.reconciliation.targets import Target, targets
from services.reconciliation.words import Conflict

_RANK = {reason: rank for rank, reason in enumerate(R)}


class Reason(NamedTuple):
    """One open hold reason: what it holds in minor units, why, and the facts that raised it."""

    code: R
    amount: int
    detail: str
    facts: tuple[str, ...]


class Position(NamedTuple):
    """The decision for one milestone. Amounts in minor units of the contract's currency."""

    milestone: str
    value: int
    released: int
    held: int
    allowed: int
    carried: int | None
    reasons: tuple[Reason, ...]
    conflicts: tuple[Conflict, ...]
    exceptions: tuple[ExceptionCode, ...]
    targets: tuple[Target, ...]


class Decision(NamedTuple):
    """The positions of all milestones of the plan in force, and the contract they were worked out from."""

    contract: ContractCase
    positions: dict[str, Position]


def decide(
    state: State, index: Index, moment: int, rules: Rules, fresh: Collection[str] = (),
    only: Collection[str] | None = None,
) -> Decision:  # fmt: skip
    """Decide every milestone, or `only` some, whose positions are then the same as if all had been decided.

    Nothing is released for `fresh` ones: their first command is a hold (rule E1).
    """
    contract = ContractCase(state, index, moment, rules, only)
    cases = contract.cases
    found = {m: _blocking(case) for m, case in cases.items()}
    proven = {m: not any(reason in PROOFS for reason in reasons) for m, reasons in found.items()}
    allowed = allowances(contract, proven)
    spent = sum(m.released for m in state.milestones.values()) if contract.plan.value_cap is not None else 0
    positions: dict[str, Position] = {}
    for name, case in cases.items():
        room = None if contract.plan.value_cap is None else max(0, contract.plan.value_cap - spent)
        position = _position(case, found[name], allowed[name], room, name in fresh)
        spent += position.released - case.state.released
        positions[name] = position
    return Decision(contract, positions)


def _blocking(case: Case) -> dict[R, list[Finding]]:
    """The blocking reasons that stand, without what two persons have waived (rule D6)."""
    found: dict[R, list[Finding]] = {}
    if case.milestone.value is None:
        return found
    standing = case.standing
    for reason, check, needs in CHECKS:
        if needs is not None and needs not in standing:
            continue
        findings = list(check(case))
        if findings and case.waived and reason in WAIVABLE:
            findings = [f for f in findings if not case.is_waived(reason, f)]
        if findings:
            found[reason] = findings
    return found


def _position(
    case: Case, found: dict[R, list[Finding]], allowance: Allowance, room: int | None, fresh: bool
) -> Position:
    so_far, carried = case.state.released, case.state.carried.amount if case.state.carried else None
    within_cap = min(allowance.allowed, so_far + room) if room is not None else allowance.allowed
    over = max(allowance.allowed, carried or 0) < so_far
    released = so_far if found or over or fresh else max(so_far, within_cap)
    reasons = _reasons(case, found, allowance, within_cap, released, over)
    return Position(
        milestone=case.milestone.id, value=case.value, released=released, held=max(0, case.value - released),
        allowed=allowance.allowed, carried=carried, reasons=reasons, conflicts=tuple(case.conflicts),
        exceptions=exceptions_of(case, released, over), targets=targets(case, released),
    )  # fmt: skip


def _reasons(
    case: Case, found: dict[R, list[Finding]], allowance: Allowance, within_cap: int, released: int, over: bool
) -> tuple[Reason, ...]:
    """All reasons in order of precedence, each with what it holds (rules D9, D13)."""
    held = max(0, case.value - released)
    partial = [Reason(c.reason, c.amount, c.detail, c.facts) for c in allowance.cuts]
    if within_cap < allowance.allowed:
        partial.append(Reason(R.CAP_REACHED, allowance.allowed - within_cap, "the contract's value cap is reached", ()))
    rest = max(0, held - sum(p.amount for p in partial))
    blocking = [Reason(reason, rest, _detail(findings), _facts(findings)) for reason, findings in found.items()]
    if over:
        blocking.append(
            Reason(R.OVER_RELEASED, released - allowance.allowed, "more was released than may be paid now", ())
        )
    return (*blocking, *sorted(partial, key=lambda p: _RANK[p.code]))


def _detail(findings: list[Finding]) -> str:
    return "; ".join(f.detail for f in findings)


def _facts(findings: list[Finding]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(fact for f in findings for fact in f.facts))


def withdrawn(state: State, index: Index) -> dict[str, MilestoneState]:
    """Milestones removed from the plan after money was released, which no other has taken over (rule D11)."""
    return {
        name: milestone
        for name, milestone in state.milestones.items()
        if name not in index.milestones and milestone.released > 0 and not milestone.replaced_by
    }


def withdrawn_position(name: str, milestone: MilestoneState) -> Position:
    """Value 0, released as it was, for people to look at; no command goes out."""
    return Position(name, 0, milestone.released, 0, 0, None, (), (), (ExceptionCode.WITHDRAWN,), ())
