"""How a stored state differs from the one that its log folds to."""

from __future__ import annotations

from collections.abc import Iterator

from services.reconciliation.react import catch_up
from services.reconciliation.state import State, decode_state, encode_state

# What the log does not tell: when the contract was last looked at without a change, when it is due for the next look,
# and what waits for an upgrade.
_NOT_TOLD = {"moment", "review", "decided_on", "rulebook", "frozen", "deferred", "notices_due"}
# Of a milestone: when it is due for the next look, and the digest of its last decision, whose form belongs to the
# program that wrote it. Where decisions were taken as logged, what only deciding can tell is not compared either.
_NOT_TOLD_OF_MILESTONES = {"review": None, "decided": b"", "notices_due": None}
_ONLY_DECIDING_TELLS: dict[str, object] = {"since": {}, "notices": {}}
_TOLD_BY_FACTS = {
    "revision", "sequence", "head", "in_force", "plans", "slots", "seen", "verdicts", "documents", "milestones",
}  # fmt: skip


def state_faults(stored: State, folded: State, *, taken: bool = False) -> Iterator[str]:
    """A sentence for everything that the stored state has otherwise than its log says. `taken`: decisions of some
    revisions were taken as logged, by rules that this program does not have."""
    a, b = _comparable(stored, taken), _comparable(folded, taken)
    catch_up(b, stored.moment)
    for name in State.__struct_fields__:
        here, there = getattr(a, name), getattr(b, name)
        if name in _NOT_TOLD or here == there or (taken and name not in _TOLD_BY_FACTS):
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


def _comparable(state: State, taken: bool) -> State:
    """A copy without what the log does not tell of single parts, such as where records lay."""
    copy = decode_state(encode_state(state))
    blank = _NOT_TOLD_OF_MILESTONES | (_ONLY_DECIDING_TELLS if taken else {})
    for slot in copy.slots.values():
        slot.waiting = None
    for milestone in copy.milestones.values():
        for name in blank.keys() & set(milestone.__struct_fields__):
            setattr(milestone, name, blank[name])
    return copy
