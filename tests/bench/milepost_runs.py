"""Milepost: its workers as processes of their own, whole core, log and chain on."""

import subprocess
import sys
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import asyncpg
import workload
from outcome import Outcome
from stage import EVENT_TOPICS, Stage, cpu_s, memory_mb, until

from contracts_schema.rows import Lane
from services.reconciliation.state import decode_state

EXPLAINING = ("decisions", "snapshots")  # topics that say nothing that the others say, either
ROOT = Path(__file__).resolve().parents[2]


class Worker:
    """One `milepost run`."""

    def __init__(self, config: Path, number: int = 0) -> None:
        command = [sys.executable, "-c", "from services.cli import main; main()", "run", "--config", str(config)]
        self.log = config.with_suffix(f".{number}.log").open("wb")
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=self.log, stderr=self.log)

    def stop(self) -> None:
        """End it as an operator would."""
        self.process.terminate()
        self.process.wait(60)
        self.log.close()

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait(60)
        self.log.close()


async def register(stage: Stage, prefix: str, config: Path, contracts: int, milestones: int, dsn: str) -> None:
    """Contracts are registered and their first commands are out."""
    await stage.send(prefix, workload.registrations(contracts, milestones))
    connection, workers = await asyncpg.connect(dsn), [Worker(config, n) for n in range(2)]
    topics = [f"{prefix}.contract.events"]

    async def registered() -> bool:
        if await read(connection, topics) < contracts or not await quiet(connection):
            return False
        return not await connection.fetchval("SELECT exists (SELECT FROM wake WHERE moment = 0)")

    try:
        await until(registered, "registrations are decided", limit_s=3_600)
    finally:
        for worker in workers:
            worker.stop()
        await connection.close()


async def read(connection: asyncpg.Connection, topics: Sequence[str]) -> int:
    """How many records of these topics were committed."""
    query = "SELECT coalesce(sum(next_offset), 0) FROM kafka_offset WHERE topic = ANY($1)"
    return int(await connection.fetchval(query, topics))


async def quiet(connection: asyncpg.Connection) -> bool:
    """Whether everything is out."""
    return await connection.fetchval("SELECT count(*) FROM outbox") == 0


async def run(
    stage: Stage, prefix: str, events: list[workload.Event], true: dict[str, Decimal], *, contracts: int,
    milestones: int = 3, workers: int = 1, left_out: Sequence[str] = EXPLAINING, **_,
) -> Outcome:  # fmt: skip
    """Preloaded events through some workers. As with the others, time begins when a third of the events is committed;
    it ends when all are committed and all commands out. CPU is counted until everything else is out too."""
    dsn, config = await stage.milepost(prefix, left_out)
    await register(stage, prefix, config, contracts, milestones, dsn)
    await stage.send(prefix, events)
    connection = await asyncpg.connect(dsn)
    topics = [f"{prefix}.{t}" for t in EVENT_TOPICS]

    async def a_third() -> int:
        done = await read(connection, topics)
        return done if done >= len(events) // 3 else 0

    async def all_said() -> bool:
        waiting = "SELECT count(*) FROM outbox WHERE lane = $1"
        return (
            await read(connection, topics) == len(events)
            and await connection.fetchval(waiting, Lane.COMMANDS.value) == 0
        )

    running = [Worker(config, n) for n in range(workers)]
    try:
        first = await until(a_third, "a third of the events is read")
        began, before = time.perf_counter(), spent(stage, running)
        await until(all_said, "all events are read and all commands out")
        seconds = time.perf_counter() - began
        await until(lambda: quiet(connection), "the outbox is empty")
        after = spent(stage, running)
        memory = max(memory_mb(worker.process.pid) for worker in running)
    finally:
        for worker in running:
            worker.stop()
    count = max(1, len(events) - first)
    differ = await differing(connection, true)
    doubled = await doubled_commands(stage, f"{prefix}.finance.commands")
    await connection.close()
    cpu = {name: (after[name] - before[name]) / count * 1e6 for name in before}
    return Outcome(count / seconds, cpu, memory, differ, doubled)


def spent(stage: Stage, workers: list[Worker]) -> dict[str, float]:
    """CPU seconds so far."""
    mine = sum(cpu_s(worker.process.pid) for worker in workers)
    return {"worker": mine, "kafka": cpu_s(stage.kafka.pid), "postgres": cpu_s(stage.postgres.pid)}


async def differing(connection: asyncpg.Connection, true: dict[str, Decimal]) -> int:
    """Milestones that by the stored state may be paid otherwise than is true."""
    from services.reconciliation.policy import Policy, make_rules
    from services.reconciliation.view import standings

    rules = make_rules({n: s["role"] for n, s in workload.SOURCES.items()}, {}, Policy())
    found = {}
    contracts = sorted({name.partition("/")[0] for name in true})
    for row in await connection.fetch("SELECT id, state FROM contract WHERE id = ANY($1)", contracts):
        for s in standings(decode_state(row["state"]), rules):
            held = [r for r in s.position.reasons if r.code != "OVER_RELEASED"]
            found[f"{row['id']}/{s.position.milestone}"] = Decimal(0 if held else s.position.allowed) / 100
    return sum(found[name] != may for name, may in true.items())


async def doubled_commands(stage: Stage, topic: str) -> int:
    """Contracts whose commands stand twice or leave a gap."""
    numbers: dict[str, list[int]] = {}
    for command in await stage.read(topic):
        numbers.setdefault(command["contract"], []).append(command["sequence"])
    return sum(sorted(said) != list(range(1, len(said) + 1)) for said in numbers.values())
