"""`milepost gate` and `milepost drift`."""

from __future__ import annotations

from typing import Annotated

import typer

from services.cli.app import DEFAULT_CONFIG, AsJson, Config, app


@app.command("gate")
def gate(
    config: Config = DEFAULT_CONFIG,
    only: Annotated[str | None, typer.Option("--finance", help="Only this one of the finance systems.")] = None,
) -> None:
    """Drive the finance systems to what is wanted. A second one stands by for each system."""
    from services.wiring.gate import run_gate

    run_gate(config, only)


@app.command("drift")
def drift(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Show where finance differs from what is wanted: unclaimed, lifted by hand, too late, not to be split; and
    commands that were not believed.
    """
    import asyncio

    from msgspec.json import encode

    from services.reconciliation.calendar import show_moment
    from services.settings import load
    from services.wiring.gate import found

    findings, refusals = asyncio.run(found(load(config)))
    if as_json:
        typer.echo(encode({"findings": findings, "refusals": refusals}))
        return
    for finding in findings:
        typer.echo(f"{show_moment(finding.since)}  {finding.finance}  {finding.subject}  {finding.finding}")
    for refusal in refusals:
        typer.echo(f"{show_moment(refusal.at)}  refused {refusal.origin}  {refusal.sentence}")
    if not findings and not refusals:
        typer.echo("finance is as it is wanted")
