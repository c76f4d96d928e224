"""What auditors ask: `milepost verify`, `replay`, `what-if`. None of them writes or publishes anything."""

from __future__ import annotations

from typing import Annotated

import typer

from services.cli.app import DEFAULT_CONFIG, AsJson, Config, app
from services.cli.words import counting, give_up, print_json, print_table, run, say

Contracts = Annotated[
    list[str] | None, typer.Argument(metavar="[CONTRACT]...", help="Contracts; left out: all.", show_default=False)
]


@app.command("verify")
def verify(contracts: Contracts = None, config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Prove contracts from their log: chain, decisions, commands, state.

    Each hash is computed again, each decision taken again under the rulebook that it names, each command's id
    compared with its content, and the stored state with the fold of the log. It ends with 1 where anything does not
    prove. The heads it prints are to be compared with those that commands and decision records bear.
    """
    from services import settings
    from services.wiring.history import verify_contracts
    from services.wiring.places import read_place

    names = [read_place(name).contract for name in contracts or ()]
    with counting("contracts proven") as progress:
        found = run(verify_contracts(settings.load(config), names, progress))
    if as_json:
        print_json(found)
    else:
        rows = [(f.contract, f.revision or "", f.what, f.sentence) for f in found.faults]
        if rows:
            print_table(("contract", "revision", "what", "fault"), rows, "")
        say(
            f"{found.contracts} contracts, {found.revisions} revisions, {found.decisions} decisions, "
            f"{found.commands} commands: {len(found.faults)} faults"
        )
        if found.not_redecided:
            say(
                f"{found.not_redecided} revisions were decided under other rules than this version's; their chain holds"
            )
        if contracts:
            say(*(f"{name} ends at {head}" for name, head in found.heads.items()))
    if found.faults:
        give_up(f"{len(found.faults)} things do not prove")
