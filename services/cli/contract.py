"""`milepost contract apply|list|show`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.cli.app import DEFAULT_CONFIG, AsJson, Config, app
from services.cli.options import Limit, Source, Timeout, Wait, within
from services.cli.words import give_up, print_json, print_table, run, say, working

contract = typer.Typer(no_args_is_help=True, help="Register contracts and look at them.")
app.add_typer(contract, name="contract")


@contract.command("apply")
def apply_(
    files: Annotated[list[Path], typer.Argument(help="YAML or JSON files, one or several registrations each.")],
    config: Config = DEFAULT_CONFIG,
    source: Source = None,
    check: Annotated[bool, typer.Option("--check", help="Only look for faults; nothing is sent.")] = False,
    wait: Wait = True,
    timeout: Timeout = 30,
    as_json: AsJson = False,
) -> None:
    """Register contracts and amendments, and wait for the verdict. Applying again changes nothing.

    Every fault of every file is listed, with its line, before anything is sent.
    """
    from services import settings
    from services.wiring.contracts import apply
    from services.wiring.documents import read_documents

    documents, faults = read_documents(files)
    if faults:
        give_up(*faults, "nothing was sent", code=2)
    if check:
        say(f"{len(documents)} registrations, no faults")
        return
    with working("waiting for the verdict"):
        verdicts = run(apply(settings.load(config), documents, source, within(wait, timeout)))
    shown = [(d.plan.contract, d.plan.version, v.outcome, v.sentence) for d, v in zip(documents, verdicts, strict=True)]
    if as_json:
        print_json(verdicts)
    else:
        print_table(("contract", "version", "verdict", ""), shown, "nothing to apply")
    if not all(verdict.good for verdict in verdicts):
        raise typer.Exit(1)


@contract.command("list")
def list_(
    config: Config = DEFAULT_CONFIG,
    after: Annotated[str, typer.Option(help="Begin behind this contract.")] = "",
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List contracts with what is released and held."""
    from services import settings
    from services.wiring.looking import list_contracts

    found = run(list_contracts(settings.load(config), after, limit))
    if as_json:
        print_json(found)
        return
    columns = ("contract", "version", "status", "revision", "currency", "value", "released", "title", "")
    rows = [
        (c.contract, c.version or "none in force", c.status, c.revision, c.currency, c.value, c.released, c.title,
         "frozen" if c.frozen else "")
        for c in found
    ]  # fmt: skip
    print_table(columns, rows, "no contracts yet: register one with `milepost contract apply FILE`")
    if len(found) == limit:
        say(f"more may follow: --after {found[-1].contract}")


@contract.command("show")
def show(
    contract: Annotated[str, typer.Argument(help="The contract's id; %2F stands for a slash in it.")],
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Show the plan in force, its versions, and where every milestone stands."""
    from services import settings
    from services.wiring.looking import show_contract
    from services.wiring.places import read_place

    found = run(show_contract(settings.load(config), read_place(contract).contract))
    if as_json:
        print_json(found)
        return
    say(*found.sentences())
    columns = ("milestone", "kind", "status", "due", "value", "released", "held", "held because", "title")
    rows = [
        (m.milestone, m.kind, m.status, m.due, m.value.amount, m.released_to_date.amount, m.held.amount,
         ", ".join((*m.reasons, *m.exceptions)), m.title)
        for m in found.milestones
    ]  # fmt: skip
    print_table(columns, rows, "no version is in force yet")
