"""`milepost contract apply|list|show|history` and `milepost contract template list|show`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.app import DEFAULT_CONFIG, AsJson, Config, app
from services.cli.options import Limit, Source, Timeout, Wait, within
from services.cli.words import give_up, print_json, print_table, run, say, warn, working

contract = typer.Typer(no_args_is_help=True, help="Register contracts and look at them.")
template = typer.Typer(no_args_is_help=True, help="Contract templates, to which a registration writes what differs.")
contract.add_typer(template, name="template")
app.add_typer(contract, name="contract")


@contract.command("apply")
def apply_(
    files: Annotated[list[Path], typer.Argument(help="YAML or JSON files, one or several registrations each.")],
    config: Config = DEFAULT_CONFIG,
    source: Source = None,
    check: Annotated[bool, typer.Option("--check", help="Only look for faults; nothing is sent.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be registered, templates expanded; nothing is sent.")
    ] = False,
    wait: Wait = True,
    timeout: Timeout = 30,
    as_json: AsJson = False,
) -> None:
    """Register contracts and amendments, and wait for the verdict. Applying again changes nothing.

    Every fault of every file is listed, with its line, before anything is sent.
    """
    from services import settings
    from services.wiring.contracts import apply, house_of
    from services.wiring.documents import read_documents

    loaded = settings.load(config) if config.exists() or not (check or dry_run) else None
    if loaded is None:
        warn(f"without {config}, names, people and systems are not checked")
    read = read_documents(files, house_of(loaded, source))
    warn(*read.warnings)
    if read.faults:
        give_up(*read.faults, "nothing was sent", code=2)
    if dry_run:
        print_documents([document.content for document in read.documents], as_json)
    elif check:
        say(f"{len(read.documents)} registrations, no faults")
    if loaded is None or check or dry_run:
        return
    with working("waiting for the verdict"):
        verdicts = run(apply(loaded, read.documents, source, within(wait, timeout)))
    shown = [
        (d.plan.contract, d.plan.version, v.outcome, v.sentence) for d, v in zip(read.documents, verdicts, strict=True)
    ]
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
    expanded: Annotated[
        bool, typer.Option("--expanded", help="Print the whole document that is registered, as YAML.")
    ] = False,
    version: Annotated[
        int | None, typer.Option(min=1, help="With --expanded: this version.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the plan in force, its versions, and where every milestone stands: baseline, due, forecast and met apart."""
    from services import settings
    from services.wiring.looking import show_contract
    from services.wiring.places import read_place
    from services.wiring.versions import registered_document

    name = read_place(contract).contract
    if expanded:
        print_documents([run(registered_document(settings.load(config), name, version))], as_json)
        return
    found = run(show_contract(settings.load(config), name))
    if as_json:
        print_json(found)
        return
    say(*found.sentences())
    columns = ("milestone", "status", "baseline", "due", "forecast", "met", "value", "released", "held", "held because",
               "title")  # fmt: skip
    rows = [
        (m.milestone, m.status, m.baseline, m.due, m.forecast, m.met_on, m.value.amount, m.released_to_date.amount,
         m.held.amount, ", ".join((*m.reasons, *m.exceptions)), m.title)
        for m in found.milestones
    ]  # fmt: skip
    print_table(columns, rows, "no version is in force yet")
    if len(found.versions) > 1:
        say("what each version changed, who asked and who approved: `milepost contract history`")


@contract.command("history")
def history_(
    contract: Annotated[str, typer.Argument(help="The contract's id; %2F stands for a slash in it.")],
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """List the versions, newest first: state, reason, who asked and approved, and what each changed."""
    from services import settings
    from services.wiring.places import read_place
    from services.wiring.versions import history

    found = run(history(settings.load(config), read_place(contract).contract))
    if as_json:
        print_json(found)
    else:
        say(*(line for version in found for line in version.sentences()))


@template.command("list")
def list_templates(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """List the templates: those that come with Milepost, and the house's own (`templates: DIR`)."""
    from services.wiring.contracts import templates_of

    found = templates_of(config).lines()
    if as_json:
        print_json(found)
    else:
        rows = [(t.template, ", ".join(t.milestones), t.about) for t in found]
        print_table(("template", "milestones", "for"), rows, "there are none")


@template.command("show")
def show_template(
    name: Annotated[str, typer.Argument(help="The template's name.")],
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Print a template with its comments: what a contract takes over, and how to write over it."""
    from services.wiring.contracts import templates_of

    found = templates_of(config).get(name)
    if as_json:
        print_json(found.content)
    else:
        sys.stdout.write(found.path.read_text(encoding="utf-8"))


def print_documents(documents: list[dict[str, Any]], as_json: bool) -> None:
    """Whole registrations, fit to be applied."""
    if as_json:
        print_json(documents)
        return
    import yaml

    for n, document in enumerate(documents):
        text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)
        sys.stdout.write(("---\n" if n else "") + text)
