"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Source = Annotated[
    str | None,
    typer.Option("--source", help="The source to speak as, where several have the role.", show_default=False),
]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the verdict.")]
Timeout = Annotated[float, typer.Option("--timeout", min=0, help="Seconds to wait for the verdict.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=100_000, help="How many at most.")]
Target = Annotated[
    str, typer.Argument(metavar="CONTRACT/MILESTONE", help="The milestone; %2F stands for a slash in an id.")
]
Anywhere = Annotated[
    str,
    typer.Argument(
        metavar="CONTRACT[/MILESTONE]", help="The milestone, or all of the contract; %2F stands for a slash."
    ),
]
By = Annotated[str, typer.Option("--by", help="Who does it.", show_default=False)]
EventId = Annotated[
    str | None,
    typer.Option("--id", help="The event's id, for scripts: the same id again is a repeat.", show_default=False),
]


def within(wait: bool, timeout_s: float) -> float | None:
    """How long to wait; None for not at all."""
    return timeout_s if wait else None
