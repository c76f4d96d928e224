"""Notices of what money did that it should not have done: the exceptions of a milestone (rule D11)."""

from __future__ import annotations

from contracts_schema.reasons import HoldReason as R
from services.reconciliation.calendar import day_of
from services.reconciliation.case import Case
from services.reconciliation.exceptions import paid_to_date
from services.reconciliation.notices.concern import Concern, Since
from services.reconciliation.position import Position


def over_released(case: Case, position: Position, since: Since) -> Concern:
    """More was released than may be paid now."""
    amount = next((r.amount for r in position.reasons if r.code is R.OVER_RELEASED), 0)
    return _found(case, since, "OVER_RELEASED", amount, "more was released than may be paid now")


def over_received(case: Case, _position: Position, since: Since) -> Concern:
    """More was accepted than ordered. What the rest is worth nobody says; it is not paid."""
    return _found(case, since, "OVER_RECEIVED", 0, case.receipt.detail, case.receipt.facts)


def paid_without_release(case: Case, _position: Position, since: Since) -> Concern:
    """Finance paid where nothing was released."""
    return _found(case, since, "PAID_WITHOUT_RELEASE", paid_to_date(case), "finance paid, and nothing is released")


def paid_while_held(case: Case, position: Position, since: Since) -> Concern:
    """Finance paid more than was released."""
    amount = max(0, paid_to_date(case) - position.released)
    return _found(case, since, "PAID_WHILE_HELD", amount, "finance paid more than is released")


def held_too_late(case: Case, position: Position, since: Since) -> Concern:
    """The payment had been approved before our hold came."""
    return _found(case, since, "HELD_TOO_LATE", position.held, "the payment was approved before the hold came")


def _found(case: Case, since: Since, code: str, amount: int, detail: str, facts: tuple[str, ...] = ()) -> Concern:
    return Concern(code, day_of(since["!" + code], case.plan.timezone), amount, detail, facts)
