"""Reviews: the next moment at which the passing of time alone may change a decision (rule A5, B6)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from services.reconciliation.calendar import midnight
from services.reconciliation.case import ContractCase
from services.reconciliation.standing import of
from services.reconciliation.versions import next_version_begins

_DAY = timedelta(days=1)


def next_review(contract: ContractCase) -> int | None:
    """When the contract must be looked at again, in microseconds; None if time changes nothing more."""
    zone, today = contract.plan.timezone, contract.today
    days = [day for day in _days(contract) if day > today]
    moments = [midnight(min(days), zone)] if days else []
    begins = next_version_begins(contract.state, contract.moment)
    if begins is not None:
        moments.append(begins)
    return min(moments, default=None)


def _days(contract: ContractCase) -> Iterator[date]:
    """Every day that begins or ends something: due dates, tolerances, documents, waivers, the defects period."""
    plan = contract.plan
    for case in contract.cases.values():
        due = case.milestone.due
        if due is not None and not case.met:
            yield due + _DAY
            yield due + timedelta(days=case.milestone.tolerance_days) + _DAY
        for slot in of(case.standing, "reason.waived"):
            if slot.body.until is not None:
                yield slot.body.until + _DAY
        if plan.compliance:
            for slot in of(case.standing, "compliance.document"):
                yield slot.body.valid_from
                yield slot.body.valid_until + _DAY
    if plan.retention is not None and plan.retention.release_on is not None:
        met_on = contract.cases[plan.retention.release_on].completion.met_on
        if met_on is not None:
            yield met_on + timedelta(days=plan.retention.defects_days) + _DAY
