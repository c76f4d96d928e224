"""What stands under each milestone: every slot at home where the crosswalk in force puts it."""

from __future__ import annotations

from services.reconciliation.crosswalk import Index, Place
from services.reconciliation.merge import is_void
from services.reconciliation.state import Slot, State
from services.reconciliation.subject import FAMILY

Standing = dict[str, list[Slot]]  # kind (of a pair its first) to the slots that count for one milestone
_NOTHING: list[Slot] = []


def of(standing: Standing, kind: str) -> list[Slot]:
    """The slots of one kind; an empty list where nobody has spoken."""
    return standing.get(kind, _NOTHING)


def place(state: State, index: Index) -> dict[str, Standing]:
    """Every milestone of the plan with what stands under it. Parked and void facts count nowhere."""
    placed: dict[str, Standing] = {milestone: {} for milestone in index.milestones}
    for slot in state.slots.values():
        if slot.parked or (slot.document is not None and is_void(state, slot)):
            continue
        kind = FAMILY.get(slot.kind, slot.kind)
        standing = placed.get(slot.address.milestone or "")
        if standing is not None:  # addressed by our own ids, as most are
            standing.setdefault(kind, []).append(slot)
            continue
        for milestone in _homes(slot, index):
            placed[milestone].setdefault(kind, []).append(slot)
    return placed


def _homes(slot: Slot, index: Index) -> list[str]:
    if slot.kind == "message.unreadable":
        return list(index.doubtful(slot.address))
    if slot.kind == "message.redriven":  # its doubts may have fallen on other milestones than what it says now
        return list(index.milestones)
    home = index.home(slot.address, slot.body)
    if isinstance(home, str):
        return [home]
    return list(index.milestones) if home is Place.EVERYWHERE else []
