"""A concern: one cause of a notice, open already or on a day to come. And what several kinds ask of a case."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import NamedTuple

from services.reconciliation.calendar import day_of, later, working_day
from services.reconciliation.case import Case, in_force
from services.reconciliation.crosswalk import Index
from services.reconciliation.state import Slot

Since = Mapping[str, int]  # since when (µs) each reason, `~conflict` and `!exception` stands

# Kinds that bring one notice about the whole contract where they name no milestone.
_TOLD_OF_THE_CONTRACT = frozenset({"hold.placed", "dispute.opened", "compliance.document"})
POSSIBLE, LIKELY, HAPPENED = 0, 1, 2


class Concern(NamedTuple):
    """One cause. It opens on a day, which may lie ahead; `None` is the day on which it is first seen.

    `amount` is what is at stake, in minor units; `owner` must act, where it is not who the kind says; `likelihood` is
    given where it does not rise with the steps.
    """

    cause: str
    opens: date | None
    amount: int
    detail: str
    facts: tuple[str, ...] = ()
    owner: str | None = None
    likelihood: int | None = None


def is_running(case: Case, since: Collection[str]) -> bool:
    """Whether anybody has to work towards the milestone: its contract is active and it is in force (rule D1)."""
    if case.plan.status != "active":
        return False
    return "NOT_IN_FORCE" not in since if case.milestone.value is not None else in_force(case)


def last_day(case: Case) -> date | None:
    """The last day on which the milestone is not late: due date and tolerance."""
    due = case.milestone.due
    return later(due, case.milestone.tolerance_days) if due is not None else None


def ready_on(case: Case) -> date | None:
    """The day from which the other proofs are waited for: the one on which it was met; where that is not required, its
    due date, and without one the beginning of time. None: it is not met yet."""
    if case.met:
        return case.completion.met_on
    return None if case.requires("met") else case.milestone.due or date.min


def waits_since(case: Case, since: int, ready: date, days: int) -> date:
    """The day after so many working days of waiting, which began at a moment and not before a day."""
    zone, calendar = case.plan.timezone, case.plan.calendar
    return working_day(max(day_of(since, zone), ready), days, calendar)


def days_for(by: Mapping[str, int], name: str) -> int:
    """What a policy says of a name, or of all that it does not name."""
    return by.get(name, by["default"])


def is_shared(slot: Slot, index: Index) -> bool:
    """Whether the fact is about the contract, or about several of its milestones: people are told of it once."""
    address = slot.address
    if address.milestone is not None:
        return address.milestone not in index.milestones  # of one that was replaced: it stands on all of its heirs
    if slot.kind == "message.unreadable":
        return len(index.doubtful(address)) > 1
    return address.contract is not None and slot.kind in _TOLD_OF_THE_CONTRACT
