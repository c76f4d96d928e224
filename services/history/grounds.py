"""On what a milestone's decision rests: every fact that stands there, from which system, and why it counts or not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import UNSET, Struct, to_builtins

from contracts_schema.money import Money, format_amount
from services.reconciliation.calendar import show_moment
from services.reconciliation.case import Case
from services.reconciliation.contract_case import ContractCase
from services.reconciliation.crosswalk import index_of
from services.reconciliation.invoices import Invoice
from services.reconciliation.merge import contradicts, is_void
from services.reconciliation.policy import DEFAULT_AUTHORITY, FIELD_OF, Rules
from services.reconciliation.state import Slot, State

_WHY_MILEPOST_SAYS_IT = {
    "message.unreadable": "a doubt holds until something newer can be read (rule A11)",
    "message.redriven": "the record was sent again and can be read: its doubt is over (rule A11)",
    "invoice.claimed_elsewhere": "found in the claims of all contracts (rule D8)",
    "keys.claimed_elsewhere": "found in the keys that all contracts claim (rules A10, B5)",
    "commands.adopted": "finance had been told so before this store was restored or built anew",
}
_ONE_WORD = {"milestone.assessed", "milestone.scheduled", "value.agreed", "goods.received"}  # one source's word counts


class Ground(Struct, frozen=True):
    """One fact: who said what when, and whether and why it counts."""

    kind: str
    source: str
    role: str | None
    fact: str
    said_at: str
    version: int | None
    says: str
    counts: bool
    why: str


def grounds(state: State, rules: Rules) -> dict[str, tuple[Ground, ...]]:
    """For each milestone of the plan in force everything that was said about it, what counts first."""
    if state.in_force == 0:
        return {}
    index = index_of(state.plans[state.in_force].plan)
    contract = ContractCase(state, index, state.moment, rules)
    found = {}
    for name, case in contract.cases.items():
        standing = [_ground(case, slot) for slots in case.standing.values() for slot in slots]
        idle = [_idle(state, slot, rules) for slot in state.slots.values() if _is_idle(state, slot, name)]
        rest = sorted((*standing, *idle), key=lambda g: (not g.counts, g.kind, g.source, g.said_at))
        found[name] = (_plan(state, rules), *rest)
    return found


def _plan(state: State, rules: Rules) -> Ground:
    version = state.plans[state.in_force]
    source, _, _ = version.fact.partition("/")
    amendment = index_of(version.plan).plan.amendment
    since = f", amendment {amendment.id} approved by {amendment.approved_by}" if amendment else ""
    waiting = sorted(v for v in state.plans if v > state.in_force)
    later = f"; {', '.join(map(str, waiting))} registered and not in force" if waiting else ""
    return Ground(
        "contract.registered", source, rules.roles.get(source), version.fact, show_moment(version.order[1]), None,
        f"version {state.in_force} of the plan{since}", True, f"the highest version in force{later}",
    )  # fmt: skip


def _ground(case: Case, slot: Slot) -> Ground:
    counts, why = _verdict(case, slot)
    return _told(slot, case.rules, counts, why)


def _told(slot: Slot, rules: Rules, counts: bool, why: str) -> Ground:
    version = slot.order[0] if slot.order[0] >= 0 else None
    return Ground(
        slot.kind, slot.source, rules.roles.get(slot.source), slot.fact, show_moment(slot.order[1]), version,
        says(slot.body), counts, why,
    )  # fmt: skip


def _is_idle(state: State, slot: Slot, milestone: str) -> bool:
    ours = slot.address.milestone == milestone
    return ours and (slot.parked is not None or is_void(state, slot))


def _idle(state: State, slot: Slot, rules: Rules) -> Ground:
    void = is_void(state, slot)
    why = "a newer version of the document has it no more (rule F9)" if void else f"it waits: {slot.parked} (rule A10)"
    return _told(slot, rules, False, why)


def _verdict(case: Case, slot: Slot) -> tuple[bool, str]:
    field = FIELD_OF.get(slot.kind)
    if field is None:
        return True, _WHY_MILEPOST_SAYS_IT.get(slot.kind, "Milepost found it")
    believed = case.plan.authority.get(field) or DEFAULT_AUTHORITY[field]
    rank = case.rules.rank(case.plan, field, slot.source)
    if rank is None:
        return False, f"kept and shown, not used: about {field} {_listed(believed)} is believed (rule A8)"
    other = _overruled_by(case, slot, field, rank)
    if other:
        return False, f"kept and shown, not used: {other} is believed first about {field}"
    clash = "; the source contradicts itself here, and that holds (rule A2)" if contradicts(slot) else ""
    return _special(case, slot) or (True, f"{_newest(slot)}; {believed[rank]} is believed about {field}{clash}")


def _overruled_by(case: Case, slot: Slot, field: str, rank: int) -> str | None:
    """The source of higher authority that has spoken, where one source's word counts."""
    if slot.kind not in _ONE_WORD:
        return None
    best = rank, slot.source
    for other in case.standing[slot.kind]:
        theirs = case.rules.rank(case.plan, field, other.source)
        if theirs is not None and theirs < best[0]:
            best = theirs, other.source
    return None if best[1] == slot.source else best[1]


def _special(case: Case, slot: Slot) -> tuple[bool, str] | None:
    """Why an invoice, a signature or a waiver does not count although its source is believed."""
    if slot.kind == "invoice.received":
        return _invoice(case, slot)
    if slot.kind == "sign_off.given" and not any(signed is slot for _, signed in case.signatures):
        against = "role, authority, a withdrawal or a re-opening speak against it"
        why = against if case.requires("signed_off") else "not asked for"
        return False, f"not a valid signature: {why} (rule D4)"
    if slot.kind == "reason.waived" and (slot.body.code, slot.body.cause or "") not in case.waived:
        return False, "the waiver has ended, or one person asked for it and approved it (rule D6)"
    return None


def _invoice(case: Case, slot: Slot) -> tuple[bool, str] | None:
    if any(slot.fact in invoice.facts for invoice in case.counting):
        return None
    for invoice in case.invoices:
        if slot.fact in invoice.facts:
            return False, _why_not(invoice)
    return False, "another system's word about this invoice is believed first (rule C3)"


def _why_not(invoice: Invoice) -> str:
    if not invoice.stands:
        return f"the invoice does not stand: it is {invoice.state}"
    if not invoice.right_supplier:
        return "it is another supplier's (rule B7)"
    return "no rate for its currency (rule D3)" if invoice.worth is None else "what it credits has gone (rule C3)"


def _newest(slot: Slot) -> str:
    number = f"version {slot.order[0]}" if slot.order[0] >= 0 else "by its time"
    older = sorted(slot.older or ())
    kept = f", with {_listed(older)} from an older word" if older else ""
    return f"the newest word of {slot.source} ({number}){kept}"


def says(body: Any) -> str:
    """What a fact says, field by field."""
    return ", ".join(f"{name} {text}" for name, text in _fields(body))


def _fields(body: Any) -> Iterator[tuple[str, str]]:
    for name in body.__struct_fields__:
        value = getattr(body, name)
        if value is UNSET or value is None or isinstance(value, bytes):
            continue
        if isinstance(value, Money):
            yield name, f"{format_amount(value.minor, value.currency)} {value.currency}"
        elif isinstance(value, dict):
            yield name, _listed([f"{k} {v}" for k, v in value.items()]) or "none"
        elif isinstance(value, tuple):
            yield name, _listed([str(to_builtins(v)) for v in value if not isinstance(v, bytes)])
        else:
            yield name, str(to_builtins(value))


def _listed(names: Any) -> str:
    return ", ".join(str(name) for name in names)
