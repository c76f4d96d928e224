"""`milepost gate` as a process of its own, and a broker and a database for it to run on."""

import asyncio
import json
import re
import sys
import urllib.request
from pathlib import Path

import yaml
from aiokafka import AIOKafkaConsumer, TopicPartition
from servers.kafka_topics import make_topics
from servers.process import ServerProcess

from connectors.kafka import KafkaConnection, KafkaPublisher
from connectors.migrations import upgrade
from connectors.postgres import PostgresSettings, PostgresStore
from contracts_schema.rows import Changes, StateRow
from services.reconciliation.log import Decided, LogEntry, Said, append
from services.reconciliation.state import State, encode_state
from services.runtime.outgoing import command_row

PROJECT = Path(__file__).parent.parent
KEEP = {"retention.ms": "-1", "min.insync.replicas": "1", "max.message.bytes": "2000000"}


class GateProcess(ServerProcess):
    """One `milepost gate`."""

    def __init__(self, folder, config, number):
        line = [sys.executable, "-m", "services.cli", "gate", "--config", str(config)]
        super().__init__(f"gate {number}", line, folder / f"gate-{number}.log", folder=PROJECT)

    def ready(self):
        told = re.findall(r'"http": ?"(http://[^"]+)"', self.log.read_text() if self.log.exists() else "")
        if not told:
            return False
        try:
            with urllib.request.urlopen(told[-1] + "/readyz", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False


class Site:
    def __init__(self, kafka, dsn, folder, url):
        self.bootstrap, self.dsn, self.folder = kafka.bootstrap, dsn, folder
        self.name = f"gate-{dsn.rpartition('/')[2]}"
        self.config = folder / "milepost.yaml"
        self.publisher = KafkaPublisher(KafkaConnection(kafka.bootstrap))
        self.settings = {
            "kafka": {"bootstrap_servers": kafka.bootstrap, "replication": 1, "group": self.name},
            "postgres": {"dsn": dsn},
            "sources": {
                "register": {"dialect": "milepost", "role": "register", "topic": self.topic("contract.events")},
                "erp-eu": {"dialect": "tryton", "topic": self.topic("erp.events")},
            },
            "finance": {
                "ap-eu": {"dialect": "http", "url": url, "timeout_s": 2, "topic": self.topic("finance.events")}
            },
            "topics": {
                lane: self.topic(lane) for lane in ("commands", "decisions", "snapshots", "quarantine", "notices")
            },
            "http": {"port": 0},
            "worker": {"lease_s": 3, "session_s": 6},
        }

    def topic(self, name):
        return f"{self.name}.{name}"

    async def prepare(self):
        names = ("contract.events", "erp.events", "finance.events", "commands", "decisions", "quarantine", "notices")
        await make_topics(self.bootstrap, {self.topic(name): 1 for name in names}, KEEP)
        await make_topics(self.bootstrap, {self.topic("snapshots"): 1}, KEEP | {"cleanup.policy": "compact"})
        await upgrade(self.dsn)
        self.config.write_text(yaml.safe_dump(self.settings))

    async def decide(self, *commands):
        """Write the revisions that led to these commands, as a worker would, and publish them."""
        async with PostgresStore(PostgresSettings(dsn=self.dsn)) as store:
            for one in commands:
                said = Said(one.action, one.sequence, one.command_id, ())
                decided = Decided("M1", "met", "EUR", 0, 0, 0, 0, None, (), (), (), (), said)
                entry = LogEntry(one.contract, one.revision, 0, "facts", "r", "ap-eu", (), (decided,))
                state = State(one.contract, one.revision, sequence=one.sequence)
                row = StateRow(one.contract, one.revision, encode_state(state))
                async with store.batch() as batch:
                    await batch.write(Changes(states=[row], log=[append(entry, b"")]))
        await self.publish(*commands)

    async def publish(self, *commands):
        await self.publisher.publish([command_row(one, self.topic("commands")) for one in commands])

    async def answers(self):
        """Every answer on the finance system's topic, doubles included: (id, command, state)."""
        async with AIOKafkaConsumer(bootstrap_servers=self.bootstrap, auto_offset_reset="earliest") as consumer:
            place = TopicPartition(self.topic("finance.events"), 0)
            consumer.assign([place])
            end = (await consumer.end_offsets([place]))[place]
            found = []
            while await consumer.position(place) < end:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += records
        told = [(dict(r.headers)["ce_id"].decode(), json.loads(r.value)) for r in found]
        return [(number, said["command_id"], said["state"]) for number, said in told if "command_id" in said]

    async def told(self, *expected, seconds=60):
        """Wait until exactly these (command, state) were told, each once under its id."""
        wanted = [(one.command_id, state) for one, state in expected]
        async with asyncio.timeout(seconds):
            while [said[1:] for said in dict.fromkeys(await self.answers())] != wanted:
                await asyncio.sleep(0.1)
