"""Wires `milepost try`: everything in memory."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import BinaryIO

from msgspec.json import encode

from connectors.memory import MemoryStore
from contracts_schema.errors import ConfigurationError
from services import settings as s
from services.runtime.hallway import Hallway
from services.runtime.outgoing import Topics
from services.runtime.trial import read_lines, run
from services.wiring import RELEASE, doors


def try_records(config: Path, records: Path, out: BinaryIO, *, notices: bool = False) -> None:
    """Run a file of records through mappers and core, and write what comes of it as JSON lines; `notices` as well, if
    asked for.

    Raises:
        ConfigurationError: the config or a line of the input is faulty; nothing was run.
    """
    settings = s.load(config)
    try:
        lines = read_lines(records.read_bytes().splitlines())
    except OSError as error:
        raise ConfigurationError([f"{records} cannot be read: {error.strerror}"]) from None
    rules, store = settings.rules(), MemoryStore(lambda: 0)
    hallway = Hallway(store, doors.reader(settings, rules, "try"), rules, Topics(), RELEASE)

    async def write() -> None:
        async for line in run(lines, hallway, store, rules, notices=notices):
            out.write(encode(line) + b"\n")

    asyncio.run(write())
    out.flush()
