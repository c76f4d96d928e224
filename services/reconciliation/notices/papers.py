"""Notices of documents that the contract asks for: expiring, expired, never given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

from contracts_schema.reasons import HoldReason
from services.reconciliation.calendar import later, working_day
from services.reconciliation.case import Case, Finding
from services.reconciliation.contract_case import ContractCase
from services.reconciliation.notices.concern import HAPPENED, Concern, days_for, is_running, waits_since


def documents(contract: ContractCase) -> Iterable[Concern]:
    """A document of `compliance` is about to end while money is still to go out, has ended, or was never given.

    One concern a document, whatever the number of milestones: of those that still hold money the first end counts.
    """
    names = contract.plan.compliance
    waiting = [c for name, c in contract.cases.items() if _still_pays(contract, name, c)] if names else []
    for name in names:
        found = sorted(concern for case in waiting for concern in _document(contract, case, name))
        if found:
            amount = sum(contract.positions[case.milestone.id].held for case in waiting)
            yield found[0]._replace(amount=amount)


def _still_pays(contract: ContractCase, name: str, case: Case) -> bool:
    position = contract.positions[name]
    return position.held > 0 and is_running(case, {reason.code for reason in position.reasons})


def _document(contract: ContractCase, case: Case, name: str) -> Iterator[Concern]:
    given = [s for s in case.of("compliance.document", "compliance") if s.body.name == name]
    if case.is_waived(HoldReason.COMPLIANCE_EXPIRED, Finding(name, "")):
        return
    facts = tuple(slot.fact for slot in given)
    ends = _covered_until([(s.body.valid_from, s.body.valid_until) for s in given], case.today)
    policy = case.rules.policy.notices
    if ends is None:
        since = case.state.since.get("COMPLIANCE_EXPIRED", contract.moment)
        opens = waits_since(case, since, date.min, days_for(policy.hold_days, "COMPLIANCE_EXPIRED"))
        yield Concern(name, opens, 0, f"{name} was never given", facts, likelihood=HAPPENED)
        return
    opens = working_day(ends, -policy.document_days, case.plan.calendar)
    if ends < case.today:
        yield Concern(name, opens, 0, f"{name} ended on {ends}", facts, likelihood=HAPPENED)
    else:
        yield Concern(name, opens, 0, f"{name} ends on {ends}", facts)


def _covered_until(periods: list[tuple[date, date]], today: date) -> date | None:
    """The last day that is covered without a gap from today on; where today is not, the last one that was."""
    begun = sorted(p for p in periods if p[0] <= today)
    ends = max((until for _, until in begun), default=None)
    if ends is None or ends < today:
        return ends
    for first, until in sorted(periods):
        if first <= later(ends):
            ends = max(ends, until)
    return ends
