"""Notices of what has waited too long: holds, conflicts, disputes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from contracts_schema.reasons import REMEDIES
from contracts_schema.reasons import HoldReason as R
from services.reconciliation.calendar import day_of, working_day
from services.reconciliation.case import Case
from services.reconciliation.contract_case import ContractCase
from services.reconciliation.disputes import open_disputes
from services.reconciliation.notices.concern import (
    Concern,
    Since,
    days_for,
    is_running,
    is_shared,
    ready_on,
    waits_since,
)
from services.reconciliation.policy import DEFAULT_AUTHORITY
from services.reconciliation.position import Position
from services.reconciliation.state import Slot

# Somebody has to put these right: they age from the day on which they were raised. The others have notices of their own
# (a date, a conflict, a dispute, a document, an exception), or are the contract's own terms and no neglect.
TROUBLE = frozenset(
    {
        R.SOURCE_UNREADABLE, R.SOURCE_CONTRADICTS_ITSELF, R.MANUAL_HOLD, R.VALUE_DIFFERS, R.CURRENCIES_DIFFER,
        R.EVIDENCE_CHANGED, R.DUTIES_NOT_SEPARATED, R.WRONG_SUPPLIER, R.INVOICE_EXCEEDS_VALUE, R.INVOICE_CLAIMED_TWICE,
    }
)  # fmt: skip
# These are waited for in good order until the milestone is met, and age from then on.
AWAITED = frozenset(
    {R.NOT_RECEIVED, R.EVIDENCE_MISSING, R.SIGN_OFF_MISSING, R.NOT_INVOICED, R.PARTLY_ACCEPTED, R.PARTLY_INVOICED}
)
_SIGN_OFF = R.SIGN_OFF_MISSING
# A fact about the whole contract may raise these at every milestone of it.
SHARED = (R.SOURCE_UNREADABLE, R.SOURCE_CONTRADICTS_ITSELF, R.MANUAL_HOLD)


def hold_ageing(case: Case, position: Position, since: Since) -> Iterable[Concern]:
    """A reason has held money for too many working days."""
    ready = ready_on(case)
    for reason in position.reasons:
        code = reason.code
        if code in AWAITED:
            if ready is None or _has_term(case, code):
                continue
            begun, first = since[code], ready
        elif code in TROUBLE:
            begun, first = _own_since(case, reason.facts) if code in SHARED else since[code], date.min
        else:
            continue
        if begun and is_running(case, since):
            opens = waits_since(case, begun, first, days_for(case.rules.policy.notices.hold_days, code))
            yield Concern(code, opens, reason.amount, reason.detail, reason.facts, REMEDIES[code].owner)


def _has_term(case: Case, code: R) -> bool:
    """A sign-off for which the contract sets a term has notices of its own."""
    return code is _SIGN_OFF and case.plan.sign_off.due_working_days is not None


def _own_since(case: Case, facts: tuple[str, ...]) -> int:
    """The time (µs) of the first fact about this milestone that raised the reason; 0 where all of them are about the
    contract, of which people are told once."""
    own = [slot for slot in _causes(case, facts) if not is_shared(slot, case.contract.index)]
    return min((slot.order[1] for slot in own), default=0)


def _causes(case: Case, facts: tuple[str, ...]) -> list[Slot]:
    return [slot for slots in case.standing.values() for slot in slots if slot.fact in facts]


def shared_causes(case: Case, facts: tuple[str, ...]) -> list[Slot]:
    """Those of the facts that are about the contract, or about several milestones."""
    return [slot for slot in _causes(case, facts) if is_shared(slot, case.contract.index)]


def holds_of_all(contract: ContractCase) -> Iterable[Concern]:
    """A fact about the whole contract has held its money for too many working days."""
    for code in SHARED:
        raised = [(name, r.facts) for name, p in contract.positions.items() for r in p.reasons if r.code is code]
        registered = contract.state.plans[contract.plan.version]
        begun = {s.fact: s.order[1] for name, facts in raised for s in shared_causes(contract.cases[name], facts)}
        if any(registered.fact in facts for _, facts in raised):
            begun[registered.fact] = registered.order[1]
        if begun and contract.plan.status == "active":
            yield _hold_of_all(contract, code, begun)


def _hold_of_all(contract: ContractCase, code: R, begun: dict[str, int]) -> Concern:
    days = days_for(contract.rules.policy.notices.hold_days, code)
    first = day_of(min(begun.values()), contract.plan.timezone)
    detail = f"{len(begun)} {'fact holds' if len(begun) == 1 else 'facts hold'} several milestones"
    opens = working_day(first, days, contract.plan.calendar)
    return Concern(code, opens, held_in_all(contract), detail, tuple(sorted(begun)), REMEDIES[code].owner)


def held_in_all(contract: ContractCase) -> int:
    """What is held of the contract, in minor units."""
    return sum(position.held for position in contract.positions.values())


def conflict_ageing(case: Case, position: Position, since: Since) -> Iterable[Concern]:
    """Systems have differed on a field for too many working days."""
    if not is_running(case, since):
        return
    days = case.rules.policy.notices.conflict_days
    for field, conflict in {c.field: c for c in position.conflicts}.items():
        opens = waits_since(case, since["~" + field], date.min, days)
        facts = tuple(fact for word in conflict.words for fact in word.facts)
        detail = f"{', '.join(w.source for w in conflict.words)} differ on {field}"
        owner = (case.plan.authority.get(field) or DEFAULT_AUTHORITY[field])[0]
        yield Concern(field, opens, position.value, detail, facts, owner)


def dispute_unanswered(case: Case, position: Position, _since: Since) -> Iterable[Concern]:
    """Nobody has resolved a dispute about the milestone within so many working days."""
    if "dispute.opened" not in case.standing or case.plan.status in ("terminated", "closed"):
        return
    for slot in open_disputes(case):
        if not is_shared(slot, case.contract.index):
            said = slot.body.amount
            amount = min(said.minor, case.value) if said and said.currency == case.plan.currency else position.held
            yield _dispute(case, slot, amount)


def disputes_of_all(contract: ContractCase) -> Iterable[Concern]:
    """Nobody has resolved a dispute about the whole contract, or about a milestone that was replaced, within so many
    working days."""
    if contract.plan.status in ("terminated", "closed"):
        return
    disputed = [case for case in contract.cases.values() if "dispute.opened" in case.standing]
    found = {slot.fact: (case, slot) for case in disputed for slot in open_disputes(case)}
    for case, slot in found.values():
        if is_shared(slot, contract.index):
            said = slot.body.amount
            known = said is not None and said.currency == contract.plan.currency
            yield _dispute(case, slot, said.minor if known else held_in_all(contract))


def _dispute(case: Case, slot: Slot, amount: int) -> Concern:
    opens = waits_since(case, slot.order[1], date.min, case.rules.policy.notices.dispute_days)
    mine = case.rules.roles.get(slot.source) == "operator"
    detail = f"{slot.body.by} opened dispute {slot.body.dispute}: {slot.body.reason}"
    return Concern(slot.body.dispute, opens, amount, detail, (slot.fact,), "supplier" if mine else "operator")
