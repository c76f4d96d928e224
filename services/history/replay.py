"""A contract's history done again in shadow, by the present mappers and rules, and what would come out otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from msgspec import Struct
from msgspec.structs import replace

from contracts_schema.facts import ABOUT_MESSAGES, Fact
from contracts_schema.own_facts import MessageUnreadable
from services.history.differences import Difference, Line, differences, lines, outcome
from services.history.remapped import NOTHING, FactDifference, Otherwise, put_in_place
from services.history.shadow import Shadow, commands
from services.reconciliation.log import LogEntry
from services.reconciliation.policy import Rules
from services.reconciliation.state import State

Read = Mapping[bytes, tuple[Fact, ...]]  # by the SHA-256 of a record that was set aside: what it says now


class CommandDifference(Struct, frozen=True):
    """A command of the log beside the one of the same sequence that would go out now; either may be missing."""

    contract: str
    sequence: int
    logged: Line | None
    replayed: Line | None


class Replayed(Struct):
    """What would come out otherwise; nothing where all three lists are empty. `defect`: the contract cannot be decided
    by this version at all."""

    contract: str
    revisions: int = 0
    facts: list[FactDifference] = []
    positions: list[Difference] = []
    commands: list[CommandDifference] = []
    defect: str | None = None

    @property
    def differs(self) -> bool:
        """Whether anything comes out otherwise."""
        return bool(self.facts or self.positions or self.commands or self.defect)


def replay_contract(
    entries: Sequence[LogEntry], stored: State, decided_by: Rules, rules: Rules, read_now: Read,
    otherwise: Otherwise = MappingProxyType({}),
) -> Replayed:  # fmt: skip
    """Do the history again by `rules`, with what records say now that were set aside (`read_now`) or were used and say
    something else (`otherwise`). `decided_by` are the rules by which the stored state was decided."""
    found = Replayed(stored.contract, len(entries))
    shadow = Shadow(State(stored.contract), rules)
    try:
        anew = list(_read_anew(entries, read_now, found.facts))
        for entry in put_in_place(anew, otherwise, found.facts) if otherwise else anew:
            shadow.follow(entry)
        shadow.pass_time(stored.moment)
        after = outcome(shadow.state, rules)
    except Exception as defect:  # noqa: BLE001 -- what freezes a contract for real is what a replay has to tell
        found.defect = f"{type(defect).__name__}: {defect}"
        return found
    found.positions = differences(stored.contract, outcome(stored, decided_by), after)
    found.commands = list(_commands(stored.contract, lines(commands(entries)), lines(shadow.said)))
    return found


def _read_anew(entries: Iterable[LogEntry], read_now: Read, told: list[FactDifference]) -> Iterator[LogEntry]:
    """The revisions with what records say that could not be read then; each once, where its first doubt stood."""
    used: set[bytes] = set()
    for entry in entries:
        facts: list[Fact] = []
        for fact in entry.facts:
            if not isinstance(fact.body, MessageUnreadable) or fact.body.record not in read_now:
                facts.append(fact)
                continue
            now = read_now[fact.body.record]
            kinds = tuple(f"{x.kind} {x.source}/{x.id}" for x in now)
            told.append(
                FactDifference(
                    entry.contract,
                    entry.revision,
                    f"{fact.source}/{fact.id}",
                    fact.body.sentence,
                    kinds or NOTHING,
                )
            )
            facts += now if fact.body.record not in used else ()
            used.add(fact.body.record)
        yield replace(entry, facts=tuple(facts))


def _commands(contract: str, logged: Sequence[Line], replayed: Sequence[Line]) -> Iterator[CommandDifference]:
    before, after = ({line.sequence: line for line in side} for side in (logged, replayed))
    for sequence in sorted({*before, *after}):
        a, b = before.get(sequence), after.get(sequence)
        if a is None or b is None or a.command_id != b.command_id:
            yield CommandDifference(contract, sequence, a, b)


def doubts(entries: Iterable[LogEntry]) -> set[bytes]:
    """The SHA-256 of every record that left a doubt in this history."""
    bodies = (fact.body for entry in entries for fact in entry.facts if isinstance(fact.body, ABOUT_MESSAGES))
    return {body.record for body in bodies if isinstance(body, MessageUnreadable) and body.record}
