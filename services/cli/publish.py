"""`milepost export ocds` and `milepost export csv`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from services.cli.app import DEFAULT_CONFIG, Config
from services.cli.export import export
from services.cli.words import counting, give_up, run

if TYPE_CHECKING:
    from services.wiring.publishing import Exported

Contracts = Annotated[
    list[str] | None, typer.Argument(metavar="[CONTRACT]...", help="Contracts; left out: all.", show_default=False)
]
Out = Annotated[str, typer.Option("--out", metavar="FILE|-", help="Where to; - is standard output.")]


@export.command("ocds")
def ocds(
    contracts: Contracts = None,
    config: Config = DEFAULT_CONFIG,
    out: Out = "-",
    kind: Annotated[
        Literal["records", "releases"],
        typer.Option("--package", help="A record package (releases and what they come to) or a release package."),
    ] = "records",
    prefix: Annotated[
        str | None, typer.Option("--prefix", help="Prefix of ocids, such as ocds-213czf.", show_default=False)
    ] = None,
    publisher: Annotated[str | None, typer.Option("--publisher", help="Who publishes.", show_default=False)] = None,
    uri: Annotated[str | None, typer.Option("--uri", help="The package's address.", show_default=False)] = None,
    schema: Annotated[
        list[Path] | None,
        typer.Option("--schema", help="Check against this JSON schema; repeat it for those it refers to."),
    ] = None,
) -> None:
    """Write OCDS 1.1: parties, contract value, amendments, milestones, payments.

    A release for each revision that changed something published, and the record compiled from them. Publisher and
    prefix come from the options, else from `ocds` in the configuration. It ends with 1 where something does not fit
    the schema or could not be read, with 2 where publisher, prefix or schema are missing or make no sense.
    """
    from services import settings
    from services.wiring.ocds_schema import check_of
    from services.wiring.publishing import export_ocds, publisher_of

    known = settings.load(config)
    named, check = publisher_of(known.ocds, prefix, publisher, uri), check_of(schema or (), kind)
    with counting("contracts written") as progress:
        _end(run(export_ocds(known, _names(contracts), kind, named, out, check, progress)), "releases")


@export.command("csv")
def csv(
    contracts: Contracts = None,
    config: Config = DEFAULT_CONFIG,
    table: Annotated[
        list[str] | None,
        typer.Option(
            "--table",
            help="milestones, commands, decisions or facts; may be repeated. Left out: all.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        str, typer.Option("--out", metavar="FILE|FOLDER|-", help="A file or - for one table, a folder for several.")
    ] = "-",
) -> None:
    """Write tables as CSV: milestones, commands, decisions, facts.

    RFC 4180 in UTF-8; no text can be taken for a formula by a spreadsheet. FIGURES.md beside the code names the
    columns. It ends with 1 where a contract could not be read.
    """
    from services import settings
    from services.reporting.tables import TABLES
    from services.wiring.publishing import export_csv

    tables = list(dict.fromkeys(table or TABLES))
    unknown = [name for name in tables if name not in TABLES]
    if unknown:
        give_up(*(f"--table: {name!r} is none; use {', '.join(TABLES)}" for name in unknown), code=2)
    if len(tables) > 1 and not Path(out).is_dir():
        give_up(
            f"--out: {out} is no folder, and {len(tables)} tables were asked for; name a folder or one --table", code=2
        )
    with counting("contracts written") as progress:
        _end(run(export_csv(settings.load(config), _names(contracts), tables, out, progress)), "rows")


def _names(contracts: list[str] | None) -> list[str]:
    from services.wiring.places import read_place

    return [read_place(name).contract for name in contracts or ()]


def _end(done: Exported, parts: str) -> None:
    typer.echo(f"{done.contracts} contracts, {done.parts} {parts}", err=True)
    if done.faults:
        give_up(*done.faults)
