"""The front desk: the command line. What is heavy is imported where it is used, so that help answers at once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
Config = Annotated[Path, typer.Option("--config", envvar="MILEPOST_CONFIG", help="The configuration file.")]


@app.callback()
def milepost() -> None:
    """Pay for what was delivered, and be able to prove it."""


@app.command("try")
def try_(records: Path, config: Config = Path("milepost.yaml")) -> None:
    """Run records through mappers and core in memory, and print what would be published."""
    from services.wiring import try_records  # noqa: PLC0415 -- heavy imports only where they are used

    try_records(config, records, sys.stdout.buffer)


def main() -> None:
    """Entry point of `milepost`."""
    from contracts_schema.errors import ConfigurationError  # noqa: PLC0415 -- as above

    try:
        app()
    except ConfigurationError as error:
        for fault in error.faults:
            print(f"milepost: {fault}", file=sys.stderr)  # noqa: T201 -- the front desk speaks to people
        sys.exit(2)
