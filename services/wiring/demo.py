"""`milepost demo`: the real hallway, from topics to finance and back, in one process on servers out of wheels.

    vendors' payloads -> topics -> worker -> Postgres -> relay -> finance.commands -> gate -> finance system
                                     ^------------- finance.events: what became of them -----------'

Only broker and finance system are stand-ins; worker, relay and gate are the ones of `milepost run` and `milepost gate`.
Every record waits until all that the one before it led to has been done, so that the story is told in order.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from msgspec.json import Decoder

from connectors.embedded import embedded_broker, embedded_postgres
from connectors.embedded_finance import TOKEN, Instalment, Ledger, LedgerLine, serving
from connectors.embedded_kafka import Listener, VendorProducer, create_topics
from connectors.kafka import KafkaConnection
from connectors.migrations import upgrade
from connectors.postgres import PostgresSettings, PostgresStore
from connectors.telemetry import Telemetry
from contracts_schema.commands import Command
from contracts_schema.errors import MilepostError
from services.gate.ports import Wanted
from services.settings import Settings
from services.wiring.demo_cast import gating, working
from services.wiring.demo_outcome import Outcome, gather
from services.wiring.demo_story import Letter, Scene, Story, read_story
from services.wiring.demo_watch import Watch

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

    def booked(self, line: LedgerLine) -> None:
        """The gate has blocked or freed a payable line in the finance system's books."""

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
            outcome = await stage.play()
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
        self._dsn = settings.dsn()
        self._commanded = 0  # commands that the narrator has told of
        self._blocked: dict[int, bool] = {}  # payable lines as the narrator told of them last

    async def play(self) -> Outcome:
        """Make topics and tables, play all scenes, gather what came of them."""
        topics = self._settings.topics
        written = (topics.commands, topics.decisions, topics.snapshots, topics.quarantine, topics.notices)
        read = sorted({source.topic for source in self._settings.source_table().values()})
        self._narrator.stage("creating topics and tables")
        cluster = await create_topics(self._kafka, [*written, *read])
        await upgrade(self._dsn)
        async with (
            PostgresStore(PostgresSettings(dsn=self._dsn, name="milepost demo")) as store,
            VendorProducer(self._kafka) as producer,
            Listener(self._kafka, [*written, *read]) as listener,
        ):
            async with self._running(store, cluster, read) as wanted:
                watch = Watch(self._settings, store, listener, wanted, self._ledger)
                for scene in self._story.scenes:
                    await self._play_scene(scene, producer, listener, watch)
                findings = await wanted.findings()
            await listener.caught_up()  # the relay has sent the last of its words
            return await gather(self._story, self._settings, store, listener, self._ledger, findings)

    async def _play_scene(self, scene: Scene, producer: VendorProducer, listener: Listener, watch: Watch) -> None:
        self._narrator.scene(scene.title)
        for letter in scene.letters:
            if letter.books:
                self._ledger.post(letter.document, [Instalment(*line) for line in letter.books])
            place = await producer.send(letter.topic, letter.key, letter.value, {}, letter.timestamp)
            self._narrator.sent(letter, place)
            await watch.at_rest()
            await watch.nothing_unseen()
            self._tell(listener)
        self._narrator.so(scene.so)

    def _tell(self, listener: Listener) -> None:
        """What Milepost said since the last time, and what the gate did about it."""
        said = listener.of(self._settings.topics.commands)
        for record in said[self._commanded :]:
            self._narrator.commanded(_commands.decode(record.value or b""))
        self._commanded = len(said)
        for line in self._ledger.lines():
            if line.blocked != self._blocked.get(line.line, False):
                self._narrator.booked(line)
            self._blocked[line.line] = line.blocked

    @asynccontextmanager
    async def _running(self, store: PostgresStore, cluster: str, topics: list[str]) -> AsyncIterator[Wanted]:
        """Worker, relay and gate, until the block ends."""
        settings, kafka, telemetry = self._settings, self._kafka, Telemetry(level="error", name="demo")
        try:
            async with (
                asyncio.TaskGroup() as tasks,
                working(tasks, settings, kafka, store, cluster, topics, telemetry),
                gating(tasks, settings, kafka, store, self._dsn) as wanted,
            ):
                yield wanted
        except* MilepostError as group:
            raise group.exceptions[0] from None
