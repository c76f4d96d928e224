"""Checks of what the sources' words are worth."""

from __future__ import annotations

from collections.abc import Iterator

from contracts_schema.facts import BY_MILEPOST
from services.reconciliation.case import Case, Finding
from services.reconciliation.merge import contradicts, is_redriven, is_void
from services.reconciliation.standing import KINDS_OF, Kinds, of
from services.reconciliation.state import Slot, State
from services.reconciliation.subject import name_of

# What Milepost says itself is no word of a source, and ends no doubt.
_BY_MILEPOST: Kinds = frozenset().union(*(KINDS_OF[body] for body in BY_MILEPOST))


def readable(case: Case) -> Iterator[Finding]:
    """Whatever could not be read about the milestone is a doubt, until the source says something newer (rule A11).

    Or until that very record was sent again and can be read.
    """
    redriven = of(case.standing, "message.redriven")
    for doubt in of(case.standing, "message.unreadable"):
        if not _ended(doubt, case) and not is_redriven(doubt.source, doubt.body, redriven):
            yield Finding(doubt.source, f"{doubt.source}: {doubt.body.sentence}", (doubt.fact,))


def _ended(doubt: Slot, case: Case) -> bool:
    """Whether the same source (of a canonical event: the same kind) has since said something readable. What it said is
    over now and then (rule F9), and was readable all the same."""
    said = [slot for kind, slots in case.standing.items() if kind not in _BY_MILEPOST for slot in slots]
    if any(_is_newer(slot, doubt) for slot in said) or any(_is_newer(slot, doubt) for slot in _void_here(case)):
        return True
    return doubt.body.scope == "contract.registered" and _is_registered_anew(case.contract.state, doubt)


def _is_newer(slot: Slot, doubt: Slot) -> bool:
    return slot.source == doubt.source and _last_said(slot, doubt.body.scope) > doubt.order[1]


def _is_registered_anew(state: State, doubt: Slot) -> bool:
    """Registrations stand under no milestone: what ends a doubt about one is a version that is newer."""
    versions = state.plans.values()
    return any(v.order[1] > doubt.order[1] and v.fact.startswith(f"{doubt.source}/") for v in versions)


def _void_here(case: Case) -> Iterator[Slot]:
    """Parts of documents that stood at the milestone until a newer version no longer had them."""
    state, index = case.contract.state, case.contract.index
    void = (slot for slot in state.slots.values() if slot.document is not None and is_void(state, slot))
    return (slot for slot in void if index.home(slot.address, slot.body) == case.milestone.id)


def _last_said(slot: Slot, kind: str | None) -> int:
    """The newest own time of what was said here in that kind, or in any; below every time where nothing was."""
    if kind is None:
        return slot.latest
    return slot.latest if slot.said is None and slot.kind == kind else (slot.said or {}).get(kind, -1)


def consistent(case: Case) -> Iterator[Finding]:
    """No source says two things under one id or version and nothing newer (rules A2, A3, F8); nor does the register."""
    registered = case.contract.state.plans.get(case.plan.version)
    if registered is not None and registered.clash:
        detail = f"version {case.plan.version} of the contract was registered twice, with different content"
        yield Finding("register", detail, (registered.fact,))
    for slots in case.standing.values():
        for slot in slots:
            if (slot.clash or slot.terms_clash or slot.created) and contradicts(slot):
                yield Finding(
                    slot.source, f"{slot.source} contradicts itself about {slot.kind}{_which(slot)}", (slot.fact,)
                )
    for invoice in case.invoices:
        for name in invoice.contradicted_by:
            yield Finding(name, f"{name} contradicts itself about invoice {invoice.number}", invoice.facts)


def _which(slot: Slot) -> str:
    """Which invoice, document or dispute, where a fact speaks of more than the milestone."""
    name = name_of(slot.body)
    return f" {name}" if name else ""


def in_agreement(case: Case) -> Iterator[Finding]:
    """Systems agree on the fields whose conflict the contract lets hold payment (rule A9)."""
    for conflict in case.conflicts:
        if conflict.field in case.plan.hold_on_conflict:
            who = ", ".join(w.source for w in conflict.words)
            facts = tuple(fact for w in conflict.words for fact in w.facts)
            yield Finding(conflict.field, f"{who} differ on {conflict.field}", facts)
