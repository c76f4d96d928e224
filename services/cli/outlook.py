"""Looking ahead: `milepost cascade` and `milepost cash-plan`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.app import DEFAULT_CONFIG, AsJson, Config, app
from services.cli.words import give_up, print_json, print_table, run, say, working

if TYPE_CHECKING:
    from services.wiring.outlook import CascadeView, CashPlan

DELAY_MOST = 3650
IN_TIME = ("released", "expected", "returned", "retention", "held")  # columns of the table
NEVER = ("recouped", "damages", "beyond_cap")


class By(StrEnum):
    """Periods of the cash plan."""

    month = "month"
    week = "week"


@app.command("cascade")
def cascade_(
    contract: Annotated[
        str, typer.Argument(metavar="CONTRACT[/MILESTONE]", help="The contract; %2F stands for a slash in it.")
    ],
    milestone: Annotated[str | None, typer.Option(help="The milestone that is late.", show_default=False)] = None,
    delay: Annotated[
        int | None,
        typer.Option(
            min=0, max=DELAY_MOST, show_default=False,
            help="By how many days: working days where the contract has a calendar, else plain days.",
        ),
    ] = None,
    forecast: Annotated[
        list[str] | None, typer.Option(metavar="MILESTONE=DATE", help="Expect it on this day.", show_default=False)
    ] = None,
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Show what a delay moves: milestones, payments, what becomes critical, late damages, which contingency would help.

    Without a delay it shows when each milestone is expected, and its slack to the last one. Nothing is changed.
    """
    from services import settings
    from services.wiring.outlook import cascade_of
    from services.wiring.places import read_place

    place = read_place(contract)
    late = milestone or place.milestone
    if (late is None) != (delay is None):
        give_up("a delay needs both --milestone and --delay", code=2)
    said = dict(_forecast(text) for text in forecast or ())
    moved = None if late is None or delay is None else (late, delay)
    found = run(cascade_of(settings.load(config), place.contract, moved, said))
    if as_json:
        print_json(found)
    else:
        _tell(found)


def _forecast(text: str) -> tuple[str, date]:
    name, _, day = text.rpartition("=")
    try:
        return name or give_up(f"--forecast {text!r} is not MILESTONE=DATE", code=2), date.fromisoformat(day)
    except ValueError:
        give_up(f"--forecast {text!r}: {day!r} is not a date of the form 2026-12-31", code=2)


def _tell(found: CascadeView) -> None:
    columns = ("milestone", "due", "expected", "then", found.unit, "late", "slack", "", "title")
    rows = [
        (m.milestone, m.due, m.before or "?", m.after if m.after != m.before else "", f"{m.days:+d}" if m.days else "",
         m.late_after or "", "" if m.slack_after is None else m.slack_after, "critical" if m.critical else "", m.title)
        for m in found.milestones
    ]  # fmt: skip
    print_table(columns, rows, "nothing counts in this contract")
    say(*found.sentences())


@app.command("cash-plan")
def cash_plan_(
    contracts: Annotated[list[str] | None, typer.Argument(help="Contracts; all where none is named.")] = None,
    by: Annotated[By, typer.Option(help="Sums by month or by ISO week.")] = By.month,
    config: Config = DEFAULT_CONFIG,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print every line as CSV.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show which money is expected when: released and not paid, expected, held and why, retention, advance recouped.

    What is not released yet adds up to the value less what is released, by currency.
    """
    from services import settings
    from services.wiring.outlook import cash_plan
    from services.wiring.places import read_place

    named = [read_place(text).contract for text in contracts or ()]
    with working("reading contracts"):
        found = run(cash_plan(settings.load(config), named, by.value))
    if as_json:
        print_json(found)
    elif as_csv:
        _write_csv(found)
    else:
        _tell_plan(found, in_detail=bool(named))


def _write_csv(found: CashPlan) -> None:
    import csv

    rows = csv.writer(sys.stdout, lineterminator="\n")
    rows.writerow(("contract", "milestone", "category", "day", "period", "amount", "currency", "reasons"))
    for line in found.lines:
        cells = (line.contract, line.milestone, line.category, line.day or "", line.period)
        rows.writerow((*map(_harmless, cells), line.amount.amount, line.amount.currency, " ".join(line.reasons)))


def _harmless(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t") else cell


def _tell_plan(found: CashPlan, *, in_detail: bool) -> None:
    if in_detail:
        columns = ("contract", "milestone", "what", "day", "amount", "", "waits for")
        rows = [
            (x.contract, x.milestone, x.category, x.day or "no day", x.amount.amount, x.amount.currency,
             ", ".join(x.reasons))
            for x in found.lines
        ]  # fmt: skip
        print_table(columns, rows, "everything is released and paid")
        say("")
    amounts = {(s.currency, s.period, s.category): s.amount.amount for s in found.sums}
    places = list(dict.fromkeys((s.currency, s.period) for s in found.sums if s.category in IN_TIME))
    table: list[Sequence[object]] = [
        (currency, period or "no day", *(amounts.get((currency, period, category), "") for category in IN_TIME))
        for currency, period in places
    ]  # fmt: skip
    print_table(("currency", found.by, *IN_TIME), table, "no money is expected")
    for s in found.sums:
        if s.category in NEVER:
            say(f"never goes out: {s.currency} {s.amount.amount} ({s.category.replace('_', ' ')})")
    if found.left_out:
        say(f"left out, since no version is in force or it is frozen: {', '.join(found.left_out)}")
