"""`milepost collect`."""

from __future__ import annotations

import asyncio

from services.cli.app import DEFAULT_CONFIG, Config, app


@app.command("collect")
def collect(config: Config = DEFAULT_CONFIG) -> None:
    """Ask systems that do not tell by themselves, and receive webhooks. A second one stands by for each source."""
    from services.wiring import collect as wiring

    asyncio.run(wiring.run(config))
