"""`milepost export evidence`: what auditors take away. Further formats add their commands to this group."""

from __future__ import annotations

import typer

from services.cli.app import app

export = typer.Typer(no_args_is_help=True, help="Write what others read: evidence of one contract.")
app.add_typer(export, name="export")


@export.callback()
def exported() -> None:
    """Write what others read."""
