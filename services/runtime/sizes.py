"""Nothing may block the lane of commands: a command that does not fit into a record is never written."""

from __future__ import annotations

from contracts_schema.commands import Command
from contracts_schema.rows import PublishRow
from services.reconciliation.react import Reaction
from services.runtime.outgoing import command_row, commands_of, fitted, size_of


class CommandTooLargeError(Exception):
    """A command does not fit into a record, whatever is cut that only explains."""


class CommandSizes:
    """Commands as rows of the outbox, for `topic`; key, headers and value of a record have at most `most` bytes."""

    def __init__(self, topic: str, most: int) -> None:
        self._topic = topic
        self._most = most

    def row_of(self, command: Command) -> PublishRow:
        """The command's row, with what only explains cut where it must be."""
        return fitted(lambda c: command_row(c, self._topic), command, self._most)

    def check(self, reaction: Reaction) -> None:
        """Raises CommandTooLargeError. A row of the log is never eight times smaller than what is said of it."""
        for row, entry in zip(reaction.rows, reaction.entries, strict=True):
            if len(row.entry) > self._most // 8:
                for command in commands_of(row, entry):
                    self._check(command)

    def _check(self, command: Command) -> None:
        size = size_of(self.row_of(command))
        if size > self._most:
            raise CommandTooLargeError(
                f"the command for {command.milestone} would have {size} bytes, more than {self._most}: "
                "too many invoices stand at one milestone"
            )
