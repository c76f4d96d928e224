"""When the demo may go on: everything that was sent has been read, decided, told to finance, done and answered."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from msgspec.json import decode

from connectors.embedded_finance import Ledger
from connectors.embedded_kafka import Listener
from contracts_schema.commands import Command
from contracts_schema.errors import TransientError
from contracts_schema.rows import Lane
from services.gate.ports import Wanted
from services.ports import Store
from services.settings import Settings

PATIENCE_S = 30.0  # nothing here takes a second; this is for a machine that is very busy
LOOK_AGAIN_S = 0.05  # the gate's progress is found by asking
ACKNOWLEDGED = "milepost.command.acknowledged.v1"


class Watch:
    """Asks all parts whether they are done."""

    def __init__(self, settings: Settings, store: Store, listener: Listener, wanted: Wanted, ledger: Ledger) -> None:
        self._topics = {source.topic for source in settings.source_table().values()}
        self._commands = settings.topics.commands
        self._answers = {system.topic for system in settings.finance.values()}
        self._store = store
        self._listener = listener
        self._wanted = wanted
        self._ledger = ledger

    async def at_rest(self) -> None:
        """Return when nothing is on its way any more.

        Raises:
            TransientError: something still is, after half a minute.
        """
        await self._until(self._is_at_rest)

    async def nothing_unseen(self) -> None:
        """Return when the gate has an opinion of every invoice in finance's books: named by a command, or unclaimed.

        Raises:
            TransientError: as `at_rest`.
        """
        await self._until(self._is_everything_seen)

    async def _until(self, question: Callable[[], Awaitable[bool]]) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not await question():
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._listener.more(), LOOK_AGAIN_S)
        except TimeoutError:
            sentence = f"the demo did not get on within {PATIENCE_S:.0f} s; try it on a quieter machine"
            raise TransientError(sentence) from None

    async def _is_at_rest(self) -> bool:
        await self._listener.caught_up()
        stands = {p.partition.topic: p.next or 0 for p in await self._store.partitions()}
        if any(stands.get(topic, 0) < self._listener.end(topic) for topic in self._topics):
            return False
        if Lane.COMMANDS in await self._store.backlog() or await self._wanted.answers(1):
            return False
        await self._listener.caught_up()  # with what was said meanwhile
        return self._newest_commands() <= self._answered()

    async def _is_everything_seen(self) -> bool:
        named = {target.invoice for command in self._said() for target in command.targets}
        found = " ".join(finding.finding for finding in await self._wanted.findings())
        unnamed = [line for line in self._ledger.lines() if line.invoice not in named]
        return all(f"{line.document}: unclaimed" in found for line in unnamed)

    def _said(self) -> list[Command]:
        return [decode(record.value or b"", type=Command) for record in self._listener.of(self._commands)]

    def _newest_commands(self) -> set[str]:
        return set({command.milestone: command.command_id for command in self._said()}.values())

    def _answered(self) -> set[str]:
        records = [record for topic in self._answers for record in self._listener.of(topic)]
        return {decode(r.value or b"")["command_id"] for r in records if r.header("ce_type") == ACKNOWLEDGED}
