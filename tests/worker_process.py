"""`milepost run` as a process of its own, and a broker and a database for it to run on."""

import asyncio
import re
import sys
import urllib.error
import urllib.request
from collections import defaultdict
from pathlib import Path

import asyncpg
import yaml
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from msgspec.json import decode
from servers.kafka_topics import make_topics
from servers.process import ServerProcess
from workload import SOURCES, TOPICS

OUT = ("finance.commands", "milestone.decisions", "milestone.snapshots", "milepost.quarantine", "milestone.notices")
LANES = ("commands", "decisions", "snapshots", "quarantine", "notices")
IN_PROJECT = Path(__file__).parent.parent


class Site:
    """Topics of its own on a broker, a database, and the config that names them."""

    def __init__(self, folder, bootstrap, dsn, name, partitions=4):
        self.folder, self.bootstrap, self.dsn, self.name, self.partitions = folder, bootstrap, dsn, name, partitions
        self.config = folder / "milepost.yaml"

    async def prepare(self, **changes):
        keep = {"retention.ms": "-1", "min.insync.replicas": "1", "max.message.bytes": "2000000"}
        topics = {self.topic(t): self.partitions for t in (*TOPICS, *OUT)}
        compacted = {t: n for t, n in topics.items() if "snapshots" in t}
        await make_topics(self.bootstrap, {t: n for t, n in topics.items() if t not in compacted}, keep)
        await make_topics(self.bootstrap, compacted, keep | {"cleanup.policy": "compact"})
        self.config.write_text(yaml.safe_dump(self.settings(**changes)))

    def topic(self, name):
        return f"{self.name}.{name}"

    def settings(self, **changes):
        return {
            "kafka": {"bootstrap_servers": self.bootstrap, "replication": 1, "group": self.name},
            "postgres": {"dsn": self.dsn},
            "sources": {name: s | {"topic": self.topic(s["topic"])} for name, s in SOURCES.items()},
            "topics": dict(zip(LANES, map(self.topic, OUT), strict=True)),
            "http": {"port": 0},
        } | changes

    def worker(self, number=1):
        return Worker(self.folder, self.config, number)

    async def send(self, events, at_a_time=2000):
        """In order for each key."""
        async with AIOKafkaProducer(
            bootstrap_servers=self.bootstrap, enable_idempotence=True, max_batch_size=256 * 1024
        ) as producer:
            for at in range(0, len(events), at_a_time):
                part = events[at : at + at_a_time]
                await asyncio.gather(*[await self._queued(producer, event) for event in part])

    async def _queued(self, producer, e):
        topic, headers = self.topic(e.topic), list(e.headers)
        return await producer.send(topic, e.value, e.key, timestamp_ms=e.timestamp, headers=headers)

    async def read(self, topic):
        """Every record of a topic, partition by partition."""
        async with AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap, isolation_level="read_committed", auto_offset_reset="earliest"
        ) as consumer:
            places = [TopicPartition(self.topic(topic), n) for n in range(self.partitions)]
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
            records = []
            while any([await consumer.position(place) < ends[place] for place in places]):
                for found in (await consumer.getmany(timeout_ms=200)).values():
                    records += found
            return records

    async def commands(self):
        """By contract, as they stand on the topic: doubles included."""
        found = defaultdict(list)
        for record in await self.read("finance.commands"):
            command = decode(record.value)
            found[command["contract"]].append(command)
        return found


class Worker(ServerProcess):
    """One `milepost run`; its pages are on a port that it chooses itself."""

    def __init__(self, folder, config, number):
        command = [sys.executable, "-m", "services.cli", "run", "--config", str(config)]
        super().__init__(f"worker {number}", command, folder / f"worker-{number}.log", folder=IN_PROJECT)

    def start(self):
        self._seen = self.log.stat().st_size if self.log.exists() else 0
        super().start()

    def launch(self):
        """Start without waiting for an answer."""
        self._seen = self.log.stat().st_size if self.log.exists() else 0
        self._launch()

    @property
    def address(self):
        told = self.log.read_bytes()[self._seen :].decode() if self.log.exists() else ""
        found = re.findall(r'"http": ?"(http://[^"]+)"', told)
        return found[-1] if found else None

    def page(self, path):
        try:
            with urllib.request.urlopen(self.address + path, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def ready(self):
        try:
            return self.address is not None and self.page("/readyz")[0] == 200
        except OSError:
            return False

    def wait(self, timeout_s=20):
        return self._child.wait(timeout_s)


async def carried(site, total, within_s=60):
    """Wait until `total` records were carried and everything that was said is out."""
    question = """select coalesce(sum(next_offset), 0)::bigint, (select count(*) from outbox),
                  (select count(*) from wake where moment = 0) from kafka_offset"""
    connection = await asyncpg.connect(site.dsn)
    try:
        async with asyncio.timeout(within_s):
            while True:
                offsets, waiting, roused = await connection.fetchrow(question)
                if offsets >= total and not waiting and not roused:
                    return
                await asyncio.sleep(0.05)
    finally:
        await connection.close()
