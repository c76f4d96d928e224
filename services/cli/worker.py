"""`milepost run`."""

from __future__ import annotations

from services.cli.app import DEFAULT_CONFIG, Config, app


@app.command("run")
def run(config: Config = DEFAULT_CONFIG) -> None:
    """Work: read what the sources say, decide, and tell finance. Start more of it to share the partitions."""
    from services.wiring.worker import run_worker

    run_worker(config)
