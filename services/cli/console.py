"""`milepost console`."""

from __future__ import annotations

import asyncio

from services.cli.app import DEFAULT_CONFIG, Config, app


@app.command("console")
def console(config: Config = DEFAULT_CONFIG) -> None:
    """Serve operators' web pages and the HTTP API. Put TLS in front; without logins this machine alone may look."""
    from services.wiring import console as wiring

    asyncio.run(wiring.run(config))
