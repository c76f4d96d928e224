"""`milepost report`: figures, what finance asks each morning, and what auditors ask."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.app import DEFAULT_CONFIG, AsJson, Config, app
from services.cli.words import counting, give_up, print_table, run, say

if TYPE_CHECKING:
    from services.reporting.dossier import Period
    from services.reporting.sheet import Sheet
    from services.wiring.reporting import Report

Day = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", show_default=False, help="A day; both days count."),
]


@app.command("report")
def report(
    sections: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SECTION]...", show_default=False,
            help="Sections, or figures, finance, audit, all (the default). An unknown name lists them.",
        ),
    ] = None,
    config: Config = DEFAULT_CONFIG,
    contract: Annotated[
        list[str] | None, typer.Option("--contract", help="Only this contract; may be repeated.", show_default=False)
    ] = None,
    since: Day = None,
    until: Day = None,
    as_json: AsJson = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="CSV: one section as its own table, several as section, row, column, value.")
    ] = False,
) -> None:  # fmt: skip
    """Say how contracts do: in time, held by whom, payable today, adding up.

    FIGURES.md beside the code defines each figure. It reads contract by contract and changes nothing. It ends with 1
    where a contract could not be read or control totals do not add up, with 2 where the question makes no sense.
    """
    from services import settings
    from services.reporting.dossier import Period
    from services.wiring.places import read_place
    from services.wiring.reporting import report as ask

    names = _names(sections or [])
    period = Period(_day(since), _day(until))
    _refuse_nonsense(period, as_json, as_csv)
    contracts = [read_place(name).contract for name in contract or ()]
    with counting("contracts counted") as progress:
        found = run(ask(settings.load(config), contracts, period, names, progress))
    _print(found, as_json, as_csv)
    faults = [*found.faults, *_gaps(found)]
    if faults:
        give_up(*faults)


def _names(wanted: list[str]) -> list[str]:
    from services.reporting.sections import GROUPS, NAMES, named

    names, unknown = named(wanted)
    if unknown:
        known = ", ".join((*GROUPS, *NAMES))
        give_up(*(f"SECTION: {name!r} is none; use {known}" for name in unknown), code=2)
    return names


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()


def _refuse_nonsense(period: Period, as_json: bool, as_csv: bool) -> None:
    since, until = period
    if since is not None and until is not None and until < since:
        give_up(f"--until: {until} lies before --since {since}; exchange them", code=2)
    if as_json and as_csv:
        give_up("--csv: --json is given too; choose one of them", code=2)


def _print(found: Report, as_json: bool, as_csv: bool) -> None:
    from services.cli.words import print_json

    if as_csv:
        from services.reporting.csv_text import sheet_csv, sheets_csv

        sheets = found.sections
        typer.echo(sheet_csv(sheets[0]) if len(sheets) == 1 else sheets_csv(sheets), nl=False)
    elif as_json:
        sections = {sheet.name: {"rows": sheet.objects(), "notes": sheet.notes} for sheet in found.sections}
        print_json(
            {
                "at": found.at, "since": found.since, "until": found.until, "contracts": found.contracts,
                "sections": sections, "faults": found.faults,
            }
        )  # fmt: skip
    else:
        for sheet in found.sections:
            _show(sheet)
        say(f"{found.contracts} contracts, as of {found.at}")


def _show(sheet: Sheet) -> None:
    say(f"{sheet.title} ({sheet.name})")
    print_table([column.replace("_", " ") for column in sheet.columns], sheet.rows, "nothing")
    say(*sheet.notes, "")


def _gaps(found: Report) -> list[str]:
    """What the control totals say does not add up."""
    return [note for sheet in found.sections if sheet.name == "control" for note in sheet.notes if "NOT ADD UP" in note]
