"""`milepost try`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from services.cli.app import DEFAULT_CONFIG, Config, app


@app.command("try")
def try_(
    records: Annotated[Path, typer.Argument(help="JSON lines: records, and clocks that let the time pass.")],
    config: Config = DEFAULT_CONFIG,
    notices: Annotated[bool, typer.Option("--notices", help="Print what people are told, too.")] = False,
) -> None:
    """Run records through the mappers and the core in memory, and print what would be published."""
    from services.wiring.trial import try_records

    try_records(config, records, sys.stdout.buffer, notices=notices)
