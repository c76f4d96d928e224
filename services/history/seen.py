"""What finance has seen of each contract, as the topic of commands tells it, against what the log knows."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from msgspec import Struct

from contracts_schema.commands import Command
from contracts_schema.money import parse_amount


class Told(Struct):
    """What finance was last told of one milestone: minor units released to date."""

    sequence: int
    released: int
    currency: str


class Seen(Struct):
    """One contract in the topic. `unknown`: ids of commands that do not stand in its log, with their sequence."""

    contract: str
    sequence: int = 0
    milestones: dict[str, Told] = {}
    unknown: dict[str, int] = {}

    def note(self, command: Command, *, known: bool) -> None:
        """Note one command."""
        self.sequence = max(self.sequence, command.sequence)
        if not known:
            self.unknown[command.command_id] = command.sequence
        told = self.milestones.get(command.milestone)
        if told is None or told.sequence < command.sequence:
            money = command.released_to_date
            minor = parse_amount(money.amount, money.currency)
            self.milestones[command.milestone] = Told(command.sequence, minor, money.currency)


class Topic:
    """Gathers what the topic says, contract by contract; commands in `not_ours` count for their sequence alone."""

    def __init__(self, not_ours: Collection[str] = ()) -> None:
        self.contracts: dict[str, Seen] = {}
        self._not_ours = not_ours

    def note(self, commands: Iterable[Command], known: Collection[str]) -> None:
        """Note commands; `known` are the ids among them that stand in the log."""
        for command in commands:
            seen = self.contracts.setdefault(command.contract, Seen(command.contract))
            if command.command_id in self._not_ours:
                seen.sequence = max(seen.sequence, command.sequence)
                seen.unknown[command.command_id] = command.sequence
            else:
                seen.note(command, known=command.command_id in known)

    def behind(self) -> list[Seen]:
        """Contracts of which finance has seen something that the log does not know."""
        return [seen for _, seen in sorted(self.contracts.items()) if seen.unknown]
