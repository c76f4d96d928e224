"""A contract as it was in the business world on a day, with all that is known today.

Each fact counts from its *business day* on: the day that it is about, not the day on which it was told. In between, the
contract is decided day by day by the present rules, as it would have been had every fact been known on its own day.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import NamedTuple

from contracts_schema import facts as f
from contracts_schema.plan import decode_plan
from services.history.shadow import Shadow
from services.reconciliation.calendar import day_of, later, midnight
from services.reconciliation.log import LogEntry
from services.reconciliation.policy import Rules
from services.reconciliation.state import State

# The field that names the day that a fact is about; kinds that are not listed are about the moment they were told.
BUSINESS_DAYS: dict[str, str] = {
    "milestone.assessed": "met_on",
    "delivery.claimed": "delivered_on",
    "goods.received": "received_on",
    "sign_off.given": "signed_at",
    "sign_off.withdrawn": "signed_at",
    "invoice.received": "issued_on",
    "payment.made": "paid_on",
    "compliance.document": "valid_from",
}


class AsOf(NamedTuple):
    """The state on that day, and the facts that are about a later one, each with its business day."""

    state: State
    rules: Rules
    left_out: tuple[tuple[f.Fact, date], ...]
    zone: str


def business_day(fact: f.Fact, zone: str) -> date:
    """The day that a fact is about, in the contract's zone.

    An invoice's word that it is cancelled, credited or paid is about the day of the word, not of the invoice. An
    amendment is about the day from which it counts; one that names none, about the day of its registration.
    """
    told = day_of(fact.time, zone)
    if isinstance(fact.body, f.ContractRegistered):
        amendment = decode_plan(fact.body.plan).amendment
        return (amendment.effective_from if amendment else None) or told
    if isinstance(fact.body, f.InvoiceReceived) and fact.body.state != "open":
        return max(told, fact.body.issued_on)
    said = getattr(fact.body, BUSINESS_DAYS.get(fact.kind, ""), None)
    if isinstance(said, datetime):
        return day_of_datetime(said, zone)
    return said if isinstance(said, date) else told


def day_of_datetime(said: datetime, zone: str) -> date:
    """The day of a moment in the contract's zone."""
    from zoneinfo import ZoneInfo

    return said.astimezone(ZoneInfo(zone)).date()


def zone_of(entries: Iterable[LogEntry]) -> str:
    """The zone of the newest version that was registered."""
    plans = [decode_plan(x.body.plan) for e in entries for x in e.facts if isinstance(x.body, f.ContractRegistered)]
    return max(plans, key=lambda plan: plan.version).timezone if plans else "UTC"


def as_of(contract: str, entries: list[LogEntry], rules: Rules, day: date) -> AsOf:
    """The contract at the end of a day in its own zone. The first version of the plan is the frame and always counts;
    amendments count from their day on."""
    zone = zone_of(entries)
    dated = [(business_day(fact, zone), fact) for entry in entries for fact in entry.facts]
    frame = [fact for _, fact in dated if _is_frame(fact)]
    days: dict[date, list[f.Fact]] = {}
    for about, fact in dated:
        if about <= day and not _is_frame(fact):
            days.setdefault(about, []).append(fact)
    shadow = Shadow(State(contract), rules)
    shadow.tell(frame, midnight(min([day, *(about for about, _ in dated)]), zone))
    for about in sorted(days):
        moment = midnight(about, zone)
        shadow.pass_time(moment)
        shadow.tell(sorted(days[about], key=_registrations_first), moment)
    shadow.pass_time(midnight(later(day), zone) - 1)
    left_out = tuple((fact, about) for about, fact in dated if about > day and not _is_frame(fact))
    return AsOf(shadow.state, rules, left_out, zone)


def _is_frame(fact: f.Fact) -> bool:
    return isinstance(fact.body, f.ContractRegistered) and fact.body.version == 1


def _registrations_first(fact: f.Fact) -> tuple[bool, int]:
    is_plan = isinstance(fact.body, f.ContractRegistered)
    return not is_plan, fact.body.version if isinstance(fact.body, f.ContractRegistered) else 0
