"""Commands that finance has seen and this store never issued: numbers go on above them, and released never falls."""

from __future__ import annotations

from collections.abc import Container, Sequence

from contracts_schema.facts import Address, Fact
from contracts_schema.own_facts import CommandsAdopted
from contracts_schema.records import SPEAKER
from services.reconciliation.state import State

NEVER = -1  # as what is held: a command that said so was never sent, so the next one differs from it


def adoption_fact(contract: str, sequence: int, released: dict[str, int], moment: int) -> Fact:
    """What `milepost db adopt` says into a contract's log; the newest counts."""
    body = CommandsAdopted(sequence, dict(sorted(released.items())))
    return Fact(SPEAKER, f"adopted/{sequence}/{moment}", Address(contract), moment, body)


def adopted(state: State) -> CommandsAdopted | None:
    """What was taken over, if anything."""
    slot = state.slots.get(f"{SPEAKER}\x1fcommands.adopted\x1f\x1f{state.contract}\x1f")  # the subject of such a fact
    return None if slot is None else slot.body


def take_over(state: State, facts: Sequence[Fact], in_plan: Container[str]) -> None:
    """Number on above what finance has seen, and keep what it was told is released. In the revision that hears of it,
    every milestone of the plan in force says its state anew, since nobody knows what it said last."""
    known = adopted(state)
    if known is None:
        return
    state.sequence = max(state.sequence, known.sequence)
    for name, released in known.released.items():
        milestone = state.milestones.get(name)
        if milestone is not None and not milestone.replaced_by:
            milestone.released = max(milestone.released, released)
    if any(type(fact.body) is CommandsAdopted for fact in facts):
        for name, milestone in state.milestones.items():
            if milestone.last is not None and name in in_plan:
                milestone.last.held = NEVER
