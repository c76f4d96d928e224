"""`milepost demo`: the real hallway, from topics to finance and back, in one process on servers out of wheels.

    vendors' payloads -> topics -> worker -> Postgres -> relay -> finance.commands -> gate -> finance system
                                     ^------------- finance.events: what became of them -----------'

Only broker, database and finance system are stand-ins; worker, relay and gate are the ones that `milepost run` and
`milepost gate` start. Every record waits until the one before it has been worked on, so that the story is told in order;
the outcome would be the same in any.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from msgspec.json import Decoder

from connectors.embedded import embedded_broker, embedded_postgres
from connectors.embedded_finance import TOKEN, Instalment, Ledger, serving
from connectors.embedded_kafka import Listener, VendorProducer, create_topics
from connectors.kafka import KafkaConnection
from connectors.migrations import upgrade
from connectors.postgres import PostgresSettings, PostgresStore
from connectors.telemetry import Telemetry
from contracts_schema.commands import Command
from contracts_schema.errors import MilepostError, TransientError
from contracts_schema.rows import Partition
from services.ports import Store
from services.settings import Settings
from services.wiring.demo_cast import working
from services.wiring.demo_outcome import Outcome, gather
from services.wiring.demo_story import Letter, Scene, Story, read_story

PATIENCE_S = 30.0  # nothing here takes a second; this is for a machine that is very busy
LOOK_AGAIN_S = 0.05
_commands = Decoder(Command)


class Narrator(Protocol):
    """Who tells what happens while it happens."""

    def stage(self, sentence: str) -> None:
        """A step of setting up or clearing away."""

    def scene(self, title: str) -> None:
        """A scene begins."""

    def sent(self, letter: Letter, place: str) -> None:
        """A system has sent a record, which came to lie at topic/partition/offset."""

    def commanded(self, command: Command) -> None:
        """Milepost has sent a command to finance."""

    def so(self, sentence: str) -> None:
        """What follows from a scene."""


async def play(narrator: Narrator) -> Outcome:
    """Start everything, play the story, stop everything; what came of it.

    Raises:
        ConfigurationError: the wheels of the extra `demo` are missing or do not run here.
        TransientError: the machine is too busy for the story to go on.
    """
    began = time.monotonic()
    story, ledger = read_story(), Ledger()
    narrator.stage("starting a broker, a Postgres and a finance system")
    async with embedded_broker() as bootstrap, embedded_postgres() as dsn:
        with serving(ledger) as url, tempfile.TemporaryDirectory(prefix="milepost-demo-") as folder:
            token = Path(folder) / "token"
            token.write_text(TOKEN, encoding="utf-8")
            stage = _Stage(story, story.settings(bootstrap, dsn, url, token), ledger, narrator)
            outcome = await stage.play(dsn)
        narrator.stage("stopping them again")
    outcome.seconds = round(time.monotonic() - began, 1)
    return outcome


class _Stage:
    """Everything that one performance needs."""

    def __init__(self, story: Story, settings: Settings, ledger: Ledger, narrator: Narrator) -> None:
        self._story = story
        self._settings = settings
        self._ledger = ledger
        self._narrator = narrator
        self._kafka = KafkaConnection(settings.kafka.bootstrap_servers, client_id="milepost-demo")
        self._committed = asyncio.Event()
        self._shown = 0  # commands that the narrator has told of

    async def play(self, dsn: str) -> Outcome:
        topics = self._settings.topics
        written = (topics.commands, topics.decisions, topics.snapshots, topics.quarantine)
        read = sorted({source.topic for source in self._settings.source_table().values()})
        self._narrator.stage("creating topics and tables")
        cluster = await create_topics(self._kafka, [*written, *read])
        await upgrade(dsn)
        async with (
            PostgresStore(PostgresSettings(dsn=dsn, name="milepost demo")) as store,
            VendorProducer(self._kafka) as producer,
            Listener(self._kafka, [*written, *read]) as listener,
        ):
            async with self._running(store, cluster, read):
                for scene in self._story.scenes:
                    await self._play_scene(scene, store, producer, listener)
            await listener.caught_up()
            return await gather(self._story, self._settings, store, listener, self._ledger)

    async def _play_scene(self, scene: Scene, store: Store, producer: VendorProducer, listener: Listener) -> None:
        self._narrator.scene(scene.title)
        for letter in scene.letters:
            if letter.books:
                self._ledger.post(letter.document, [Instalment(*line) for line in letter.books])
            place, offset = await producer.send(letter.topic, letter.key, letter.value, {}, letter.timestamp)
            self._narrator.sent(letter, place)
            await self._patiently(self._worked_on(store, Partition(letter.topic, 0), offset))
            await self._patiently(self._settled(store, listener))
            self._tell_commands(listener)
        self._narrator.so(scene.so)

    def _tell_commands(self, listener: Listener) -> None:
        said = listener.of(self._settings.topics.commands)
        for record in said[self._shown :]:
            self._narrator.commanded(_commands.decode(record.value or b""))
        self._shown = len(said)

    @asynccontextmanager
    async def _running(self, store: PostgresStore, cluster: str, topics: list[str]) -> AsyncIterator[None]:
        """Worker, relay and gate, until the block ends."""
        try:
            async with asyncio.TaskGroup() as tasks:
                telemetry = Telemetry(level="error", name="demo")
                async with working(
                    tasks, self._settings, self._kafka, store, cluster, topics, telemetry, self._committed.set
                ):
                    yield
        except* MilepostError as group:
            raise group.exceptions[0] from None

    # -- waiting -------------------------------------------------------------------------------------------------

    async def _worked_on(self, store: Store, partition: Partition, offset: int) -> None:
        """Return when the worker has committed past this record."""
        while True:
            self._committed.clear()  # before asking: what is committed while we ask must wake us
            if any(p.partition == partition and (p.next or 0) > offset for p in await store.partitions()):
                return
            await self._committed.wait()

    async def _settled(self, store: Store, listener: Listener) -> None:
        """Return when nothing is on its way any more."""
        while await store.backlog():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(listener.more(), LOOK_AGAIN_S)
        await listener.caught_up()

    async def _patiently(self, waiting: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                await waiting
        except TimeoutError:
            raise TransientError(f"the demo did not get on within {PATIENCE_S:.0f} s; try again on a quieter machine") from None
