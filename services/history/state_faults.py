"""How a stored state differs from the one that its log folds to."""

from __future__ import annotations

from collections.abc import Iterator

from services.reconciliation.react import catch_up
from services.reconciliation.state import MilestoneState, Slot, State, decode_state, encode_state

# What the log does not tell: when the contract was last looked at without a change, and what waits for an upgrade.
_NOT_TOLD = {"moment", "review", "decided_on", "rulebook", "frozen", "deferred"}


def state_faults(stored: State, folded: State) -> Iterator[str]:
    """A sentence for everything that the stored state has otherwise than its log says."""
    a, b = _comparable(stored), _comparable(folded)
    catch_up(b, stored.moment)
    for name in State.__struct_fields__:
        here, there = getattr(a, name), getattr(b, name)
        if name in _NOT_TOLD or here == there:
            continue
        if isinstance(here, dict) and isinstance(there, dict):
            yield from _entries(name, here, there)
        elif isinstance(here, bytes):
            yield f"{name} is not what the log folds to"
        else:
            yield f"{name} is {here}; the log folds to {there}"


def _entries(name: str, here: dict[str, object], there: dict[str, object]) -> Iterator[str]:
    for key in dict.fromkeys((*here, *there)):
        named = " ".join(part for part in str(key).split("\x1f") if part)
        a, b = here.get(key), there.get(key)
        if key not in there:
            yield f"{name}: {named} is stored and not in the log"
        elif key not in here:
            yield f"{name}: {named} is in the log and not stored"
        elif a != b:
            fields = [f for f in getattr(a, "__struct_fields__", ()) if getattr(a, f) != getattr(b, f, None)]
            said = "; ".join(f"{f} is {getattr(a, f)!s:.80}, the log says {getattr(b, f)!s:.80}" for f in fields)
            yield f"{name}: {named}: {said or 'differs'}"


def _comparable(state: State) -> State:
    """A copy without what the log does not tell of single parts: where records lay, when a milestone is due for a
    look, and the digest of what was last decided of it, whose form belongs to the program that wrote it."""
    copy = decode_state(encode_state(state))
    for slot in copy.slots.values():
        _forget(slot)
    for milestone in copy.milestones.values():
        _forget(milestone)
    return copy


def _forget(part: Slot | MilestoneState) -> None:
    if isinstance(part, Slot):
        part.waiting = None
    else:
        part.review, part.decided = None, b""
