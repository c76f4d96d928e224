"""The bench: Milepost against a plain FastStream handler, on one real Kafka and one real Postgres (fsync on).

    python tests/bench/run.py [--events 60000] [--plain 3000] [--rounds 3]

Ratios of one run are what counts; absolute numbers belong to the machine. Prints a table and writes bench.json.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE.parent), str(ROOT)]

import workload  # noqa: E402 -- found on the path above
from core_cost import core_cost  # noqa: E402 -- as above
from servers.kafka import start_kafka  # noqa: E402 -- as above
from servers.kafka_topics import make_topics  # noqa: E402 -- as above
from servers.postgres import start_postgres  # noqa: E402 -- as above

from connectors.migrations import upgrade  # noqa: E402 -- as above
from contracts_schema.rows import Lane  # noqa: E402 -- as above
from services.reconciliation.state import decode_state  # noqa: E402 -- as above

CONTRACTS, MILESTONES, PARTITIONS = 2_000, 3, 24  # as many partitions as the set-up makes
EVENT_TOPICS = ("project.events", "erp.events", "operator.events")
OUT = (
    "finance.commands", "milestone.decisions", "milepost.quarantine", "milestone.notices", "finance.events",
    "bench.commands",
)  # fmt: skip
SAFE = {"min.insync.replicas": "1", "unclean.leader.election.enable": "false", "retention.ms": "-1"}


class Bench:
    """One broker, one database server, fresh topics and a fresh database for every round."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.options, self.folder = options, folder
        self.kafka = start_kafka(folder / "kafka")
        self.postgres = start_postgres()
        self.console = Console()

    def end(self) -> None:
        """Stop both servers."""
        self.kafka.discard()
        self.postgres.discard()

    async def fresh(self, prefix: str) -> tuple[str, Path]:
        """A fresh database and a config whose topics and group begin with `prefix`."""
        dsn = self.postgres.create_database()
        await upgrade(dsn)
        names = {t: f"{prefix}.{t}" for t in (*workload.TOPICS, *OUT)}
        await make_topics(self.kafka.bootstrap, dict.fromkeys(names.values(), PARTITIONS), SAFE)
        snapshots = f"{prefix}.milestone.snapshots"
        await make_topics(self.kafka.bootstrap, {snapshots: PARTITIONS}, SAFE | {"cleanup.policy": "compact"})
        config = {
            "kafka": {"bootstrap_servers": self.kafka.bootstrap, "replication": 1, "group": prefix},
            "postgres": {"dsn": dsn}, "http": {"port": 0},
            "sources": {n: s | {"topic": names[s["topic"]]} for n, s in workload.SOURCES.items()},
            "topics": {
                "commands": names["finance.commands"], "decisions": names["milestone.decisions"],
                "snapshots": snapshots, "quarantine": names["milepost.quarantine"],
                "notices": names["milestone.notices"],
            },
        }  # fmt: skip
        path = self.folder / f"{prefix}.yaml"
        path.write_text(json.dumps(config), encoding="utf-8")
        return dsn, path

    async def send(self, prefix: str, events: list[workload.Event]) -> None:
        """Preload records, keyed by contract."""
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


class Worker:
    """One `milepost run` as a process of its own."""

    def __init__(self, config: Path) -> None:
        command = [sys.executable, "-c", "from services.cli import main; main()", "run", "--config", str(config)]
        self.log = config.with_suffix(".log").open("wb")
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=self.log, stderr=self.log)

    def memory_mb(self) -> float:
        """Peak resident memory."""
        text = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        return next(int(line.split()[1]) / 1024 for line in text.splitlines() if line.startswith("VmHWM"))

    def cpu_s(self) -> float:
        """CPU seconds so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def stop(self) -> None:
        """End it as an operator would."""
        self.process.terminate()
        self.process.wait(60)
        self.log.close()


async def read_by_now(connection: asyncpg.Connection, prefix: str) -> int:
    """Records of the event topics whose batch is committed."""
    topics = [f"{prefix}.{t}" for t in EVENT_TOPICS]
    query = "SELECT coalesce(sum(next_offset), 0) FROM kafka_offset WHERE topic = ANY($1)"
    return int(await connection.fetchval(query, topics))


async def until(condition, what: str, limit_s: float = 600.0):
    """Await a condition that is looked at twenty times a second; its value."""
    ends = time.monotonic() + limit_s
    while not (value := await condition()):
        if time.monotonic() > ends:
            raise TimeoutError(f"{what}: not within {limit_s:.0f} s")
        await asyncio.sleep(0.05)
    return value


async def milepost_round(bench: Bench, number: int) -> dict[str, float]:
    """Preloaded events through one worker, whole core, log and chain on."""
    prefix, count = f"mp{number}", bench.options.events
    dsn, config = await bench.fresh(prefix)
    await bench.send(prefix, workload.registrations(CONTRACTS, MILESTONES))
    connection = await asyncpg.connect(dsn)
    worker = Worker(config)
    try:
        await until(lambda: _registered(connection), "registrations are decided")
    finally:
        worker.stop()
    await bench.send(prefix, workload.events(count, CONTRACTS, MILESTONES))
    worker = Worker(config)
    try:
        first = await until(lambda: read_by_now(connection, prefix), "the first batch")
        began, cpu = time.perf_counter(), worker.cpu_s()
        await until(lambda: _all_said(connection, prefix, count), "all events are read and all commands out")
        seconds, cpu = time.perf_counter() - began, worker.cpu_s() - cpu
        await until(lambda: _outbox_empty(connection), "the outbox is empty")
        memory = worker.memory_mb()
    finally:
        worker.stop()
    allowed = await _allowed(connection)
    await connection.close()
    rate = (count - first) / seconds
    return {"events_s": rate, "cpu_us": cpu / (count - first) * 1e6, "memory_mb": memory, "allowed": allowed}


async def _registered(connection: asyncpg.Connection) -> bool:
    done = await connection.fetchval("SELECT count(*) FROM contract") == CONTRACTS
    return (
        done
        and await _outbox_empty(connection)
        and await connection.fetchval("SELECT count(*) FROM wake WHERE cause = 'unparked'") == 0
    )


async def _all_said(connection: asyncpg.Connection, prefix: str, count: int) -> bool:
    """Whether all events are committed and every command that follows from them is published."""
    if await read_by_now(connection, prefix) < count:
        return False
    return await connection.fetchval("SELECT count(*) FROM outbox WHERE lane = $1", Lane.COMMANDS.value) == 0


async def _outbox_empty(connection: asyncpg.Connection) -> bool:
    return await connection.fetchval("SELECT count(*) FROM outbox") == 0


async def _allowed(connection: asyncpg.Connection) -> dict[str, str]:
    """What each milestone may be paid by what is known at the end."""
    from services.reconciliation.policy import Policy, make_rules
    from services.reconciliation.view import standings

    rules = make_rules({n: s["role"] for n, s in workload.SOURCES.items()}, {}, Policy())
    found = {}
    for row in await connection.fetch("SELECT id, state FROM contract"):
        for s in standings(decode_state(row["state"]), rules):
            open_reasons = [r for r in s.position.reasons if r.code != "OVER_RELEASED"]
            found[f"{row['id']}/{s.position.milestone}"] = str(Decimal(0 if open_reasons else s.position.allowed) / 100)
    return found


async def plain_round(bench: Bench, number: int) -> dict[str, float]:
    """The same topics, fewer events, one message at a time."""
    prefix, count = f"plain{number}", bench.options.plain
    dsn = bench.postgres.create_database()
    await make_topics(bench.kafka.bootstrap, {f"{prefix}.{t}": PARTITIONS for t in (*EVENT_TOPICS, "commands")}, SAFE)
    events = workload.events(count, CONTRACTS, MILESTONES)
    handled = [e for e in events if e.topic in EVENT_TOPICS]
    await bench.send(prefix, handled)
    connection = await asyncpg.connect(dsn)
    await connection.execute(plain_table())
    await connection.executemany(
        "INSERT INTO plain_milestone (contract, milestone, value) VALUES ($1, $2, $3)",
        [(workload.name(c), f"M{m}", Decimal(1000 * (m + 1))) for c in range(CONTRACTS) for m in range(MILESTONES)],
    )
    command = [sys.executable, str(HERE / "plain_faststream.py"), bench.kafka.bootstrap, dsn, prefix, str(len(handled))]
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=300
    )
    told = json.loads(done.stdout)
    allowed = await plain_allowed(connection)
    await connection.close()
    return {"events_s": told["events"] / told["seconds"], "allowed": allowed, "events": events}


def plain_table() -> str:
    """The contender's table."""
    from plain_faststream import TABLE

    return TABLE


async def plain_allowed(connection: asyncpg.Connection) -> dict[str, str]:
    """The contender's final state."""
    from plain_faststream import allowed

    rows = await connection.fetch("SELECT * FROM plain_milestone")
    return {f"{r['contract']}/{r['milestone']}": str(allowed(json.loads(r["known"]), r["value"])) for r in rows}


async def same_final_state(bench: Bench, plain: dict, number: int) -> int:
    """How many milestones end otherwise when Milepost reads the very events that the contender has handled."""
    saved, bench.options.events = bench.options.events, len(plain["events"])
    mine = await milepost_round(bench, number)
    bench.options.events = saved
    same = {m: Decimal(v) for m, v in mine["allowed"].items()}, {m: Decimal(v) for m, v in plain["allowed"].items()}
    return sum(same[0][m] != same[1][m] for m in same[1])


async def latency_ms(bench: Bench, rate: int, seconds: int) -> list[float]:
    """Milliseconds from produce to command readable, at a steady rate of events that each lead to a command."""
    prefix = f"lat{rate}"
    dsn, config = await bench.fresh(prefix)
    count = rate * seconds
    await bench.send(prefix, workload.registrations(count, 1))
    connection = await asyncpg.connect(dsn)
    worker = Worker(config)
    consumer = AIOKafkaConsumer(f"{prefix}.finance.commands", bootstrap_servers=bench.kafka.bootstrap)
    producer = AIOKafkaProducer(bootstrap_servers=bench.kafka.bootstrap, acks="all")
    sent: dict[bytes, float] = {}
    took: list[float] = []
    try:
        await until(lambda: _contracts_are(connection, count), "registrations are decided")
        await until(lambda: _outbox_empty(connection), "their holds are out")
        await consumer.start()
        await producer.start()
        await consumer.seek_to_end()
        reader = asyncio.create_task(_read_commands(consumer, sent, took, count))
        began = time.perf_counter()
        for n in range(count):
            await asyncio.sleep(max(0.0, began + n / rate - time.perf_counter()))
            event = workload.invoice_event(n)
            sent[event.key] = time.perf_counter()
            await producer.send(f"{prefix}.{event.topic}", event.value, key=event.key, headers=list(event.headers))
        await asyncio.wait_for(reader, 60)
    finally:
        await consumer.stop()
        await producer.stop()
        await connection.close()
        worker.stop()
    return took


async def _contracts_are(connection: asyncpg.Connection, count: int) -> bool:
    return await connection.fetchval("SELECT count(*) FROM contract") == count


async def _read_commands(consumer: AIOKafkaConsumer, sent: dict[bytes, float], took: list[float], count: int) -> None:
    while len(took) < count:
        record = await consumer.getone()
        if record.key in sent:
            took.append((time.perf_counter() - sent.pop(record.key)) * 1000)


def quantile(values: list[float], share: float) -> float:
    """The value below which a share of all lies."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def start_seconds(arguments: list[str]) -> float:
    """The best of five starts of the command line, in seconds."""
    command = [sys.executable, "-c", "from services.cli import main; main()", *arguments]
    best = 9.9
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
        best = min(best, time.perf_counter() - began)
    return best


async def measure(bench: Bench) -> dict[str, dict[str, float]]:
    """Every figure; the contenders take turns."""
    mine, plain = [], []
    for n in range(bench.options.rounds):
        plain.append(await plain_round(bench, n))
        bench.console.print(f"round {n + 1}: plain FastStream {plain[-1]['events_s']:,.0f} events/s")
        mine.append(await milepost_round(bench, n))
        bench.console.print(f"round {n + 1}: Milepost {mine[-1]['events_s']:,.0f} events/s")
    differ = await same_final_state(bench, plain[0], 900)
    slow = await latency_ms(bench, 100, 10)
    cost, sizes = core_cost(), {size: core_cost(size) for size in (30, 300)}
    rate, other = (statistics.median(r["events_s"] for r in rounds) for rounds in (mine, plain))
    return {
        "ratios": {
            "throughput_vs_plain_faststream": rate / other, "core_vs_decode": cost["core_us"] / cost["decode_us"],
            **{f"core_vs_decode_{n}_milestones": c["core_us"] / c["decode_us"] for n, c in sizes.items()},
        },
        "figures": {
            "milepost_events_s": rate, "plain_events_s": other,
            "milepost_spread": max(r["events_s"] for r in mine) / min(r["events_s"] for r in mine),
            "worker_cpu_us": statistics.median(r["cpu_us"] for r in mine),
            "worker_memory_mb": max(r["memory_mb"] for r in mine), "final_states_that_differ": differ,
            "latency_p50_ms": quantile(slow, 0.5), "latency_p99_ms": quantile(slow, 0.99),
            "help_s": start_seconds(["--help"]), **cost,
        },
    }  # fmt: skip


def main() -> None:
    """Run, print the table, write bench.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--plain", type=int, default=3_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    workload.START = datetime.now(UTC).replace(hour=0, minute=30, second=0, microsecond=0) - timedelta(days=1)
    workload.STEP = min(workload.STEP, timedelta(hours=20) / options.events)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), options)
        try:
            found = asyncio.run(measure(bench))
        finally:
            bench.end()
    table = Table("figure", "value", title="Milepost bench")
    for name, value in (found["ratios"] | found["figures"]).items():
        table.add_row(name, f"{value:,.3f}" if value < 100 else f"{value:,.0f}")
    bench.console.print(table)
    Path("bench.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
