"""Commands that left the house against the log: whoever rewrites a whole chain cannot rewrite what finance has read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from contracts_schema.commands import Command
from contracts_schema.rows import LogRow
from services.history.verify import Fault
from services.reconciliation.log import read_entry

Rows = Mapping[tuple[str, int], LogRow]  # revisions by contract and number, as far as the log has them


def published_faults(commands: Iterable[Command], rows: Rows, adopted: Mapping[str, int]) -> Iterator[Fault]:
    """What finance has read and the log does not bear out. `adopted`: up to which sequence a contract's commands were
    taken over from another store; those are in no log any more."""
    for command in commands:
        if command.sequence <= adopted.get(command.contract, 0):
            continue
        named = f"{command.milestone}, sequence {command.sequence}, was published"
        row = rows.get((command.contract, command.revision))
        if row is None or command.command_id not in _ids(row):
            yield Fault(command.contract, command.revision, "published", f"{named} and does not stand in the log")
        elif row.head.hex() != command.chain.head:
            yield Fault(
                command.contract, command.revision, "published", f"{named} with head {command.chain.head}: the chain "
                f"has {row.head.hex()} there, so it was made anew since",
            )  # fmt: skip


def _ids(row: LogRow) -> set[str]:
    return {d.said.command_id for d in read_entry(row).decisions if d.said is not None}
