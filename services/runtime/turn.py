"""One contract's turn in a transaction: from the bytes that the store has to those that it gets, and what followed.

A turn can be taken again, from the same bytes, with what was found out meanwhile: nothing of it counts before it is
written.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from contracts_schema.facts import Address, Fact
from contracts_schema.own_facts import InvoiceClaimedElsewhere, KeysClaimedElsewhere
from contracts_schema.records import SPEAKER
from services.reconciliation.claims import Claims, Identity
from services.reconciliation.react import Reaction
from services.reconciliation.state import Arrival, State, decode_state, encode_state
from services.reconciliation.subject import subject_of
from services.runtime.containment import NOWHERE, Containment, Step, joined
from services.runtime.known import KnownStates
from services.runtime.routing import plan_in_force


class Turn:
    """What was before, and what is after its steps. `looks` asks what other contracts claim, whatever has changed."""

    def __init__(
        self, contract: str, raw: bytes | None, steps: Sequence[Step], known: KnownStates, containment: Containment,
        *, looks: bool = False,
    ) -> None:  # fmt: skip
        self.contract = contract
        self.raw = raw
        self.steps = steps
        self.looks = looks
        self._containment = containment
        state = known.take(contract, raw) if raw else State(contract)
        self.claims_before: Claims = state.claims
        self.plan_before = plan_in_force(state)
        self.review_before = state.review
        self._revision = state.revision
        self._run(state, steps)
        self.claims: Claims = self.state.claims  # also where the contract freezes when it is told of others'

    def go_on(self, steps: Sequence[Step]) -> None:
        """Take further steps behind those that were taken, which have shown that they are needed."""
        self.steps = [*self.steps, *steps]
        self._follow(self.state, self.encoded, steps)
        self.claims = self.state.claims

    def _run(self, state: State, steps: Sequence[Step]) -> None:
        self._reactions, self.defects = list[Reaction](), list[str]()
        self._follow(state, self.raw, steps)

    def _follow(self, state: State, encoded: bytes | None, steps: Sequence[Step]) -> None:
        for step in steps:
            state, reaction, defect = self._containment.react(state, encoded, step)
            encoded = encode_state(state)
            self._reactions.append(reaction)
            self.defects += [defect] if defect else []
        self.reaction = reduce(joined, self._reactions) if self._reactions else Reaction()
        if state.frozen:  # what others claim is found anew when the contract can be decided
            kept = [arrival for arrival in state.deferred if not _is_found_anew(arrival)]
            if len(kept) < len(state.deferred):
                state.deferred = kept
                encoded = encode_state(state)
        self.state, self.encoded = state, encoded

    @property
    def reacted(self) -> bool:
        """Whether anything was done at all."""
        return bool(self.steps) or self.encoded is not self.raw

    def was_told(self, number: str, identity: Identity) -> InvoiceClaimedElsewhere | None:
        """What it knows of others' claims of one of its invoices."""
        nothing = InvoiceClaimedElsewhere(identity[0], number, identity[1])
        slot = self.state.slots.get(subject_of(self._fact(nothing, 0)))
        return slot.body if slot is not None and slot.body.claims else None

    def tell(self, found: Sequence[InvoiceClaimedElsewhere], now: int) -> None:
        """Take the turn again, with what was found of others' claims said first: nothing is released before it."""
        first = self.steps[0] if self.steps else Step((), now, "")
        moment = self._before_review(first.arrivals[0].timestamp if first.arrivals else now)
        said = Arrival(tuple(self._fact(body, moment) for body in found), moment, NOWHERE)
        if first.arrivals and first.wake is None:
            steps = [first._replace(arrivals=[said, *first.arrivals]), *self.steps[1:]]
        else:
            steps = [Step([said], max(moment, first.bound)), *self.steps]
        self._run(decode_state(self.raw) if self.raw else State(self.contract), steps)

    def _before_review(self, moment: int) -> int:
        """A review that is due meanwhile runs after what is said, in its own time (rule A5)."""
        return moment if self.review_before is None else min(moment, self.review_before - 1)

    def _fact(self, body: InvoiceClaimedElsewhere, moment: int) -> Fact:
        """Each is newer than the one before, because the contract's revisions rise."""
        version = self._revision + 1
        name = f"claims/{body.supplier}/{body.number}/{body.business_unit or ''}/{version}"
        return Fact(SPEAKER, name, Address(self.contract), moment, body, version)


def _is_found_anew(arrival: Arrival) -> bool:
    return all(isinstance(fact.body, InvoiceClaimedElsewhere | KeysClaimedElsewhere) for fact in arrival.facts)
