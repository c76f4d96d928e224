"""Merging a fact into what is known: keep the newest by (version, time, mapper, id) of each subject.

Why newest-wins is safe: the order of two facts of a subject lies in the facts themselves, never in their arrival, so
any order and any repetition folds to the same slots (law 1, law 2). What needs more than the newest word is kept beside
it: fields that a newer fact left out, every assessment, and whether a source said two things under one identity.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import Any

from msgspec import UNSET, structs

from contracts_schema import facts as f
from contracts_schema.own_facts import DocumentRenewed, KeysClaimedElsewhere, MessageRedriven, MessageUnreadable
from services.reconciliation.crosswalk import Index, Place
from services.reconciliation.elsewhere import away, set_aside
from services.reconciliation.state import Order, Slot, State, order_of, packed
from services.reconciliation.subject import BEGIN_AND_END, content_of, identity_of, subject_of
from services.reconciliation.versions import taken_over_by

# Kinds whose fields a source may leave out (rule A4); every other fact is whole.
_BY_FIELD = (f.Scheduled, f.Assessed, f.GoodsReceived, f.InvoiceReceived)
_NEVER_PARKED = (*f.BY_MILEPOST, f.ContractRegistered)


class Merged(StrEnum):
    """What became of a fact. Every record has one recorded outcome."""

    APPLIED = "applied"
    STALE = "stale"
    DUPLICATE = "duplicate"
    PARKED = "parked"
    REPEATED_VERDICT = "quarantined"
    REFUSED = "refused"
    DEFERRED = "deferred"


class Seen:
    """Which events a contract has met, with what content: sixteen bytes an event, searched as they lie."""

    def __init__(self, raw: bytes) -> None:
        self._raw = bytearray(raw)
        self.unsettled = False  # one event id stands for statements on two subjects, wherever they are

    def told(self, identity: bytes) -> list[bytes]:
        """The contents with which this event has been met: the same again is a repeat, another a contradiction."""
        raw, found = self._raw, []
        at = raw.find(identity)
        while at >= 0:
            if at % 16 == 0:  # else it lies across two events, where it means nothing
                found.append(bytes(raw[at + 8 : at + 16]))
            at = raw.find(identity, at + 1)
        return found

    def add(self, identity: bytes, content: bytes) -> None:
        """Remember one event."""
        self._raw += identity + content

    def packed(self) -> bytes:
        """All of them, as the state keeps them."""
        return bytes(self._raw)


def merge(state: State, seen: Seen, fact: f.Fact, origin: str, index: Index | None) -> Merged:
    """Fold one fact into the state. A fact that belongs to no milestone yet is kept and marked as parked."""
    identity, content = identity_of(fact), content_of(fact)
    if state.verdicts and identity + content in state.verdicts:
        return Merged.REPEATED_VERDICT
    if fact.document is not None and _is_no_news(state, fact):
        return Merged.DUPLICATE
    slot = state.slots.get(subject := subject_of(fact))
    confirmed = _note_edition(state, slot, fact)
    told = seen.told(identity)
    if content in told or _is_same_doubt(slot, fact):
        return Merged.APPLIED if confirmed else Merged.DUPLICATE
    id_clash = bool(told) and type(fact.body) is not MessageUnreadable  # which states nothing
    seen.add(identity, content)
    if slot is None:
        slot = state.slots[subject] = _new_slot(fact, content)
        slot.clash = id_clash
        slot.parked = _parked(state, index, fact)
        merged = Merged.APPLIED
    else:
        address = slot.address
        merged = _fold(slot, fact, content, id_clash)
        if slot.address is not address and slot.address != address:
            slot.parked = _parked(state, index, fact)  # a newer version of the document has it stand elsewhere
    if id_clash:
        _clash_elsewhere(state, slot, fact)
        seen.unsettled = True
    if type(fact.body) is MessageUnreadable and not is_redriven(fact.source, fact.body, state.slots.values()):
        state.verdicts.append(fact.body.digest)
    elif type(fact.body) is MessageRedriven:
        _judge_anew(state, fact.source, fact.body)
    elif type(fact.body) is KeysClaimedElsewhere:
        set_aside(state, index)
    if slot.parked:
        slot.waiting = [*(slot.waiting or ()), origin]
        return Merged.PARKED
    return merged


def _is_no_news(state: State, fact: f.Fact) -> bool:
    """Whether the contract knows an edition of the document that is as new, by its own parts or because it was told."""
    if type(fact.body) is not DocumentRenewed:
        return False
    return fact.edition <= state.documents.get(document_key(fact.source, fact.body.document), 0)


def _is_same_doubt(slot: Slot | None, fact: f.Fact) -> bool:
    """A repeat of an unreadable message, whatever the sentence says by now: the doubt dates from its first arrival."""
    return slot is not None and type(fact.body) is MessageUnreadable and slot.order[3] == fact.id


def is_redriven(source: str, doubt: MessageUnreadable, slots: Iterable[Slot]) -> bool:
    """Whether the record that raised the doubt was sent again and can be read now (rule A11)."""
    return any(
        slot.kind == "message.redriven" and slot.source == source and _is_of(doubt, slot.body.digests) for slot in slots
    )


def _is_of(doubt: MessageUnreadable, digests: Collection[bytes]) -> bool:
    return doubt.digest in digests or doubt.record in digests


def _judge_anew(state: State, source: str, body: MessageRedriven) -> None:
    """Forget the verdicts on a record, so that what it says counts from now on."""
    doubts = [s.body for s in state.slots.values() if s.kind == "message.unreadable" and s.source == source]
    over = {*body.digests, *(doubt.digest for doubt in doubts if _is_of(doubt, body.digests))}
    state.verdicts = [verdict for verdict in state.verdicts if verdict not in over]


def _new_slot(fact: f.Fact, content: bytes) -> Slot:
    slot = Slot(
        source=fact.source, kind=fact.kind, address=fact.address, order=order_of(fact, content), body=fact.body,
        latest=fact.time, document=fact.document, edition=fact.edition,
    )  # fmt: skip
    _note(slot, fact, slot.order)
    return slot


def _fold(slot: Slot, fact: f.Fact, content: bytes, id_clash: bool) -> Merged:
    """Fold a fact into a slot of its subject that is there already."""
    order = order_of(fact, content)
    newer = order > slot.order
    slot.latest = max(slot.latest, fact.time)
    _note_clash(slot, fact, order, id_clash)
    _note(slot, fact, order)
    body_before = slot.body
    if type(fact.body) in _BY_FIELD and type(fact.body) is type(slot.body):
        _fold_fields(slot, fact, order, newer)
    elif newer:
        slot.body = fact.body
    if newer:
        slot.order, slot.kind, slot.document = order, fact.kind, fact.document
        slot.address = fact.address
    return Merged.APPLIED if newer or slot.body != body_before else Merged.STALE


def _note_clash(slot: Slot, fact: f.Fact, order: Order, id_clash: bool) -> None:
    """Whether what stands here is contradicted: by its version, or by its event id (rule A2)."""
    if fact.version is not None and fact.version == slot.order[0]:
        slot.clash = slot.clash or id_clash or order[4] != slot.order[4]
        slot.repeats = sorted({*(slot.repeats or ()), fact.id, slot.order[3]})
    elif order > slot.order:
        slot.clash, slot.repeats = id_clash, None
    elif id_clash and _is_told_by(slot, fact.id):
        slot.clash = True


def _is_told_by(slot: Slot, event: str) -> bool:
    """Whether what stands here was said by this event, or repeated by it under the same version."""
    return slot.order[3] == event or event in (slot.repeats or ())


def _fold_fields(slot: Slot, fact: f.Fact, order: Order, newer: bool) -> None:
    """Each field keeps its own newest word (rule A4)."""
    if newer and slot.older is None and _left_out(fact.body) == _left_out(slot.body):
        slot.body = fact.body
        return
    older = dict(slot.older or {})
    changed: dict[str, Any] = {}
    for name in type(slot.body).__struct_fields__:
        said, known = getattr(fact.body, name), getattr(slot.body, name)
        field_order = None if known is UNSET else older.get(name, slot.order)
        if said is not UNSET and (field_order is None or order > field_order):
            changed[name] = said
            field_order = order
        if field_order is not None:
            older[name] = field_order
    newest = order if newer else slot.order
    slot.body = structs.replace(slot.body, **changed) if changed else slot.body
    slot.older = {name: o for name, o in older.items() if o != newest} or None


def _left_out(body: f.AnyBody) -> list[bool]:
    """Of each field, whether nothing was said about it."""
    return [said is UNSET for said in structs.astuple(body)]


def _note(slot: Slot, fact: f.Fact, order: Order) -> None:
    """What is kept of every fact, the newest or not."""
    body = fact.body
    if type(body) is f.Assessed:
        slot.history = slot.history or []
        insort(slot.history, (order, body.status), key=lambda e: e[0])
    elif type(body) is f.InvoiceReceived:
        if fact.version is None:
            _note_terms(slot, body)
    elif (kind := fact.kind) in BEGIN_AND_END:
        _note_kind(slot, kind, fact.time)
    if fact.document is not None:
        _note_creation(slot, fact.document)


def _note_kind(slot: Slot, kind: str, time: int) -> None:
    """When a beginning and when an end was last spoken of: a doubt about the one is not ended by the other (A11)."""
    said = slot.said or {}
    slot.said = said | {kind: max(time, said.get(kind, time))}


def _note_terms(slot: Slot, body: f.InvoiceReceived) -> None:
    """An unnumbered invoice that changes its net, currency or date contradicts itself until a numbered one (A3)."""
    terms = packed((body.net, body.issued_on))
    slot.terms_clash = slot.terms_clash or (slot.terms is not None and slot.terms != terms)
    slot.terms = terms if slot.terms is None else min(slot.terms, terms)


def _note_creation(slot: Slot, document: str) -> None:
    """`document@created` binds a key to the object that was created then; another one is a reused id (rule F8)."""
    created = document.partition("@")[2]
    if created and created not in (slot.created or ()):
        slot.created = sorted([*(slot.created or ()), created])


def contradicts(slot: Slot) -> bool:
    """Whether the source contradicts itself on this subject and has said nothing newer."""
    terms = slot.terms_clash and slot.order[0] < 0
    return slot.clash or terms or (slot.created is not None and len(slot.created) > 1)


def _clash_elsewhere(state: State, slot: Slot, fact: f.Fact) -> None:
    """One event id that stands for statements on two subjects contradicts itself on both (rule A2)."""
    for other in state.slots.values():
        if other is not slot and other.source == fact.source and _is_told_by(other, fact.id):
            other.clash = True


def _note_edition(state: State, slot: Slot | None, fact: f.Fact) -> bool:
    """Note the version of the vendor document; true where it confirms a subject that an older version had (F9)."""
    if fact.document is None or type(fact.body) is MessageUnreadable:
        return False
    key = document_key(fact.source, fact.document)
    state.documents[key] = max(fact.edition, state.documents.get(key, 0))
    if slot is None or fact.edition <= slot.edition:
        return False
    slot.edition = fact.edition
    return True


def document_key(source: str, document: str) -> str:
    """The vendor document that a fact is a part of, without the moment at which the object was created."""
    return f"{source}\x1f{document.partition('@')[0]}"


def is_void(state: State, slot: Slot) -> bool:
    """Whether a newer version of the vendor document no longer has this part (rule F9). A doubt is no part."""
    if slot.document is None or slot.kind == "message.unreadable":
        return False
    return slot.edition < state.documents.get(document_key(slot.source, slot.document), 0)


def _parked(state: State, index: Index | None, fact: f.Fact) -> str | None:
    """Why a new fact must wait. What Milepost says itself never does; a doubt falls on all that it may be about."""
    if type(fact.body) in _NEVER_PARKED:
        return None
    home = away(state, index, fact.address) or (Place.UNKNOWN if index is None else index.home(fact.address, fact.body))
    if home is Place.UNKNOWN and index is not None and taken_over_by(state, index, fact.kind, fact.address):
        return None
    return home.value if home in (Place.UNKNOWN, Place.AMBIGUOUS) else None
