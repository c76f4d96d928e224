"""`milepost export evidence`: what auditors take away. Further formats add their commands to this group."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.cli.app import DEFAULT_CONFIG, AsJson, Config, app
from services.cli.words import print_json, say, working

export = typer.Typer(no_args_is_help=True, help="Write what others read: evidence of one contract, OCDS, tables.")
app.add_typer(export, name="export")


@export.callback()
def exported() -> None:
    """Write what others read."""


@export.command("evidence")
def evidence(
    contract: Annotated[str, typer.Argument(metavar="CONTRACT", help="The contract; %2F stands for a slash.")],
    out: Annotated[Path, typer.Option("--out", help="The zip to write; one that is there is replaced.")],
    anyway: Annotated[bool, typer.Option("--anyway", help="Also where the contract does not prove.")] = False,
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Write one contract's evidence, with the script that proves it.

    Its log with the chain, facts, decisions and commands in words, every version of the plan, the rulebooks, an
    account to be read, a manifest, and sixty lines of Python with which a stranger proves chain, commands and manifest
    without Milepost. The pack says what that does not prove. The same contract gives the same bytes.
    """
    from services import settings
    from services.wiring.evidence import export_evidence
    from services.wiring.places import read_place

    with working("gathering the evidence"):
        found = export_evidence(settings.load(config), read_place(contract).contract, out, anyway=anyway)
    if as_json:
        print_json(found)
        return
    say(f"{found.out}: {found.files} files, {found.bytes} bytes, {found.revisions} revisions up to {found.head}")
    say(*(f"it does not prove: {fault}" for fault in found.faults))
