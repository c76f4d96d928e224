"""`milepost notices`."""

from __future__ import annotations

from typing import Annotated

import typer

from services.cli.app import DEFAULT_CONFIG, AsJson, Config, app
from services.cli.options import Limit
from services.cli.words import print_json, print_table, run, working


@app.command("notices")
def notices(
    contract: Annotated[str | None, typer.Argument(help="One contract; left out: all.", show_default=False)] = None,
    config: Config = DEFAULT_CONFIG,
    limit: Limit = 1000,
    as_json: AsJson = False,
) -> None:
    """List what people have been told and is still open: the reddest first, then the oldest.

    With who must act, whom it is told to by now, and what is at stake; --json also says what clears it.
    """
    from services import settings
    from services.runtime.sentences import money
    from services.wiring.notices import open_notices
    from services.wiring.places import read_place

    named = read_place(contract).contract if contract is not None else None
    with working("looking through the contracts"):
        found = run(open_notices(settings.load(config), named, limit))
    if as_json:
        print_json(found)
        return
    rows = [
        (n.severity, n.since, n.contract if n.milestone is None else f"{n.contract}/{n.milestone}", n.kind,
         n.detail, money(n.amount), n.owner, n.told_to if n.step else "")
        for n in found
    ]  # fmt: skip
    columns = ("", "since", "milestone", "notice", "what", "at stake", "must act", "told to by now")
    print_table(columns, rows, "no open notices")
