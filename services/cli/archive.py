"""`milepost archive`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.app import DEFAULT_CONFIG, AsJson, Config, app
from services.cli.words import give_up, print_json, print_table, run, working

if TYPE_CHECKING:
    from services.wiring.archive import Archived


@app.command("archive")
def archive(
    contracts: Annotated[
        list[str] | None, typer.Argument(metavar="[CONTRACT]...", help="Contracts; left out: all.", show_default=False)
    ] = None,
    older_than_days: Annotated[int, typer.Option(min=0, help="Nothing was said about them for so many days.")] = 90,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without it, it is only shown.")] = False,
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Move the logs of closed contracts from the database into files of the folder `postgres.archive`.

    A log is proven before, written whole, read back, and only then deleted, as the owner of the tables. All commands
    read it there as before, so `verify` still proves it; what is said of the contract later goes on in the database.
    """
    from services import settings
    from services.wiring.archive import archive as move

    async def moved() -> list[Archived]:
        return [one async for one in move(loaded, contracts or (), do=yes, older_than_days=older_than_days)]

    loaded = settings.load(config)
    with working("archiving"):
        found = run(moved())
    if as_json:
        print_json(found)
    else:
        rows = [(one.contract, one.revisions, one.file or one.hindered or "could be archived") for one in found]
        print_table(("contract", "revisions", ""), rows, "no contract can be archived")
    if any(one.hindered for one in found):
        give_up("not every contract that was named can be archived")
