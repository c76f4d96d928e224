"""`milepost gate` and `milepost drift`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.app import DEFAULT_CONFIG, AsJson, Config, app

if TYPE_CHECKING:
    from services.wiring.reporting import DriftFound


@app.command("gate")
def gate(
    config: Config = DEFAULT_CONFIG,
    only: Annotated[str | None, typer.Option("--finance", help="Only this one of the finance systems.")] = None,
) -> None:
    """Drive the finance systems to what is wanted. A second one stands by for each system."""
    from services.wiring.gate import run_gate

    run_gate(config, only)


@app.command("drift")
def drift(
    contracts: Annotated[
        list[str] | None, typer.Argument(metavar="[CONTRACT]...", help="Contracts; left out: all.", show_default=False)
    ] = None,
    config: Config = DEFAULT_CONFIG,
    patience: Annotated[
        int, typer.Option("--unanswered-after", min=0, help="Seconds after which a command without an answer counts.")
    ] = 3600,
    check: Annotated[bool, typer.Option("--check", help="End with 1 where anything differs.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show where finance differs from what was commanded, since when, how much money it concerns, and what to do.

    Paid without release or while held, holds that came too late, holds lifted by hand or placed by others, invoices
    cancelled or amended after their release, unclaimed ones, commands unanswered, rejected or not believed.
    """
    from services import settings
    from services.cli.words import counting, give_up, print_json, run
    from services.wiring.places import read_place
    from services.wiring.reporting import drift as ask

    names = [read_place(name).contract for name in contracts or ()]
    with counting("contracts compared") as progress:
        found = run(ask(settings.load(config), names, patience, progress))
    if as_json:
        print_json(found)
    else:
        _tell(found)
    if found.faults:
        give_up(*found.faults)
    if check and found.findings:
        give_up(f"{len(found.findings)} differences")


def _tell(found: DriftFound) -> None:
    from services.cli.words import print_table, say
    from services.reporting.drift import totals

    rows = [
        (d.kind, d.age_days, d.finance, " ".join(d.milestones), d.invoice,
         f"{d.amount.amount} {d.amount.currency}" if d.amount else "", d.detail)
        for d in found.findings
    ]  # fmt: skip
    columns = ("what", "days", "finance", "milestones", "invoice", "concerns", "detail")
    print_table(columns, rows, "finance is as it is wanted")
    advice = dict.fromkeys((d.kind, d.advice) for d in found.findings)
    sums = totals(found.findings)
    for kind, remedy in advice:
        concerned = ", ".join(f"{a.amount} {a.currency}" for (k, _), a in sorted(sums.items()) if k == kind)
        say("", f"{kind}{f' ({concerned})' if concerned else ''}:", f"  {remedy}")
