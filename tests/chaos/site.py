"""Everything that runs in a campaign: cluster, database, proxies, the systems around, and Milepost's own processes."""

import asyncio
import contextlib
import json
import os
import random
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import yaml
from chaos.clock import Clock
from chaos.load import ROLES
from chaos.processes import Member, until
from chaos.proxy import Proxy
from chaos.systems import HEADER, SECRET, Tool, WrittenLedger
from servers.kafka_cluster import KafkaCluster
from servers.kafka_topics import make_topics
from servers.postgres import Postgres, find_binaries
from servers.process import free_port

from connectors.finance.simulator import serving as serving_finance
from connectors.http_server import serving
from connectors.migrations import upgrade

LANES = {
    "commands": "finance.commands", "decisions": "milestone.decisions", "snapshots": "milestone.snapshots",
    "quarantine": "milepost.quarantine", "notices": "milestone.notices",
}  # fmt: skip
PARTITIONS = 3
KEEP = {"retention.ms": "-1", "max.message.bytes": "2000000"}
COUNTS = {"worker": 3, "gate": 2, "collect": 2}
SESSION_S, LEASE_S, DRAIN_S, STATEMENT_S = 3, 3, 2, 5
DISK_MB = 900  # enough for an hour, and quickly full
MORE_POSTGRES = ("max_wal_size=128MB", "min_wal_size=32MB", "checkpoint_timeout=30s", "log_min_messages=fatal")
SOURCES = {
    **{name: {"dialect": "milepost", "role": role, "topic": f"{name}.events"} for name, role in ROLES.items()},
    "ubl": {"dialect": "ubl", "topic": "ubl.events"},
    "tool": {"dialect": "redmine", "topic": "tool.events", "statuses": {"met": ["Closed"], "open": ["In Progress"]}},
}
TOOL_PLAN = {
    "contract": "C-TOOL", "version": 1, "title": "Hall", "buyer": {"id": "BUY-1"}, "supplier": {"id": "SUP-1"},
    "currency": "EUR", "milestones": [
        {"id": f"M{n}", "title": f"M{n}", "kind": "payment", "value": "100.00", "requires": ["met"],
         "refs": {"tool": [f"version:{n}"]}} for n in range(1, 6)],
}  # fmt: skip


class Site:
    """The whole of it. `disk` is where a small disk for Postgres could be mounted, `clock` what moves its clock; each
    is None on a machine that cannot have it."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.name = folder, f"chaos-{seed}"
        self.rng = random.Random(seed)
        self.cluster = KafkaCluster(folder / "kafka", list(COUNTS))
        self.home = Path(tempfile.mkdtemp(prefix="milepost-pg-"))
        self.disk = self.home if _mounted(self.home) else None
        self.home.chmod(0o755)
        self.postgres = Postgres(self.home, free_port(), find_binaries(), MORE_POSTGRES)
        self.clock = Clock.before(self.postgres, self.home)
        self.ledger = WrittenLedger(folder / "ledger.jsonl", random.Random(seed))
        self.tool = Tool(random.Random(seed))
        self.proxies: dict[str, list[Proxy]] = {}
        self.members: list[Member] = []
        self.finance_port = free_port()
        self.dsn = ""

    @property
    def inputs(self) -> list[str]:
        """Every topic that the worker reads."""
        return [self.topic(s["topic"]) for s in SOURCES.values()] + [self.topic("finance.events")]

    @property
    def topics(self) -> list[str]:
        return [*self.inputs, *map(self.topic, LANES.values())]

    def topic(self, name: str) -> str:
        return f"{self.name}.{name}"

    def of(self, kind: str) -> list[Member]:
        return [member for member in self.members if member.kind == kind]

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Servers, proxies and the systems around run for the block; Milepost is started and ended too."""
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(asyncio.to_thread, self._discard)
            await asyncio.gather(asyncio.to_thread(self.cluster.start), asyncio.to_thread(self.postgres.start))
            self.dsn = self.postgres.create_database()
            await upgrade(self.dsn)
            await self._make_topics()
            await stack.enter_async_context(serving_finance(self.ledger, self.finance_port))
            tool = await stack.enter_async_context(serving(self.tool.pages(), "127.0.0.1", 0))
            await self._open_proxies(stack, tool)
            self._write_config()
            self._make_members()
            for member in self.members:
                member.launch()
            for member in self.members:
                await until(lambda m=member: asyncio.to_thread(m.ready), f"{member.name} is ready")
            yield

    async def connect(self) -> asyncpg.Connection:
        """Past every proxy."""
        return await asyncpg.connect(self.dsn, timeout=5, command_timeout=20)

    def check(self) -> None:
        """Raises where a process of Milepost has ended by itself."""
        for member in self.members:
            member.check()

    async def _make_topics(self) -> None:
        compacted = self.topic(LANES["snapshots"])
        plain = {name: PARTITIONS for name in self.topics if name != compacted}
        await make_topics(self.cluster.bootstrap, plain, KEEP | {"min.insync.replicas": "2"}, 3)
        more = {"cleanup.policy": "compact", "min.insync.replicas": "2"}
        await make_topics(self.cluster.bootstrap, {compacted: PARTITIONS}, KEEP | more, 3)

    async def _open_proxies(self, stack: contextlib.AsyncExitStack, tool: int) -> None:
        behind = {"gate-finance": self.finance_port, "collect-tool": tool}
        for kind in COUNTS:
            ways = [broker.ways[kind] for broker in self.cluster.brokers]
            self.proxies[f"{kind}-kafka"] = [Proxy(way.proxied, way.behind) for way in ways]
            behind[f"{kind}-postgres"] = self.postgres.port
        self.proxies |= {pair: [Proxy(free_port(), port)] for pair, port in behind.items()}
        for proxy in (p for some in self.proxies.values() for p in some):
            await proxy.start()
            stack.push_async_callback(proxy.stop)

    def _write_config(self) -> None:
        for name, text in (("secret", SECRET), ("token", b"key")):
            (self.folder / name).write_bytes(text)
        sources = {name: s | {"topic": self.topic(s["topic"])} for name, s in SOURCES.items()}
        sources["tool"] |= {
            "collect": {"url": f"http://127.0.0.1:{self._port('collect-tool')}", "every": "200ms", "projects": ["hall"],
                        "token_file": str(self.folder / "token")},
            "webhook": {"path": "/hooks/tool", "secret_file": str(self.folder / "secret"), "header": HEADER,
                        "prefix": "sha256="},
        }  # fmt: skip
        finance = {"dialect": "http", "url": f"http://127.0.0.1:{self._port('gate-finance')}", "timeout_s": 2,
                   "topic": self.topic("finance.events")}  # fmt: skip
        settings = {
            "kafka": {"bootstrap_servers": self.cluster.bootstrap, "group": self.name},
            "postgres": {"dsn": self.dsn, "timeout_s": STATEMENT_S},
            "sources": sources, "finance": {"ap-eu": finance}, "http": {"port": 0},
            "topics": {lane: self.topic(name) for lane, name in LANES.items()},
            "worker": {"session_s": SESSION_S, "lease_s": LEASE_S, "drain_s": DRAIN_S, "batch": 50},
        }  # fmt: skip
        (self.folder / "milepost.yaml").write_text(yaml.safe_dump(settings))

    def _make_members(self) -> None:
        for kind, count in COUNTS.items():
            brokers = ",".join(f"127.0.0.1:{proxy.port}" for proxy in self.proxies[f"{kind}-kafka"])
            postgres = self.dsn.replace(f":{self.postgres.port}/", f":{self._port(f'{kind}-postgres')}/")
            environment = {"MILEPOST__KAFKA__BOOTSTRAP_SERVERS": json.dumps(brokers),
                           "MILEPOST__POSTGRES__DSN": postgres}  # fmt: skip
            self.members += [Member(kind, n, self.folder, environment) for n in range(1, count + 1)]

    def _port(self, pair: str) -> int:
        return self.proxies[pair][0].port

    def _discard(self) -> None:
        for member in self.members:
            with contextlib.suppress(RuntimeError, ProcessLookupError):
                member.go_on()
            member.kill() if member.running else None
            member.discard()
        self.cluster.discard()
        self.postgres.kill()
        if self.disk is not None:
            subprocess.run(["umount", "-l", str(self.disk)], check=False)
        shutil.rmtree(self.home, ignore_errors=True)


def _mounted(folder: Path) -> bool:
    """Give Postgres a small disk of its own, where we may."""
    if os.geteuid() != 0:
        return False
    wanted = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "none", str(folder)]
    return subprocess.run(wanted, check=False, capture_output=True).returncode == 0
