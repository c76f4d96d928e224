"""Issuing: a position against the milestone's last command gives a command, or nothing (rules E1, E2)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from msgspec.msgpack import decode

from contracts_schema.commands import Action, ConflictLine, ConflictWord, command_id
from contracts_schema.money import format_amount
from services.reconciliation.calendar import show_moment
from services.reconciliation.case import Case
from services.reconciliation.log import Decided, HeldBy, Said
from services.reconciliation.policy import DEFAULT_AUTHORITY
from services.reconciliation.position import Position
from services.reconciliation.state import LastCommand, packed
from services.reconciliation.wire import amount, target_line
from services.reconciliation.words import Conflict, Word


def next_action(position: Position, last: LastCommand | None) -> Action:
    """`hold` while something is held and no more is released than in the last command; else `release` (rule E1)."""
    more = last is not None and position.released > last.released
    return "hold" if position.held > 0 and not more else "release"


def is_due(position: Position, last: LastCommand | None) -> bool:
    """Whether finance must hear of it: value, released, held or targets differ from the last command (law 6)."""
    if last is None:
        return True
    said = (last.value, last.released, last.held)
    return said != (position.value, position.released, position.held) or _differ(last.targets, packed(position.targets))


def _differ(before: bytes, now: bytes) -> bool:
    """Whether targets say something else; how an invoice is known in here (its `identity`) is not said."""
    return before != now and [t[:-1] for t in decode(before)] != [t[:-1] for t in decode(now)]


def conflict_line(conflict: Conflict, authority: Mapping[str, tuple[str, ...]]) -> ConflictLine:
    """A conflict on the wire: every word with its source and time, and whose word should settle it."""
    owner = (authority.get(conflict.field) or DEFAULT_AUTHORITY[conflict.field])[0]
    return ConflictLine(conflict.field, tuple(_word(w) for w in conflict.words), owner)


def _word(word: Word) -> ConflictWord:
    return ConflictWord(word.source, _plain(word.value), show_moment(word.time) if word.time else None)


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple):
        if len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], int):
            return {"amount": format_amount(value[1], value[0]), "currency": value[0]}
        return [_plain(v) for v in value]
    return value


def basis_of(case: Case) -> tuple[str, ...]:
    """Every fact on which the decision for a milestone rests."""
    return tuple(sorted({slot.fact for slots in case.standing.values() for slot in slots}))


def decided(case: Case, position: Position, since: Mapping[str, int], said: Said | None) -> Decided:
    """The decision as the log keeps it."""
    return Decided(
        milestone=position.milestone, status=case.completion.status, currency=case.plan.currency,
        value=position.value, released=position.released, held=position.held, allowed=position.allowed,
        carried=position.carried,
        reasons=tuple(HeldBy(r.code, r.amount, since[r.code], r.detail, r.facts) for r in position.reasons),
        conflicts=tuple(conflict_line(c, case.plan.authority) for c in position.conflicts),
        exceptions=tuple(position.exceptions), basis=basis_of(case), said=said,
    )  # fmt: skip


def say(case: Case, position: Position, last: LastCommand | None, sequence: int) -> Said:
    """The command that tells finance where the milestone stands now."""
    action, currency = next_action(position, last), case.plan.currency
    carried = None if position.carried is None else amount(position.carried, currency)
    identity = command_id(
        contract=case.plan.contract, milestone=position.milestone, sequence=sequence, action=action,
        value=amount(position.value, currency), released_to_date=amount(position.released, currency),
        held=amount(position.held, currency), targets=tuple(target_line(t) for t in position.targets), carried=carried,
    )  # fmt: skip
    return Said(action, sequence, identity, position.targets)


def remember(said: Said, position: Position, revision: int) -> LastCommand:
    """What the next command is compared with."""
    return LastCommand(
        said.action, position.value, position.released, position.held, packed(position.targets), said.sequence,
        said.command_id, revision, {t.identity: t.payable.minor for t in position.targets if t.payable.minor > 0},
    )  # fmt: skip
