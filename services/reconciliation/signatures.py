"""Signatures: which of them are valid (rule D4)."""

from __future__ import annotations

from collections.abc import Iterable

from contracts_schema.plan import Authority, Plan
from services.reconciliation.calendar import day_of, moment_of
from services.reconciliation.policy import Rules
from services.reconciliation.state import Slot


def valid_signatures(
    slots: Iterable[Slot], plan: Plan, rules: Rules, value: int, went_back: int | None
) -> list[tuple[str, Slot]]:
    """Each valid signature with its person: in a role asked for, within authority when signed, not taken back, and not
    superseded by a re-opening at the moment `went_back` (µs). `value` is the milestone's, in minor units (rule D4)."""
    slots = list(slots)
    taken_back = withdrawn(slots)
    return [
        (rules.person(slot.source, slot.body.by), slot)
        for slot in slots
        if slot.kind == "sign_off.given" and objection(slot, taken_back, plan, rules, value, went_back) is None
    ]


def withdrawn(slots: Iterable[Slot]) -> list[Slot]:
    """What takes signatures back."""
    return [slot for slot in slots if slot.kind == "sign_off.withdrawn"]


def objection(
    slot: Slot, taken_back: Iterable[Slot], plan: Plan, rules: Rules, value: int, went_back: int | None
) -> str | None:
    """Why a signature does not count (rule D4), as a sentence goes on; None: it is valid."""
    role, roles = slot.body.role, plan.sign_off.roles
    if went_back is not None and moment_of(slot.body.signed_at) <= went_back:
        return "the milestone was re-opened after it"
    if roles and role not in roles:
        return f"nobody asks for a signature as {role}"
    if not _is_entitled(slot, plan, rules, value):
        return f"no authority as {role} covers the value on {day_of(moment_of(slot.body.signed_at), plan.timezone)}"
    if any(_takes_back(other, slot, rules) for other in taken_back):
        return "it was withdrawn"
    return None


def _takes_back(taken: Slot, given: Slot, rules: Rules) -> bool:
    """Whether the same person takes back what they signed in that role, by whatever system, name or key."""
    one, other = rules.person(taken.source, taken.body.by), rules.person(given.source, given.body.by)
    return one == other and taken.body.role == given.body.role and taken.order[1] > given.order[1]


def _is_entitled(slot: Slot, plan: Plan, rules: Rules, value: int) -> bool:
    authority = plan.sign_off.authority
    return not authority or any(_grants(a, slot, plan, rules, value) for a in authority)


def _grants(authority: Authority, slot: Slot, plan: Plan, rules: Rules, value: int) -> bool:
    day = day_of(moment_of(slot.body.signed_at), plan.timezone)
    same = rules.person(slot.source, slot.body.by) == rules.person("register", authority.person)
    begun = authority.from_ is None or authority.from_ <= day
    in_time = begun and (authority.until is None or day <= authority.until)
    enough = authority.up_to is None or value <= authority.up_to
    return same and authority.role == slot.body.role and in_time and enough
