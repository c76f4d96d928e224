"""Reviews: the next moment at which the passing of time alone may change a decision, or bring a notice (A5, B6)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

from services.reconciliation.calendar import later, midnight
from services.reconciliation.case import Case
from services.reconciliation.contract_case import ContractCase
from services.reconciliation.decide import decide
from services.reconciliation.notices.turn import due_without_deciding
from services.reconciliation.retention import over_from
from services.reconciliation.standing import of
from services.reconciliation.versions import next_version_begins

_DATED = frozenset({"milestone.assessed", "reason.waived", "compliance.document"})


def next_review(contract: ContractCase) -> int | None:
    """When the contract must be looked at again, in microseconds; None if time changes nothing more.

    Milestones that are not decided now keep the moment that was found for them when they last were.
    """
    known, today = contract.state.milestones, contract.today.toordinal()
    for name, kinds in contract.wanted.items():
        if not kinds.isdisjoint(_DATED):
            known[name].review = _earliest(contract, _days(contract.cases[name]))
    moments = [known[name].review for name in contract.index.milestones]
    notices = [day for milestone in known.values() if (day := milestone.notices_due) is not None and day > today]
    if contract.state.notices_due is not None:
        notices.append(contract.state.notices_due)
    return _first(contract, moments, notices)


def review_before(contract: ContractCase) -> int | None:
    """The same of a contract with facts that are merged and not yet decided: it is decided to see, and thrown away."""
    decide(contract)
    moments = [_earliest(contract, _days(case)) for case in contract.cases.values()]
    return _first(contract, moments, due_without_deciding(contract))


def _first(contract: ContractCase, moments: list[int | None], notices_due: Iterable[int]) -> int | None:
    moments += [_earliest(contract, _defects_period(contract)), next_version_begins(contract.state, contract.moment)]
    notice = min(notices_due, default=0)
    moments.append(_earliest(contract, [date.fromordinal(notice)] if notice else []))
    return min((m for m in moments if m is not None), default=None)


def _earliest(contract: ContractCase, days: Iterable[date]) -> int | None:
    first = min((day for day in days if day > contract.today), default=None)
    return midnight(first, contract.plan.timezone) if first is not None else None


def _days(case: Case) -> Iterator[date]:
    """Every day that begins or ends something here: due date, tolerance, waivers, documents."""
    due = case.milestone.due
    if due is not None and not case.met:
        yield later(due)
        yield later(due, case.milestone.tolerance_days + 1)
    for slot in of(case.standing, "reason.waived"):
        if slot.body.until is not None:
            yield later(slot.body.until)
    if case.plan.compliance:
        for slot in of(case.standing, "compliance.document"):
            yield slot.body.valid_from
            yield later(slot.body.valid_until)


def _defects_period(contract: ContractCase) -> Iterator[date]:
    terms = contract.plan.retention
    if terms is not None and terms.release_on is not None:
        met_on = contract.cases[terms.release_on].completion.met_on
        if met_on is not None:
            yield over_from(terms, met_on)
