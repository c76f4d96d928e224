"""`milepost demo`: everything in one process, on servers out of wheels, told as it happens and summed up at the end."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.app import AsJson, app
from services.cli.words import give_up

if TYPE_CHECKING:
    from rich.console import Console

    from connectors.embedded_finance import LedgerLine
    from contracts_schema.commands import Command
    from services.wiring.demo_outcome import Outcome
    from services.wiring.demo_story import Letter


@app.command("demo")
def demo(
    as_json: AsJson = False,
    write: Annotated[
        Path | None, typer.Option("--write", metavar="FOLDER", help="Only write the story there, for `milepost try`.")
    ] = None,
) -> None:
    """Play a contract's story on an embedded broker and Postgres; nothing stays. No other command accepts these."""
    if write is not None:
        _write(write)
        return
    from rich.console import Console

    from services.cli.demo_account import Account
    from services.wiring.demo import play

    console = Console(file=sys.stderr if as_json else sys.stdout, highlight=False, width=_width())
    console.print(WELCOME)
    outcome = _played(play(_Told(console)))
    if as_json:
        from msgspec.json import encode

        sys.stdout.buffer.write(encode(outcome) + b"\n")
    else:
        Account(console, outcome, _program()).show()


WELCOME = """
[bold]Milepost demo[/bold]
For trying things out. The broker and the finance system are stand-ins, the Postgres is a real one out of a wheel;
all three run for these few seconds only, on this machine, and no other command accepts them. The worker, the relay
and the gate are the real ones.
"""


def _write(folder: Path) -> None:
    from services.wiring.demo_story import write_for_try

    try:
        config, records = write_for_try(folder)
    except OSError as error:
        give_up(f"--write: {error.filename} cannot be written: {error.strerror}", code=2)
    typer.echo(f"{_program()} try --config {config} {records}")


def _program() -> str:
    """How this was started, where that is a path below the present folder, as it is in a checkout."""
    started = Path(sys.argv[0])
    return str(started) if not started.is_absolute() and started.name == "milepost" else "milepost"


def _width() -> int | None:
    """Where nobody looks at a terminal, lines may be a little longer than eighty characters."""
    return None if sys.stdout.isatty() else 120


def _played(performance: Coroutine[Any, Any, Outcome]) -> Outcome:
    """Run it. Ctrl-C and SIGTERM end it early, and the process with 128 and the signal's number; the servers are
    stopped either way."""
    told: list[int] = []

    async def until_stopped() -> Outcome:
        task, loop = asyncio.create_task(performance), asyncio.get_running_loop()

        def stop(how: int) -> None:
            told.append(how)
            task.cancel()

        for how in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(how, stop, how)
        return await task

    try:
        return asyncio.run(until_stopped())
    except asyncio.CancelledError:
        if not told:
            raise
        raise typer.Exit(128 + told[0]) from None


class _Told:
    """Tells what happens while it happens."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def stage(self, sentence: str) -> None:
        self._console.print(f"[dim]{sentence}[/dim]")

    def scene(self, title: str) -> None:
        self._console.print(f"\n[bold cyan]{title}[/bold cyan]")

    def sent(self, letter: Letter, place: str) -> None:
        self._console.print(f"  {letter.source:<9} {letter.tells}  [dim]{place}[/dim]")

    def commanded(self, command: Command) -> None:
        colour = "green" if command.action == "release" else "yellow"
        why = ", ".join(reason.code for reason in command.reasons)
        self._console.print(
            f"  [{colour}]-> finance  {command.action:<7} {command.milestone}  "
            f"{command.released_to_date.amount} to pay, {command.held.amount} held[/{colour}]  {why}"
        )

    def booked(self, line: LedgerLine) -> None:
        state = "[red]blocked[/red]" if line.blocked else "[green]free to pay[/green]"
        owed = f"line {line.line}, {line.gross} {line.currency} gross"
        self._console.print(f"     gate     {line.invoice}, {owed}: {state}")

    def so(self, sentence: str) -> None:
        self._console.print(f"  [italic]{sentence}[/italic]")
