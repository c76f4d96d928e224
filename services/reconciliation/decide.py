"""The decision: all checks and money rules of a contract put together into one position per milestone.

no blocking reason:  released = max(released so far, allowed)      else: released stays
held = max(0, value - released)        allowed < released  =>  OVER_RELEASED, nothing more goes out
"""

from __future__ import annotations

from collections.abc import Collection

from contracts_schema.reasons import PROOFS, WAIVABLE, ExceptionCode
from contracts_schema.reasons import HoldReason as R
from services.reconciliation.case import Case, Finding
from services.reconciliation.checks import REASONS, checks_for
from services.reconciliation.contract_case import ContractCase
from services.reconciliation.crosswalk import Index
from services.reconciliation.exceptions import exceptions_of
from services.reconciliation.money import Allowance, allowances
from services.reconciliation.position import Position, Reason
from services.reconciliation.standing import Kinds
from services.reconciliation.state import MilestoneState, State
from services.reconciliation.targets import targets

_STATUS = "milestone.assessed"  # of which a position tells nothing, but what is said of it does
_RANK = {reason: rank for rank, reason in enumerate(R)}


def decide(contract: ContractCase, fresh: Collection[str] = ()) -> dict[str, Position]:
    """Decide the milestones that are wanted: all, or some, whose positions are then the same as if all were decided.

    Nothing is released for `fresh` ones: their first command is a hold (rule E1).
    """
    cases = {name: contract.cases[name] for name in contract.wanted}
    found = {m: _blocking(case, contract.wanted[m]) for m, case in cases.items()}
    proven = {m: PROOFS.isdisjoint(reasons) for m, reasons in found.items()}
    allowed = allowances(contract, proven)
    cap = contract.plan.value_cap
    room = None if cap is None else cap - sum(m.released for m in contract.state.milestones.values())
    released: dict[str, int] = {}
    for name, case in cases.items():
        if name in fresh and not found[name]:
            found[name] = _first_hold(case, allowed[name])
        released[name] = _released(case, bool(found[name]), allowed[name], room)
        room = None if room is None else room - (released[name] - case.state.released)
    above = _above_cap(released, room)
    decided = {
        name: _position(case, found[name], allowed[name], released[name], room, above.get(name, 0))
        for name, case in cases.items()
    }
    contract.changed = {
        m for m, p in decided.items() if p != contract.positions.get(m) or _STATUS in contract.wanted[m]
    }
    contract.positions |= decided
    return decided


def _blocking(case: Case, kinds: Kinds) -> dict[R, list[Finding]]:
    """The blocking reasons that stand, without what two persons have waived (rule D6). Only checks that look at facts
    of these kinds are made anew."""
    if case.milestone.value is None:
        return {}
    for reason, check in checks_for(kinds):
        findings = list(check(case))
        if findings or reason in case.found:
            case.found[reason] = findings
    found = {reason: case.found[reason] for reason in REASONS if case.found.get(reason)} if case.found else {}
    if not case.waived:
        return found
    stands = {r: [f for f in those if r not in WAIVABLE or not case.is_waived(r, f)] for r, those in found.items()}
    return {reason: findings for reason, findings in stands.items() if findings}


# The proof that a milestone's first hold waits for, and the reason that says so.
_FIRST = (
    ("met", R.NOT_MET), ("on_time:", R.NOT_MET), ("measure:", R.NOT_MET), ("received", R.NOT_RECEIVED),
    ("evidence:", R.EVIDENCE_MISSING), ("signed_off", R.SIGN_OFF_MISSING), ("invoiced", R.NOT_INVOICED),
)  # fmt: skip


def _first_hold(case: Case, allowance: Allowance) -> dict[R, list[Finding]]:
    """Why a milestone that has just come into the plan is held although all its proof is there already: its first
    command is a hold (rule E1), and what is known of it counts from the next revision on (rule A10)."""
    if allowance.allowed <= case.state.released:
        return {}
    required, reason = next((r, why) for proof, why in _FIRST for r in case.milestone.requires if r.startswith(proof))
    return {reason: [Finding(required, f"{required} counts from the next decision on: the first is a hold")]}


def _above_cap(released: dict[str, int], room: int | None) -> dict[str, int]:
    """What of each milestone lies above the contract's cap since an amendment has lowered it, the last of the plan
    first (rules C7, C8)."""
    left, above = max(0, -(room or 0)), dict[str, int]()
    for name in reversed(released) if left else ():
        above[name] = min(left, released[name])
        left -= above[name]
    return above


def _is_over(case: Case, allowed: int) -> bool:
    """Whether more was released than may be paid now; what was carried counts as earned, at least (rule C8)."""
    carried = min(case.state.carried.amount, case.value) if case.state.carried else 0
    return max(allowed, carried) < case.state.released


def _released(case: Case, blocked: bool, allowance: Allowance, room: int | None) -> int:
    """What is released to date after this decision; `room` is what is left below the contract's cap."""
    so_far = case.state.released
    return so_far if blocked else max(so_far, _within_cap(allowance, so_far, room))


def _within_cap(allowance: Allowance, released: int, room: int | None) -> int:
    return allowance.allowed if room is None else min(allowance.allowed, released + max(0, room))


def _position(
    case: Case, found: dict[R, list[Finding]], allowance: Allowance, released: int, room: int | None, above: int
) -> Position:
    """The position with everything released that goes out in this revision; `room` is what that leaves of the cap, and
    `above` what of this milestone lies above it."""
    most = min(allowance.allowed, released - above)
    over, carried = _is_over(case, most), (case.state.carried.out if case.state.carried else 0) or None
    within_cap = _within_cap(allowance, released, room)
    reasons = _reasons(case, found, allowance, within_cap, released, released - most if over else None)
    return Position(
        milestone=case.milestone.id, value=case.value, released=released, held=max(0, case.value - released),
        allowed=allowance.allowed, carried=carried, reasons=reasons, conflicts=tuple(case.conflicts),
        exceptions=exceptions_of(case, released, over), targets=targets(case, released),
    )  # fmt: skip


def _reasons(
    case: Case, found: dict[R, list[Finding]], allowance: Allowance, within_cap: int, released: int, over: int | None
) -> tuple[Reason, ...]:
    """All reasons in order of precedence, each with what it holds (rules D9, D13); `over` is what is out too much."""
    held = max(0, case.value - released)
    partial = [Reason(c.reason, c.amount, c.detail, c.facts) for c in allowance.cuts]
    if within_cap < allowance.allowed:
        partial.append(Reason(R.CAP_REACHED, allowance.allowed - within_cap, "the contract's value cap is reached", ()))
    rest = max(0, held - sum(p.amount for p in partial))
    blocking = [Reason(reason, rest, _detail(findings), _facts(findings)) for reason, findings in found.items()]
    if over is not None:
        blocking.append(Reason(R.OVER_RELEASED, over, "more was released than may be paid now", ()))
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
