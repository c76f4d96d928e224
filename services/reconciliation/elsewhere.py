"""Keys that other contracts claim: what is said under them is not this contract's (rules A7, A10, B5).

Facts follow the crosswalk in force and not the order in which they came. So a key that two contracts claim is nobody's
also for what one of them had under it before, and what is given up goes to whoever claims it, with all that stood
there. A contract cannot see what others claim: it is told (`keys.claimed_elsewhere`), so that its log alone decides.
"""

from __future__ import annotations

from contracts_schema.facts import BY_MILEPOST, Address
from contracts_schema.own_facts import KeysClaimedElsewhere
from contracts_schema.records import SPEAKER
from services.reconciliation.crosswalk import Index, Key, Place
from services.reconciliation.state import Slot, State
from services.reconciliation.versions import stays

_BY_MILEPOST = frozenset(str(body.__struct_config__.tag) for body in BY_MILEPOST)
_NONE: tuple[Key, ...] = ()


def keys_elsewhere(state: State) -> tuple[Key, ...]:
    """The keys that others claim, as this contract was last told."""
    slot = state.slots.get(f"{SPEAKER}\x1fkeys.claimed_elsewhere\x1f\x1f{state.contract}\x1f")  # the fact's subject
    body: KeysClaimedElsewhere | None = None if slot is None else slot.body
    return _NONE if body is None else body.keys


def away(state: State, index: Index | None, address: Address) -> Place | None:
    """Why what is said of a system's keys is not this contract's: its first key that somebody claims is another's
    (unknown here), or another's too (ambiguous). None where it is ours, or bears our own ids."""
    if address.contract is not None:
        return None
    others = keys_elsewhere(state)
    for name in address.keys:
        key = (address.source or "", name)
        ours = index is not None and index.claims(key)
        if key in others:
            return Place.AMBIGUOUS if ours else Place.UNKNOWN
        if ours:
            return None
    return Place.UNKNOWN


def is_movable(slot: Slot) -> bool:
    """Whether a fact goes with its key. A person's hold or dispute that stands stays where it stood (law 4), and what
    Milepost says itself is said to this contract."""
    if slot.address.contract is not None or slot.kind in _BY_MILEPOST:
        return False
    return slot.parked is not None or not stays(slot.kind)


def set_aside(state: State, index: Index | None) -> None:
    """Let nothing count any more that is not this contract's; it stays known, and counts when its key comes back."""
    for slot in state.slots.values():
        if slot.parked is None and is_movable(slot):
            place = away(state, index, slot.address)
            slot.parked = None if place is None else place.value
