"""`milepost quarantine list|show|redrive|discard`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec.structs import replace

from services.cli.app import DEFAULT_CONFIG, AsJson, Config, app
from services.cli.options import Limit, Timeout, Wait, within
from services.cli.words import give_up, print_json, print_table, run, say, working

if TYPE_CHECKING:
    from services.wiring.quarantine import Redriven, View

quarantine = typer.Typer(no_args_is_help=True, help="Look at what could not be used; judge it anew, or discard it.")
app.add_typer(quarantine, name="quarantine")
Ids = Annotated[
    list[str] | None, typer.Argument(metavar="ID...", help="Records, as the list names them.", show_default=False)
]
All = Annotated[bool, typer.Option("--all", help="All that are open, in place of ids.")]
ALL_MOST = 100_000


@quarantine.command("list")
def list_(config: Config = DEFAULT_CONFIG, limit: Limit = 100, as_json: AsJson = False) -> None:
    """List open records, newest first."""
    from services import settings
    from services.wiring.quarantine import listed

    found = run(listed(settings.load(config), limit))
    if as_json:
        print_json(found)
        return
    rows = [(q.id, q.source, q.recorded, q.fault, q.size, q.sentence) for q in found]
    print_table(("id", "source", "recorded", "fault", "bytes", "why"), rows, "nothing is in quarantine")


@quarantine.command("show")
def show(
    record: Annotated[str, typer.Argument(metavar="ID", help="The record, as the list names it.")],
    config: Config = DEFAULT_CONFIG,
    content: Annotated[bool, typer.Option("--value", help="Show the value, too: it may hold people's data.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Write the very bytes, and nothing else.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show one record: where it came from, why it is here, its headers; its value only where that is asked for."""
    from services import settings
    from services.wiring.quarantine import shown

    view, value = run(shown(settings.load(config), record))
    if not content:
        view = replace(view, value=None, value_base64=None)
    if raw:
        sys.stdout.buffer.write(value)
    elif as_json:
        print_json(view)
    else:
        say(
            f"{view.id} ({view.state})",
            f"{view.fault}: {view.sentence}",
            f"source {view.source or 'unknown'}, recorded {view.recorded}, key {view.key!r}",
            f"{view.size} bytes, SHA-256 {view.sha256}",
            *(f"{name}: {text}" for name, text in view.headers),
            "",
            _content(view, content),
        )


def _content(view: View, asked: bool) -> str:
    if not asked:
        return "--value shows the value, --raw writes its bytes"
    return view.value if view.value is not None else "the value is no text; --raw writes its bytes"


@quarantine.command("redrive")
def redrive(
    records: Ids = None,
    every: All = False,
    config: Config = DEFAULT_CONFIG,
    wait: Wait = True,
    timeout: Timeout = 30,
    as_json: AsJson = False,
) -> None:
    """Send records again to be judged anew, after a mapper or the configuration was mended.

    The very bytes go to the same topic under the same key. What can be read now counts, and ends the doubt that the
    record had raised. Doing it twice does what once does.
    """
    from services import settings
    from services.wiring.quarantine import redrive as send

    loaded = settings.load(config)
    chosen = _chosen(records, every, config)
    with working(f"sending {len(chosen)} records again"):
        found = run(send(loaded, chosen, within(wait, timeout)))
    _tell(found, as_json)
    if not all(record.good for record in found):
        raise typer.Exit(1)


@quarantine.command("discard")
def discard(records: Ids = None, every: All = False, config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Mark records as of no use. Their bytes are kept, and a doubt that one raised goes on holding."""
    from services import settings
    from services.wiring.quarantine import discard as mark

    _tell(run(mark(settings.load(config), _chosen(records, every, config))), as_json)


def _chosen(records: list[str] | None, every: bool, config: Config) -> list[str]:
    from services import settings
    from services.wiring.quarantine import listed

    if bool(records) == every:
        give_up("give the ids of records, or --all", code=2)
    if records:
        return list(dict.fromkeys(records))
    return [line.id for line in run(listed(settings.load(config), ALL_MOST))]


def _tell(found: list[Redriven], as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        rows = [(r.id, r.outcome, r.record, r.sentence) for r in found]
        print_table(("id", "outcome", "lies now at", ""), rows, "nothing to do")
