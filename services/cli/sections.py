"""Commands in the help under what they are for, in the order in which people need them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from typer.core import TyperGroup

SECTIONS = {
    "Run": ("run", "gate", "collect", "console", "demo", "try"),
    "Set up": ("config", "topics", "db", "contract", "schemas", "asyncapi"),
    "Look": ("status", "report", "explain", "notices", "conflicts", "parked", "quarantine", "drift"),
    "Look ahead": ("cascade", "cash-plan"),
    "Act": ("sign", "hold", "dispute", "waive", "evidence"),
    "Audit": ("verify", "replay", "what-if", "export", "archive", "persons"),
}


class Sections(TyperGroup):
    """The top of the command line."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write each section with a line for each of its commands."""
        for title, rows in self._sections(ctx, formatter.width):
            with formatter.section(title):
                formatter.write_dl(rows)

    def _sections(self, ctx: Any, width: int) -> Iterator[tuple[str, list[tuple[str, str]]]]:
        known = {name for names in SECTIONS.values() for name in names}
        others = tuple(name for name in self.list_commands(ctx) if name not in known)
        longest = max(map(len, self.list_commands(ctx)), default=0)
        for title, names in (SECTIONS | {"Other": others}).items():
            present = [(name, command) for name in names if (command := self.get_command(ctx, name)) is not None]
            rows = [
                (name.ljust(longest), c.get_short_help_str(width - longest - 6)) for name, c in present if not c.hidden
            ]
            if rows:
                yield title, rows
