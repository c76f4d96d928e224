"""The fence: which commands are believed, and which one of a milestone is the wanted state. Pure.

The newest command of a (contract, milestone) is wanted. A repeat changes nothing, an older one is superseded, what
contradicts itself or the log is refused. A gap in a contract's sequence delays what would pay more, never a hold.
"""

from __future__ import annotations

import unicodedata
from enum import Enum
from typing import NamedTuple

import msgspec
from msgspec import UNSET

from contracts_schema.commands import Amount, Command, TargetLine, command_id
from contracts_schema.errors import Refused, Unreadable
from contracts_schema.money import parse_amount
from contracts_schema.records import Record, is_identifier
from mappers.strict_json import parse
from services.gate.memory import ContractMemory, Kept, Wish

BYTES_MAX = 4 * 1024 * 1024
TYPES = {"hold": "milepost.payment.hold.v1", "release": "milepost.payment.release.v1"}
SEQUENCE_MAX = 2**53


class Verdict(Enum):
    """What the fence makes of a command."""

    NEW = "new"
    REPEAT = "repeat"
    SUPERSEDED = "superseded"


class Judged(NamedTuple):
    """The verdict, the command that was wanted before, and the milestones whose delay has ended with it."""

    verdict: Verdict
    before: Kept | None
    caught_up: tuple[str, ...] = ()


def read_command(record: Record) -> Command:
    """The command in a record.

    Raises:
        Unreadable: it is no command, or not whole.
        Refused: its content is not the one that its id stands for, or it contradicts itself.
    """
    try:
        raw = parse(record.value or b"", BYTES_MAX)
        command = msgspec.convert(raw, Command, strict=True)
    except (ValueError, msgspec.ValidationError) as error:
        raise Unreadable(f"no command: {str(error)[:300]}") from None
    _refuse_contradictions(record, command)
    try:
        _refuse_amounts(command)
    except ValueError as error:
        raise Refused(f"command {command.command_id[:80]}: {error}") from None
    if identity(command) != command.command_id:
        raise Refused(f"command {command.command_id[:80]}: its content is not the one that this id stands for")
    return command


def identity(command: Command) -> str:
    """The id that the command's content has."""
    return command_id(
        contract=command.contract, milestone=command.milestone, sequence=command.sequence, action=command.action,
        value=command.value, released_to_date=command.released_to_date, held=command.held, targets=command.targets,
        carried=None if command.carried is UNSET else command.carried,
    )  # fmt: skip


def _refuse_contradictions(record: Record, command: Command) -> None:
    """Refuse a command whose envelope says something else than its content."""
    told = {
        "ce_id": command.command_id, "ce_type": TYPES[command.action],
        "ce_subject": "/".join(_encoded(part) for part in (command.contract, command.milestone)),
    }  # fmt: skip
    for name, expected in told.items():
        if record.header(name) != expected:
            raise Refused(f"command {command.command_id[:80]}: header {name} contradicts the content")
    if record.key != command.contract.encode():
        raise Refused(f"command {command.command_id[:80]}: its key is not its contract")
    if not (is_identifier(command.contract) and is_identifier(command.milestone)):
        raise Refused("a command names no contract or milestone")
    if not 0 < command.sequence < SEQUENCE_MAX:
        raise Refused(f"command {command.command_id[:80]}: sequence {command.sequence} is none")


def _refuse_amounts(command: Command) -> None:
    amounts = {name: _minor(getattr(command, name)) for name in ("value", "released_to_date", "held")}
    if min(amounts.values()) < 0:
        raise ValueError("an amount is negative")
    for target in command.targets:
        net, payable = _minor(target.net), _minor(target.payable_to_date)
        if target.net.currency != target.payable_to_date.currency:
            raise ValueError(f"invoice {target.invoice[:80]!r} is payable in another currency")
        if payable < 0 or payable > max(0, net):
            raise ValueError(f"of invoice {target.invoice[:80]!r} more is payable than its net")
        if target.state != ("hold" if payable <= 0 else "free" if payable == net else "part"):
            raise ValueError(f"of invoice {target.invoice[:80]!r} state and amount contradict each other")


def accept(memory: ContractMemory, command: Command, *, ours: bool) -> Judged:
    """Judge a command and, where it is the newest of its milestone, make it the wanted one. Changes `memory`.

    `ours` is False where another finance system is to pay: here that frees nothing that is not free already.

    Raises:
        Refused: its sequence was seen before with other content.
    """
    before = memory.milestones.get(command.milestone)
    if before is not None and command.sequence == before.sequence:
        if before.command_id != command.command_id:
            raise Refused(f"command {command.command_id}: sequence {command.sequence} was seen with other content")
        return Judged(Verdict.REPEAT, before)
    behind = _behind_a_gap(memory)
    if before is not None and command.sequence < before.sequence:
        memory.see(command.sequence)
        return Judged(Verdict.SUPERSEDED, before, _caught_up(memory, behind))
    if memory.is_seen(command.sequence):
        raise Refused(f"command {command.command_id}: sequence {command.sequence} was seen at another milestone")
    safe = {_name(wish): memory.payable(before, wish) for wish in before.wishes} if before else {}
    memory.milestones[command.milestone] = _kept(command, safe, ours=ours)
    memory.see(command.sequence)
    return Judged(Verdict.NEW, before, _caught_up(memory, behind))


def _kept(command: Command, safe: dict[tuple[str, ...], int], *, ours: bool) -> Kept:
    wishes = []
    for target in command.targets:
        payable = _minor(target.payable_to_date)
        names = (normal(target.invoice), target.supplier, target.business_unit or "")
        kept_safe = min(payable, safe.get(names, 0))
        wish = Wish(
            names[0], _suppliers(target), target.business_unit, target.source_keys, payable if ours else kept_safe,
            kept_safe, target.net.currency, target.state == "free",
        )  # fmt: skip
        wishes.append(wish)
    carried = command.carried is not UNSET and _minor(command.carried) > 0
    return Kept(command.command_id, command.action, command.sequence, tuple(wishes), carried)


def _behind_a_gap(memory: ContractMemory) -> set[str]:
    return {name for name, kept in memory.milestones.items() if kept.sequence > memory.upto}


def _caught_up(memory: ContractMemory, behind: set[str]) -> tuple[str, ...]:
    return tuple(sorted(behind - _behind_a_gap(memory)))


def normal(number: str) -> str:
    """An invoice's number as it is compared (rule C3)."""
    return unicodedata.normalize("NFC", number).strip()


def _name(wish: Wish) -> tuple[str, ...]:
    return wish.number, wish.suppliers[0], wish.unit or ""


def _suppliers(target: TargetLine) -> tuple[str, ...]:
    return tuple(dict.fromkeys((target.supplier, *target.supplier_identifiers)))


def _minor(amount: Amount) -> int:
    return parse_amount(amount.amount, amount.currency)


def _encoded(part: str) -> str:
    return part.replace("%", "%25").replace("/", "%2F")
