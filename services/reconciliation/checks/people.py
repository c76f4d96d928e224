"""Checks of what persons did: holds, signatures, and duties kept apart."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from services.reconciliation.case import Case, Finding
from services.reconciliation.checks.proof import attached_evidence
from services.reconciliation.signatures import objection, withdrawn
from services.reconciliation.standing import at_one_place
from services.reconciliation.state import Slot


def no_manual_hold(case: Case) -> Iterator[Finding]:
    """A person's hold stands until a person lifts it; the machine never does (law 4)."""
    slots = case.of("hold.placed", "hold")
    for slot in slots:
        if slot.kind == "hold.placed" and not any(_lifts(other, slot) for other in slots):
            hold = slot.body
            yield Finding(hold.hold, f"{hold.by} placed hold {hold.hold}: {hold.reason}", (slot.fact,))


def _lifts(other: Slot, placed: Slot) -> bool:
    """Whether an operator's system lifts the same hold at the same place, later."""
    same = other.kind == "hold.lifted" and other.body.hold == placed.body.hold and at_one_place(other, placed)
    return same and other.order[1] > placed.order[1]


def signed_off(case: Case) -> Iterator[Finding]:
    """As many persons as the quorum asks for have signed; a quorum counts persons, not roles (rule D4)."""
    if not case.requires("signed_off"):
        return
    signatures = case.signatures
    persons, quorum = {person for person, _ in signatures}, case.plan.sign_off.quorum
    if len(persons) < quorum:
        detail = "; ".join([f"{len(persons)} of {quorum} valid signatures", *islice(_not_counted(case), 3)])
        yield Finding("signed_off", detail, tuple(s.fact for _, s in signatures))


def _not_counted(case: Case) -> Iterator[str]:
    """Who signed and does not count, and why: people would ask."""
    slots, back = case.of("sign_off.given", "sign_off"), case.completion.went_back
    taken_back = withdrawn(slots)
    for slot in slots:
        if slot.kind == "sign_off.withdrawn":
            continue
        why = objection(slot, taken_back, case.plan, case.rules, case.value, back)
        if why is not None:
            yield f"that of {case.rules.person(slot.source, slot.body.by)} does not count: {why}"


def signed_evidence_unchanged(case: Case) -> Iterator[Finding]:
    """The documents attached are those that the quorum has signed (rule D4)."""
    signatures = case.signatures
    if not signatures:
        return
    quorum = case.plan.sign_off.quorum
    if len({person for person, _ in signatures}) < quorum:
        return  # SIGN_OFF_MISSING is named instead
    attached = attached_evidence(case)
    changed = sorted(
        {n for _, s in signatures for n, sha in s.body.evidence.items() if attached.get(n, sha).lower() != sha.lower()}
    )
    for name in changed:
        present = {
            person for person, s in signatures if s.body.evidence.get(name, "").lower() == attached[name].lower()
        }
        if len(present) < quorum:
            facts = tuple(s.fact for _, s in signatures if name in s.body.evidence)
            detail = f"{name} was changed after it was signed; {len(present)} of {quorum} have signed the present one"
            yield Finding(name, detail, facts)


def duties_separated(case: Case) -> Iterator[Finding]:
    """Nobody does two of: claim delivery, sign, issue the invoice, lift a hold (rule D5)."""
    duties: dict[str, dict[str, list[str]]] = {}
    for duty, source, identity, fact in _acts(case):
        duties.setdefault(case.rules.person(source, identity), {}).setdefault(duty, []).append(fact)
    for person, acts in sorted(duties.items()):
        if len(acts) > 1:
            facts = tuple(fact for facts in acts.values() for fact in facts)
            yield Finding(person, f"{person} {' and '.join(acts)}", facts)


def _acts(case: Case) -> Iterator[tuple[str, str, str, str]]:
    for slot in case.of("delivery.claimed", "delivery"):
        if slot.body.by:
            yield "claimed delivery", slot.source, slot.body.by, slot.fact
    for _, slot in case.signatures:
        yield "signed", slot.source, slot.body.by, slot.fact
    for invoice in case.invoices:
        if invoice.stands:
            for source, identity in invoice.issuers:
                yield "issued the invoice", source, identity, invoice.facts[0]
    for slot in case.of("hold.placed", "hold"):
        if slot.kind == "hold.lifted":
            yield "lifted a hold", slot.source, slot.body.by, slot.fact
