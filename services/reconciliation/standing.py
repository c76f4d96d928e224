"""What stands under each milestone: every slot at home where the crosswalk in force puts it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import get_args

from contracts_schema.facts import AnyBody
from services.reconciliation.crosswalk import Index, Place
from services.reconciliation.elsewhere import away
from services.reconciliation.merge import document_key, is_void
from services.reconciliation.state import Slot, State
from services.reconciliation.subject import FAMILY
from services.reconciliation.versions import taken_over_by

Standing = dict[str, list[Slot]]  # kind (of a pair its first) to the slots that count for one milestone
Kinds = frozenset[str]  # kinds of facts, of a pair its first
KINDS_OF: Mapping[type, Kinds] = {
    body: frozenset({FAMILY.get(tag, tag)}) for body in get_args(AnyBody) for tag in [body.__struct_config__.tag]
}
EVERY_KIND: Kinds = frozenset().union(*KINDS_OF.values())
NO_KIND: Kinds = frozenset()
_NOTHING: list[Slot] = []


def of(standing: Standing, kind: str) -> list[Slot]:
    """The slots of one kind; an empty list where nobody has spoken."""
    return standing.get(kind, _NOTHING)


def at_one_place(one: Slot, other: Slot) -> bool:
    """Whether two facts that stand at one milestone are both said of it, or both of all of its contract. By which key
    makes no difference: what a portal opens under its own, an operator ends under ours (rule D7)."""
    return _is_contract_wide(one) == _is_contract_wide(other)


def _is_contract_wide(slot: Slot) -> bool:
    return slot.address.contract is not None and slot.address.milestone is None


def place(state: State, index: Index, placed: Mapping[str, Standing], after: int = 0) -> int:
    """Put the slots `after` so many under their milestones; how many there are now. A slot never moves while its plan
    is in force. Parked and void facts count nowhere."""
    doubted: list[Slot] = []
    for slot in islice(state.slots.values(), after, None):
        if slot.document is not None:
            if slot.kind == "message.unreadable":
                doubted.append(slot)
                continue
            if is_void(state, slot):
                continue
        if slot.parked:
            continue
        kind = FAMILY.get(slot.kind, slot.kind)
        standing = placed.get(slot.address.milestone or "")
        if standing is not None and kind != "message.redriven":  # addressed by our own ids, as most are
            standing.setdefault(kind, []).append(slot)
            continue
        for milestone in _homes(slot, state, index):
            placed[milestone].setdefault(kind, []).append(slot)
    for doubt in doubted:
        _doubt_parts(doubt, placed)
    return len(state.slots)


def _doubt_parts(doubt: Slot, placed: Mapping[str, Standing]) -> None:
    """What could not be read of a document puts in doubt what an older version of it says, wherever that stands."""
    document = document_key(doubt.source, doubt.document or "")
    for standing in placed.values():
        slots = (slot for slots in standing.values() for slot in slots if slot.document is not None)
        if any(document_key(slot.source, slot.document or "") == document for slot in slots):
            standing.setdefault("message.unreadable", []).append(doubt)


def _homes(slot: Slot, state: State, index: Index) -> list[str]:
    if slot.kind == "message.unreadable":
        kind = slot.body.scope or ""  # an unreadable hold or dispute stands where a readable one would
        theirs = away(state, index, slot.address) is Place.UNKNOWN  # it falls on those whose key it is
        doubted = [] if theirs else list(index.doubtful(slot.address))
        return doubted or taken_over_by(state, index, kind, slot.address)
    if slot.kind == "document.renewed":
        return []  # it tells what is void, and nothing of its own
    if slot.kind == "message.redriven":  # its doubts may have fallen on other milestones than what it says now
        return list(index.milestones)
    home = index.home(slot.address, slot.body)
    if isinstance(home, str):
        return [home]
    if home is Place.EVERYWHERE:
        return list(index.milestones)
    return taken_over_by(state, index, slot.kind, slot.address, slot.stood)
