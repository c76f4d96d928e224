"""`milepost collect`."""

from __future__ import annotations

import asyncio
import signal

import typer

from services.cli.app import DEFAULT_CONFIG, Config, app


@app.command("collect")
def collect(config: Config = DEFAULT_CONFIG) -> None:
    """Ask systems that do not tell by themselves, and receive webhooks. A second one stands by for each source."""
    from services.wiring import collect as wiring

    async def until_stopped() -> None:
        stop = asyncio.Event()
        for how in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(how, stop.set)
        await wiring.run(
            config, stop, lambda port: typer.echo(f"collecting; webhooks and health on port {port}", err=True)
        )

    asyncio.run(until_stopped())
