"""A contract reacts, and what goes wrong stays with it: its neighbours are decided, and nothing is lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from services.reconciliation.merge import Merged
from services.reconciliation.policy import Rules
from services.reconciliation.react import Outcome, Reaction, react
from services.reconciliation.state import Arrival, State, decode_state, encode_state
from services.runtime.sizes import CommandSizes, CommandTooLargeError

NOWHERE = ""  # where a fact lies that Milepost says itself: in no topic


class Step(NamedTuple):
    """One look at a contract: what has arrived for it, the latest moment that a record may claim (µs), and why it was
    woken, if it was."""

    arrivals: Sequence[Arrival]
    bound: int
    wake: str | None = None


class Contained(NamedTuple):
    """The state after a step, what followed, and the defect that froze the contract, if one did."""

    state: State
    reaction: Reaction
    defect: str | None = None


class Containment:
    """Lets contracts react. `release` names this version of the code, for contracts that it cannot decide."""

    def __init__(self, rules: Rules, release: str, sizes: CommandSizes) -> None:
        self._rules = rules
        self._release = release
        self._sizes = sizes

    def react(self, state: State, raw: bytes | None, step: Step) -> Contained:
        """One step of a contract whose state is encoded in `raw` (None: it is new); the state is changed in place.

        A defect freezes the contract: its facts are kept, its last command stands.
        """
        if state.frozen == self._release:
            state.deferred += step.arrivals
            return Contained(state, Reaction(outcomes=_deferred(step.arrivals)))
        if state.deferred:
            step = step._replace(arrivals=sorted([*state.deferred, *step.arrivals], key=_is_heard))
        return self._react(state, raw, step)

    def _react(self, state: State, raw: bytes | None, step: Step) -> Contained:
        contract = state.contract
        try:
            state.frozen, state.deferred = None, []
            reaction = react(state, step.arrivals, step.bound, self._rules, wake=step.wake)
            self._sizes.check(reaction)
        except CommandTooLargeError as fault:
            if step.wake is None:
                return self._without_excess(contract, raw, step, fault)
            return self._freeze(contract, raw, step.arrivals, fault)  # it came of what was known already
        except Exception as defect:  # noqa: BLE001 -- contained: one contract must not stop its neighbours
            return self._freeze(contract, raw, step.arrivals, defect)
        return Contained(state, reaction)

    def _freeze(self, contract: str, raw: bytes | None, arrivals: Sequence[Arrival], defect: Exception) -> Contained:
        state = _state_of(contract, raw)
        state.frozen, state.deferred = self._release, list(arrivals)
        return Contained(state, Reaction(outcomes=_deferred(arrivals)), f"{type(defect).__name__}: {defect}")

    def _without_excess(self, contract: str, raw: bytes | None, step: Step, fault: CommandTooLargeError) -> Contained:
        """What makes a command too large to send is refused, all else counts."""
        state = _state_of(contract, raw)
        state.deferred = []
        if len(step.arrivals) < 2:
            refused = [Outcome(a.origin, Merged.REFUSED, f.address, str(fault)) for a in step.arrivals for f in a.facts]
            return Contained(state, Reaction(outcomes=refused))
        whole, defect = Reaction(), None
        for arrival in step.arrivals:
            waiting = state.deferred  # a defect on the way froze the contract
            part = self._react(state, encode_state(state), step._replace(arrivals=[*waiting, arrival]))
            state, whole, defect = part.state, joined(whole, part.reaction), part.defect or defect
        return Contained(state, whole, defect)


def _is_heard(arrival: Arrival) -> bool:
    """What Milepost says itself goes before what it hears."""
    return arrival.origin != NOWHERE


def _state_of(contract: str, raw: bytes | None) -> State:
    return decode_state(raw) if raw else State(contract)


def _deferred(arrivals: Sequence[Arrival]) -> list[Outcome]:
    return [Outcome(a.origin, Merged.DEFERRED, fact.address) for a in arrivals for fact in a.facts]


def joined(first: Reaction, then: Reaction) -> Reaction:
    """Two reactions of one contract, one after the other."""
    return Reaction(
        [*first.rows, *then.rows], [*first.entries, *then.entries], [*first.outcomes, *then.outcomes],
        [*first.unparked, *then.unparked], [*first.ambiguous, *then.ambiguous],
    )  # fmt: skip
