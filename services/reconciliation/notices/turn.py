"""Which notices are worked out anew in a revision, and what that leaves in the state."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from contracts_schema.notices import NoticeKind
from services.reconciliation.contract_case import ContractCase
from services.reconciliation.decide import withdrawn
from services.reconciliation.log import ToldNotice
from services.reconciliation.notices import LOOKS_AT, LOOKS_AT_IN_ALL, concerns_of, concerns_of_all
from services.reconciliation.notices.concern import Concern
from services.reconciliation.notices.tell import Teller, since_of
from services.reconciliation.state import MilestoneState


def tell_people(contract: ContractCase, changed: Collection[str], *, thoroughly: bool) -> list[ToldNotice]:
    """What people are told after a decision: of the milestones whose decision has `changed`, of those to which facts
    came that notices look at, or (`thoroughly`) of all. What is open is kept in the state."""
    state, told = contract.state, list[ToldNotice]()
    teller = Teller(contract.plan, contract.rules.policy.notices, contract.today, state.revision + 1)
    of_all = thoroughly or bool(state.notices)
    for name, kinds in contract.wanted.items():
        of_all = of_all or not kinds.isdisjoint(LOOKS_AT_IN_ALL)
        if thoroughly or name in changed or not kinds.isdisjoint(LOOKS_AT):
            known = state.milestones[name]
            concerns = concerns_of(contract.cases[name], contract.positions[name], known.since)
            if concerns or known.notices:
                known.notices, said, known.notices_due = teller.tell(name, known.notices, concerns)
                told += said
            else:
                known.notices_due = None
    if of_all:
        state.notices, said, state.notices_due = teller.tell(None, state.notices, concerns_of_all(contract))
        told += said
    if thoroughly:
        told += _of_milestones_that_went(contract, teller)
    return told


def _of_milestones_that_went(contract: ContractCase, teller: Teller) -> Iterator[ToldNotice]:
    """A milestone that is no longer in the plan has no notices, unless money had gone out for it (rule D11)."""
    state = contract.state
    gone = withdrawn(state, contract.index)
    for name, known in state.milestones.items():
        if name not in contract.index.milestones:
            concerns = [concern_of_withdrawn(known)] if name in gone else []
            known.notices, said, known.notices_due = teller.tell(name, known.notices, concerns)
            yield from said


def concern_of_withdrawn(known: MilestoneState) -> tuple[NoticeKind, Concern]:
    """The cause of the notice about a milestone that left the plan after money was released for it."""
    detail = "it left the plan after money was released for it"
    return NoticeKind.WITHDRAWN, Concern("WITHDRAWN", None, known.released, detail)


def due_without_deciding(contract: ContractCase) -> list[int]:
    """The days (ordinals) on which time alone may bring a notice, of a contract that was decided to be looked at."""
    state = contract.state
    teller = Teller(contract.plan, contract.rules.policy.notices, contract.today, state.revision + 1)
    due = [teller.tell(None, state.notices, concerns_of_all(contract)).due]
    for name, case in contract.cases.items():
        concerns = concerns_of(case, contract.positions[name], since_of(contract, name))
        due.append(teller.tell(name, state.milestones[name].notices, concerns).due)
    return [day for day in due if day is not None]
