"""Notices of dates: sign-off due and overdue, milestone at risk and late."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from services.reconciliation.calendar import later, working_day
from services.reconciliation.case import Case
from services.reconciliation.notices.concern import Concern, Since, is_running, last_day, ready_on
from services.reconciliation.position import Position


def sign_off_due(case: Case, position: Position, since: Since) -> Iterable[Concern]:
    """Signatures are missing and soon due: some working days before the last day on which they are in time."""
    due = sign_off_due_on(case, since)
    if due is None or case.today > due:
        return ()
    ready, reminder = ready_on(case) or due, case.rules.policy.notices.sign_off_reminder_days
    opens = max(ready, working_day(due, -reminder, case.plan.calendar))
    return (Concern("signed_off", opens, position.value, f"the sign-off is due on {due}", owner=_signers(case)),)


def sign_off_overdue(case: Case, position: Position, since: Since) -> Iterable[Concern]:
    """Signatures are missing on the day after the one on which they were due."""
    due = sign_off_due_on(case, since)
    if due is None:
        return ()
    return (Concern("signed_off", later(due), position.value, f"the sign-off was due on {due}", owner=_signers(case)),)


def sign_off_due_on(case: Case, since: Since) -> date | None:
    """The last working day for a missing sign-off: `due_working_days` after the milestone was met. None: the contract
    sets no term, or it is not time to sign yet."""
    days = case.plan.sign_off.due_working_days
    if days is None or not is_running(case, since):
        return None
    ready = ready_on(case)
    return None if ready is None or ready == date.min else working_day(ready, days, case.plan.calendar)


def _signers(case: Case) -> str:
    return f"signers ({', '.join(case.plan.sign_off.roles)})" if case.plan.sign_off.roles else "signers"


def at_risk(case: Case, position: Position, since: Since) -> Iterable[Concern]:
    """The project's forecast (without one, its due date) lies beyond the registered due date and its tolerance."""
    expected = case.forecast.value or case.due.value
    if expected is None or case.milestone.due is None or expected <= case.milestone.due or case.met:
        return ()  # as it mostly is
    last = last_day(case)
    if last is None or expected <= last or case.today > last or not is_running(case, since):
        return ()
    detail = f"it is expected on {expected}; due is {case.milestone.due}, at the latest {last}"
    return (Concern("due", None, at_stake(case, position), detail, owner=case.milestone.owner),)


def late(case: Case, position: Position, since: Since) -> Iterable[Concern]:
    """The due date and its tolerance have passed, and it is not met. Late within the tolerance is not late.

    The contract is looked at again on the day after anyway (`review.py`), so what lies ahead is not said here.
    """
    due = case.milestone.due
    if due is None or case.today <= due or case.met:
        return ()  # as it mostly is
    last = last_day(case)
    if last is None or case.today <= last or not is_running(case, since):
        return ()
    detail = f"it was due on {case.milestone.due}, at the latest on {last}, and is {case.completion.status}"
    return (Concern("due", later(last), at_stake(case, position), detail, owner=case.milestone.owner),)


def at_stake(case: Case, position: Position) -> int:
    """What is held here, and the values of the milestones that come directly after: a delay moves them, too."""
    index = case.contract.index
    after = index.dependents.get(case.milestone.id, ())
    return position.held + sum(index.milestones[name].value or 0 for name in after)
