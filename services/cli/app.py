"""The app to which every module adds its commands, and what all commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.cli.sections import Sections
from services.cli.words import config_in_use

app = typer.Typer(
    name="milepost", cls=Sections, no_args_is_help=True, add_completion=False, rich_markup_mode=None,
    pretty_exceptions_enable=False,
)  # fmt: skip
DEFAULT_CONFIG = Path("milepost.yaml")


def _used(config: Path) -> Path:
    config_in_use.set(config)
    return config


Config = Annotated[
    Path, typer.Option("--config", envvar="MILEPOST_CONFIG", help="The configuration file.", callback=_used)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@app.callback()
def milepost() -> None:
    """Pay for what was delivered, and be able to prove it."""
