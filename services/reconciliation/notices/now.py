"""Open notices as they stand now, to be shown: what was told, with today's severity, step, amount and sentence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from contracts_schema.notices import SEVERITIES, NoticeKind, Severity
from services.reconciliation.contract_case import ContractCase
from services.reconciliation.crosswalk import index_of
from services.reconciliation.decide import decide
from services.reconciliation.notices import concerns_of, concerns_of_all
from services.reconciliation.notices.tell import BETWEEN, Found, Teller, owner_of, since_when, told_to
from services.reconciliation.notices.turn import concern_of_withdrawn
from services.reconciliation.policy import Rules
from services.reconciliation.state import MilestoneState, OpenNotice, State


class Shown(NamedTuple):
    """One open notice. `opened` is the revision that told of it, `since` the day (ordinal) from which it counts."""

    kind: NoticeKind
    milestone: str | None
    cause: str
    severity: Severity
    step: int
    owner: str
    told_to: str
    amount: int
    since: int
    opened: int
    detail: str
    facts: tuple[str, ...]


def notices_now(state: State, rules: Rules) -> list[Shown]:
    """Every open notice of a contract, the reddest first, then the oldest. A contract that cannot be decided is not
    decided to be shown: of it there is what people were told last."""
    if state.in_force == 0 or not _has_any(state):
        return []
    found = _as_last_told(state, rules) if state.frozen else _as_they_stand(state, rules)
    return sorted(found, key=lambda n: (-SEVERITIES.index(n.severity), n.since, n.milestone or "", n.kind, n.cause))


def _as_they_stand(state: State, rules: Rules) -> list[Shown]:
    contract = ContractCase(state, index_of(state.plans[state.in_force].plan), state.moment, rules)
    decide(contract)
    found = [*_shown(contract, None, state.notices, concerns_of_all(contract))]
    for name, known in state.milestones.items():
        found += _shown(contract, name, known.notices, _concerns(contract, name, known))
    return found


def _as_last_told(state: State, rules: Rules) -> list[Shown]:
    everywhere = {None: state.notices} | {name: known.notices for name, known in state.milestones.items()}
    return [
        Shown(
            NoticeKind(key.partition(BETWEEN)[0]), name, key.partition(BETWEEN)[2], SEVERITIES[was.severity], was.step,
            was.owner, told_to(rules.policy.notices, was.step, was.owner), 0, was.since, was.revision,
            "told before the contract was frozen", (),
        )
        for name, notices in everywhere.items()
        for key, was in notices.items()
    ]  # fmt: skip


def _has_any(state: State) -> bool:
    return bool(state.notices) or any(known.notices for known in state.milestones.values())


def _concerns(contract: ContractCase, name: str, known: MilestoneState) -> Found:
    if not known.notices:
        return ()
    if name not in contract.cases:
        return [concern_of_withdrawn(known)]
    position = contract.positions[name]
    return concerns_of(contract.cases[name], position, since_when(position, known.since, contract.moment))


def _shown(
    contract: ContractCase, milestone: str | None, known: dict[str, OpenNotice], found: Found
) -> Iterator[Shown]:
    policy = contract.rules.policy.notices
    teller = Teller(contract.plan, policy, contract.today, contract.state.revision)
    for kind, concern in found:
        was = known.get(f"{kind}{BETWEEN}{concern.cause}")
        if was is not None:
            now = teller.standing(kind, concern, was)
            owner = owner_of(now)
            yield Shown(
                kind, milestone, concern.cause, SEVERITIES[now.severity], now.step, owner,
                told_to(policy, now.step, owner), concern.amount, now.since.toordinal(), was.revision, concern.detail,
                concern.facts,
            )  # fmt: skip
