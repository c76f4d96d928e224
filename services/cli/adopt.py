"""`milepost db adopt`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.app import DEFAULT_CONFIG, AsJson, Config
from services.cli.setup import db
from services.cli.words import give_up, print_json, run, say, working

if TYPE_CHECKING:
    from services.wiring.adopt import Behind


@db.command("adopt")
def adopt(
    config: Config = DEFAULT_CONFIG,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without it, it is only shown.")] = False,
    not_ours: Annotated[
        list[str] | None,
        typer.Option("--not-ours", help="Id of a command that Milepost never issued: its sequence alone counts."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take over what finance has seen and this database never issued.

    For a database that was restored to an earlier moment, or built anew from topics. It reads the topic of commands
    from its beginning: later commands are numbered above what lies there, what finance was told is released never
    falls, and each milestone says its state anew. No worker starts before. It ends with 1 where something is behind
    and --yes is missing. Done again, it finds nothing.
    """
    from services import settings
    from services.wiring.adopt import adopt as take_over

    with working("reading the topic of commands"):
        found = run(take_over(settings.load(config), do=yes, not_ours=not_ours or ()))
    if as_json:
        print_json(found)
    else:
        say(*_told(found))
    if found and not yes:
        give_up(f"{len(found)} contracts lie behind what finance has seen; --yes takes it over")


def _told(found: list[Behind]) -> Iterator[str]:
    if not found:
        yield "nothing lies behind what finance has seen"
    for b in found:
        done = "taken over" if b.adopted else "not taken over yet"
        numbers = f"sequence {b.sequence_here} here, {b.sequence_seen} seen, {b.unknown} commands unknown"
        yield f"{b.contract}: {numbers}; {done}"
        for m in b.milestones:
            yield f"  {m.milestone}: {m.currency} {m.released_here} released here, {m.released_told} told"
