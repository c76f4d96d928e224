"""The contenders: what a team writes first, and the strongest things one could pick instead."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import venv
from decimal import Decimal
from pathlib import Path

import workload
from outcome import Outcome, judged
from plain_handler import TABLE
from servers.cache import kept
from servers.kafka_jars import COPY_JARS, find_java
from servers.process import run as run_tool
from stage import EVENT_TOPICS, Stage, cpu_s

HERE = Path(__file__).parent
STREAMS = HERE / "kafka_streams"
QUIX = "quixstreams==3.28.1"


async def plain(stage: Stage, prefix: str, events: list[workload.Event], true: dict[str, Decimal], **_) -> Outcome:
    """One FastStream handler a message, one row transaction, one awaited publish."""
    import asyncpg

    dsn = stage.postgres.create_database()
    await stage.topics(prefix, (*EVENT_TOPICS, "commands"))
    await stage.send(prefix, events)
    connection = await asyncpg.connect(dsn)
    await connection.execute(TABLE)
    names = [name.split("/") for name in true]
    await connection.executemany("INSERT INTO plain_milestone (contract, milestone) VALUES ($1, $2)", names)
    await connection.close()
    command = [sys.executable, str(HERE / "plain_handler.py"), stage.kafka.bootstrap, dsn, prefix, str(len(events))]
    told, used, memory = await performed(stage, command, len(events))
    return await outcome(stage, prefix, told[-1]["events"] / told[-1]["seconds"], used, memory, true)


async def kafka_streams(
    stage: Stage, prefix: str, events: list[workload.Event], true: dict[str, Decimal], *, keyed: str = "contract", **_
) -> Outcome:
    """Kafka Streams with exactly_once_v2 and RocksDB, two threads, warm: from a third of the records to the end."""
    await stage.topics(prefix, (*EVENT_TOPICS, "by.contract", "commands"))
    await stage.send(prefix, events)
    command = streams_command(stage, prefix, len(events), commit_ms=100, keyed=keyed)
    told, used, memory = await performed(stage, command, len(events))
    return await outcome(stage, prefix, warm_rate(told, len(events)), used, memory, true, scale=100)


async def quix(stage: Stage, prefix: str, events: list[workload.Event], true: dict[str, Decimal], **_) -> Outcome:
    """Quix Streams with exactly-once and RocksDB, one process."""
    await stage.topics(prefix, (*EVENT_TOPICS, "commands"))
    await stage.send(prefix, events)
    state = str(stage.folder / f"{prefix}.state")
    command = [quix_python(), str(HERE / "quix_app.py"), stage.kafka.bootstrap, prefix, state, str(len(events))]
    told, used, memory = await performed(stage, command, len(events))
    return await outcome(stage, prefix, warm_rate(told, len(events)), used, memory, true)


def warm_rate(told: list[dict], count: int) -> float:
    """Records a second from the end of the first third."""
    third, done = (next(line[what] for line in told if what in line) for what in ("third", "done"))
    return (count - count // 3) / ((done - third) / 1000)


async def performed(stage: Stage, command: list[str], count: int) -> tuple[list[dict], dict[str, float], float]:
    """Run a contender to its end: what it said, CPU in microseconds of one record by process, its memory in MB."""
    before = {"kafka": cpu_s(stage.kafka.pid), "postgres": cpu_s(stage.postgres.pid)}
    with (stage.folder / "contender.err").open("wb") as errors:
        process = subprocess.Popen(command, cwd=HERE.parent, stdout=subprocess.PIPE, stderr=errors)
        said = await asyncio.to_thread(process.stdout.read)
        _, status, used = await asyncio.to_thread(os.wait4, process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(
            f"{command[0]} ended with {process.returncode}: {(stage.folder / 'contender.err').read_text()}"
        )
    after = {"kafka": cpu_s(stage.kafka.pid), "postgres": cpu_s(stage.postgres.pid)}
    cpu = {"worker": (used.ru_utime + used.ru_stime) / count * 1e6}
    cpu |= {name: (after[name] - before[name]) / count * 1e6 for name in before}
    return [json.loads(line) for line in said.splitlines() if line.startswith(b"{")], cpu, used.ru_maxrss / 1024


async def outcome(
    stage: Stage, prefix: str, rate: float, cpu: dict[str, float], memory: float, true: dict[str, Decimal],
    scale: int = 1,
) -> Outcome:  # fmt: skip
    """The commands are judged."""
    return Outcome(rate, cpu, memory, *judged(await stage.read(f"{prefix}.commands"), true, scale))


def streams_command(stage: Stage, prefix: str, count: int, commit_ms: int, keyed: str = "contract") -> list[str]:
    """How the contender in Java is started; it is built on first use."""
    java = find_java()
    jars, state = streams_jars(java), stage.folder / f"{prefix}.state"
    return [
        java, "-Xmx1g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", f"{jars}{os.sep}*", "Contender",
        stage.kafka.bootstrap, prefix, str(state), str(count), "2", str(commit_ms), keyed,
    ]  # fmt: skip


def streams_jars(java: str) -> Path:
    """The contender and what it needs, built once by Maven."""
    sources = [STREAMS / "pom.xml", *sorted(STREAMS.rglob("*.java"))]

    def build(aside: Path) -> None:
        work = aside / "work"
        shutil.copytree(STREAMS, work, ignore=shutil.ignore_patterns("target"))
        maven = ["mvn", "-B", "-q", "-f", str(work / "pom.xml"), "package", COPY_JARS, f"-DoutputDirectory={aside}"]
        home = {"JAVA_HOME": str(Path(java).resolve().parent.parent)}
        run_tool(maven, what="building the contender in Java", deadline_s=600, environment=home)
        shutil.copy(work / "target" / "kafka-streams-contender-1.jar", aside)
        shutil.rmtree(work)

    return kept("bench-streams", build, *(source.read_text() for source in sources))


def quix_python() -> str:
    """The Python of an environment of its own: its pins are not ours."""

    def build(aside: Path) -> None:
        venv.create(aside, with_pip=True, symlinks=True)
        pip = [str(aside / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", QUIX]
        run_tool(pip, what="installing Quix Streams", deadline_s=600)

    return str(kept("bench-quix", build, QUIX) / "bin" / "python")
