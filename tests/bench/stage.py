"""Where the contenders perform: one real Apache Kafka, one real Postgres (fsync on), fresh topics and databases."""

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path

import workload
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from servers.kafka import start_kafka
from servers.kafka_topics import make_topics
from servers.postgres import start_postgres

from connectors.migrations import upgrade

EVENT_TOPICS = ("project.events", "erp.events", "operator.events")
OUT = ("finance.commands", "milestone.decisions", "milepost.quarantine", "milestone.notices", "finance.events")
SAFE = {"min.insync.replicas": "1", "unclean.leader.election.enable": "false", "retention.ms": "-1"}
COMPACTED = SAFE | {"cleanup.policy": "compact"}


class Stage:
    """The two servers and a folder; `partitions` is how many every topic gets."""

    def __init__(self, folder: Path, partitions: int) -> None:
        self.folder, self.partitions = folder, partitions
        self.kafka = start_kafka(folder / "kafka")
        self.postgres = start_postgres()

    def end(self) -> None:
        """Stop both servers."""
        self.kafka.discard()
        self.postgres.discard()

    async def topics(self, prefix: str, names: Iterable[str], settings: dict[str, str] | None = None) -> None:
        """Fresh topics."""
        wanted = {f"{prefix}.{name}": self.partitions for name in names}
        await make_topics(self.kafka.bootstrap, wanted, settings or SAFE)

    async def milepost(self, prefix: str, left_out: Sequence[str] = ()) -> tuple[str, Path]:
        """A fresh database, fresh topics, and a config of both; `left_out` of decisions and snapshots stay empty."""
        dsn = self.postgres.create_database()
        await upgrade(dsn)
        await self.topics(prefix, (*workload.TOPICS, *OUT))
        await self.topics(prefix, ["milestone.snapshots"], COMPACTED)
        config = {
            "kafka": {"bootstrap_servers": self.kafka.bootstrap, "replication": 1, "group": prefix},
            "postgres": {"dsn": dsn}, "http": {"port": 0}, "worker": {"leave_out": [*left_out]},
            "sources": {n: s | {"topic": f"{prefix}.{s['topic']}"} for n, s in workload.SOURCES.items()},
            "topics": {
                "commands": f"{prefix}.finance.commands", "decisions": f"{prefix}.milestone.decisions",
                "snapshots": f"{prefix}.milestone.snapshots", "quarantine": f"{prefix}.milepost.quarantine",
                "notices": f"{prefix}.milestone.notices",
            },
        }  # fmt: skip
        path = self.folder / f"{prefix}.yaml"
        path.write_text(json.dumps(config), encoding="utf-8")
        return dsn, path

    async def send(self, prefix: str, events: Iterable[workload.Event]) -> None:
        """Preload records, keyed by contract."""
        events = list(events)
        producer = AIOKafkaProducer(bootstrap_servers=self.kafka.bootstrap, acks="all", max_batch_size=262_144)
        await producer.start()
        for start in range(0, len(events), 5_000):
            sent = [
                await producer.send(
                    f"{prefix}.{e.topic}", e.value, key=e.key, headers=list(e.headers), timestamp_ms=e.timestamp
                )
                for e in events[start : start + 5_000]
            ]
            await asyncio.gather(*sent)
        await producer.stop()

    async def read(self, topic: str) -> list[dict]:
        """The JSON values of all committed records of a topic."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.kafka.bootstrap, isolation_level="read_committed", enable_auto_commit=False
        )
        await consumer.start()
        places = [TopicPartition(topic, n) for n in range(self.partitions)]
        consumer.assign(places)
        await consumer.seek_to_beginning()
        ends, found = await consumer.end_offsets(places), []
        while any([await consumer.position(place) < ends[place] for place in places]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += [json.loads(record.value) for record in records]
        await consumer.stop()
        return found


async def until(condition: Callable[[], Awaitable], what: str, limit_s: float = 900.0):
    """Await a condition that is looked at twenty times a second; its value."""
    ends = time.monotonic() + limit_s
    while not (value := await condition()):
        if time.monotonic() > ends:
            raise TimeoutError(f"{what}: not within {limit_s:.0f} s")
        await asyncio.sleep(0.05)
    return value


def cpu_s(pid: int) -> float:
    """CPU seconds of a process, its ended children, and its living ones."""
    own = 0.0
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
        own = sum(map(int, fields[11:15])) / 100
        tasks = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
        own += sum(cpu_s(int(child)) for child in tasks)
    return own


def memory_mb(pid: int) -> float:
    """Peak resident memory of one process."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) / 1024 for line in text.splitlines() if line.startswith("VmHWM"))
