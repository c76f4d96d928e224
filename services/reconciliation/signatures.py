"""Signatures: which of them are valid (rule D4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contracts_schema.plan import Authority
from services.reconciliation.calendar import day_of, moment_of
from services.reconciliation.state import Slot

if TYPE_CHECKING:
    from services.reconciliation.case import Case


def valid_signatures(case: Case) -> list[tuple[str, Slot]]:
    """Each valid signature with its person: in a role asked for, within authority when signed, and not superseded by
    a re-opening (rule D4)."""
    return [
        (case.rules.person(slot.source, slot.body.by), slot)
        for slot in case.of("sign_off.given", "sign_off")
        if slot.kind == "sign_off.given" and _is_entitled(case, slot) and not _is_superseded(case, slot)
    ]


def _is_superseded(case: Case, slot: Slot) -> bool:
    went_back = case.completion.went_back
    return went_back is not None and moment_of(slot.body.signed_at) <= went_back


def _is_entitled(case: Case, slot: Slot) -> bool:
    asked = case.plan.sign_off
    if asked.roles and slot.body.role not in asked.roles:
        return False
    return not asked.authority or any(_grants(case, slot, a) for a in asked.authority)


def _grants(case: Case, slot: Slot, authority: Authority) -> bool:
    day = day_of(moment_of(slot.body.signed_at), case.plan.timezone)
    same = case.rules.person(slot.source, slot.body.by) == case.rules.person("register", authority.person)
    in_time = (authority.from_ is None or authority.from_ <= day) and (
        authority.until is None or day <= authority.until
    )
    enough = authority.up_to is None or case.value <= authority.up_to
    return same and authority.role == slot.body.role and in_time and enough
