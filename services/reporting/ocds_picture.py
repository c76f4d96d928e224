"""A contract as OCDS 1.1 pictures it at one moment: parties, award, contract, implementation.

Names of people stay out of it: neither signers nor those who approved are published.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from contracts_schema.money import format_amount
from contracts_schema.plan import Milestone, Plan
from services.reconciliation.policy import Rules
from services.reconciliation.standing import Standing, of
from services.reconciliation.state import Slot
from services.reconciliation.words import completion

Json = dict[str, Any]
# Codes of the open codelist milestoneType, where it has one.
TYPES = {"payment": "payment", "deliverable": "delivery", "project": "project"}
STATUSES = {
    "draft": "pending", "active": "active", "suspended": "active", "terminated": "terminated", "closed": "terminated",
}  # fmt: skip
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+")


class Seen(NamedTuple):
    """What is known at one moment: the plan in force, what stands under each milestone, and the rules."""

    plan: Plan
    placed: Mapping[str, Standing]
    rules: Rules


class Past(NamedTuple):
    """What the plan in force does not tell any more: milestones that have left it, as they were last, what was paid for
    them, who had paid whom at the time, and the amendments so far."""

    milestones: dict[str, Json]
    payments: dict[str, Json]
    parties: dict[str, Json]
    amendments: list[Json]


def picture(seen: Seen, past: Past) -> Json:
    """Everything that is published of a contract."""
    plan = seen.plan
    supplier = _named(plan.supplier, plan.supplier_name)
    milestones = [*(milestone_of(m, seen) for m in plan.milestones), *past.milestones.values()]
    payments = {one["id"]: one for one in payments_of(seen)} | past.payments
    transactions = [one | past.parties.get(name, {}) for name, one in payments.items()]
    contract: Json = {
        "id": plan.contract, "awardID": plan.contract, "title": plan.title, "status": STATUSES[plan.status],
        "value": value(contract_value(plan), plan.currency),
        "implementation": {"milestones": milestones} | ({"transactions": transactions} if transactions else {}),
    }  # fmt: skip
    if past.amendments:
        contract["amendments"] = [*past.amendments]
    award = {"id": plan.contract, "title": plan.title, "status": "active", "suppliers": [supplier]}
    return {
        "parties": _parties(plan),
        "buyer": _named(plan.buyer, plan.buyer_name),
        "awards": [award],
        "contracts": [contract],
    }


def contract_value(plan: Plan) -> int:
    """The cap where there is one, else the sum of the milestones that are not contingencies, in minor units."""
    if plan.value_cap is not None:
        return plan.value_cap
    return sum(m.value or 0 for m in plan.milestones if m.contingency_for is None)


def value(minor: int, currency: str) -> Json:
    """An amount as a JSON number, with the currency's decimals and never by way of a float."""
    return {"amount": Decimal(format_amount(minor, currency)), "currency": currency}


def _named(identity: str, name: str | None) -> Json:
    return {"id": identity} | ({"name": name} if name else {})


def _parties(plan: Plan) -> list[Json]:
    supplier = _named(plan.supplier, plan.supplier_name) | {"roles": ["supplier", "payee"]}
    if plan.supplier_identifiers:
        supplier["additionalIdentifiers"] = [{"id": identifier} for identifier in plan.supplier_identifiers]
    if plan.buyer == plan.supplier:
        return [supplier | {"roles": ["buyer", "payer", "supplier", "payee"]}]
    return [_named(plan.buyer, plan.buyer_name) | {"roles": ["buyer", "payer"]}, supplier]


def milestone_of(milestone: Milestone, seen: Seen) -> Json:
    """One milestone: its due date is that of the plan, the rest is the word of those who are believed."""
    plan, standing = seen.plan, seen.placed[milestone.id]
    done = completion(standing, milestone, plan, seen.rules)
    made: Json = {"id": milestone.id, "title": milestone.title, "type": TYPES[milestone.kind], "status": done.status}
    if milestone.deliverables:
        made["description"] = "; ".join(": ".join(part.values()) for part in milestone.deliverables)
    if milestone.due is not None:
        made["dueDate"] = end_of(milestone.due, plan.timezone)
    if done.met_on is not None:
        made["dateMet"] = start_of(done.met_on, plan.timezone)
    documents = [*_documents(milestone.id, standing, seen)]
    return made | ({"documents": documents} if documents else {})


def _documents(milestone: str, standing: Standing, seen: Seen) -> Iterator[Json]:
    for slot in _believed(of(standing, "evidence.attached"), "evidence", seen):
        uri = slot.body.uri
        if slot.kind == "evidence.attached" and uri and _URI.fullmatch(uri):
            yield {
                "id": f"{milestone}/{slot.body.name}/{slot.source}", "title": slot.body.name, "url": uri,
                "description": f"SHA-256 {slot.body.sha256}",
            }  # fmt: skip


def payments_of(seen: Seen) -> Iterator[Json]:
    """Every payment of a milestone that finance tells, as a transaction."""
    plan = seen.plan
    for milestone in plan.milestones:
        for slot in _believed(of(seen.placed[milestone.id], "payment.made"), "payment", seen):
            yield {
                "id": f"{slot.source}/{slot.body.payment}/{milestone.id}",
                "date": start_of(slot.body.paid_on, plan.timezone), "value": value(*slot.body.amount),
                "payer": _named(plan.buyer, plan.buyer_name), "payee": _named(plan.supplier, plan.supplier_name),
                "relatedImplementationMilestone": {"id": milestone.id, "title": milestone.title},
            }  # fmt: skip


def _believed(slots: Sequence[Slot], field: str, seen: Seen) -> Iterator[Slot]:
    """Slots whose sources have authority, in an order of their own, since slots come as they arrived."""
    words = [slot for slot in slots if seen.rules.rank(seen.plan, field, slot.source) is not None]
    return iter(sorted(words, key=lambda slot: (slot.source, slot.order)))


def left(milestone: Json, successors: Sequence[str]) -> Json:
    """A milestone that has left the plan: what was met stays met, the rest is not met any more."""
    said = f"Replaced by {', '.join(successors)}." if successors else "No longer in the plan."
    before = milestone.get("description")
    status = "met" if milestone["status"] == "met" else "notMet"
    return milestone | {"status": status, "description": f"{before}; {said}" if before else said}


def start_of(day: date, zone: str) -> str:
    """The first second of a day in a zone."""
    return _shown(datetime.combine(day, time(), ZoneInfo(zone)))


def end_of(day: date, zone: str) -> str:
    """The last second of a day in a zone: what is due on a day is due until it ends."""
    return _shown(datetime.combine(day, time(23, 59, 59), ZoneInfo(zone)))


def _shown(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
