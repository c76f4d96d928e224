"""What would be if: a change run over a contract's history in shadow, and how that differs from what stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from contracts_schema.facts import Fact
from services.history.differences import Difference, Line, Outcome, differences, lines, outcome
from services.history.shadow import Shadow, commands
from services.reconciliation.log import LogEntry
from services.reconciliation.policy import Rules
from services.reconciliation.state import State, decode_state, encode_state


class Step(NamedTuple):
    """Facts that come in one record at a moment (µs), or, without facts, time that passes until then."""

    moment: int
    facts: tuple[Fact, ...] = ()


class Result(NamedTuple):
    """How the contract comes out. `commands` are those that would go out beside, or instead of, those that went out;
    `refused` are the sentences of facts that would not be let in."""

    before: Outcome
    after: Outcome
    differences: list[Difference]
    commands: list[Line]
    refused: list[str]


def what_if(
    stored: State, decided_by: Rules, steps: Sequence[Step], now: int, waiting: Sequence[Fact] = ()
) -> Result:  # fmt: skip
    """Facts and time on top of what stands now. `waiting` are facts parked outside the contract that would find their
    home by them. Both sides are looked at with the time passed until `now`."""
    stands, changed = (Shadow(_copy(stored), decided_by) for _ in range(2))
    stands.pass_time(now)
    changed.pass_time(now)
    for step in steps:
        _take(changed, step)
    if waiting:
        changed.let_in(waiting)
    return _result(stored.contract, stands, changed, changed.entries[len(stands.entries) :])


def under_rules(
    entries: Sequence[LogEntry], stored: State, decided_by: Rules, rules: Rules, steps: Sequence[Step], now: int
) -> Result:  # fmt: skip
    """The whole history decided by other rules, as if these had always been in use, then `steps`. Commands are those
    that differ from the logged one of the same sequence."""
    stands, changed = Shadow(_copy(stored), decided_by), Shadow(State(stored.contract), rules)
    stands.pass_time(now)
    for entry in entries:
        changed.follow(entry)
    changed.pass_time(now)
    for step in steps:
        _take(changed, step)
    logged = {line.sequence: line.command_id for line in lines([*commands(entries), *stands.said])}
    result = _result(stored.contract, stands, changed, changed.entries)
    other = [line for line in result.commands if logged.get(line.sequence) != line.command_id]
    return result._replace(commands=other)


def _take(shadow: Shadow, step: Step) -> None:
    if step.facts:
        shadow.tell(step.facts, step.moment)
    else:
        shadow.pass_time(step.moment)


def _result(contract: str, stands: Shadow, changed: Shadow, new: Sequence[LogEntry]) -> Result:
    before, after = outcome(stands.state, stands.rules), outcome(changed.state, changed.rules)
    return Result(
        before, after, differences(contract, before, after), lines(commands(new)), list(changed.refused)
    )  # fmt: skip


def _copy(state: State) -> State:
    return decode_state(encode_state(state))
