"""A backup of the database is restored, hours behind the topics and finance: caught up, and no effect is doubled."""

import asyncio
import subprocess
import sys
import time
from itertools import groupby

import pytest
import yaml
from gate_desk import invoice
from gate_process import GateProcess
from msgspec.json import decode
from servers.kafka_topics import make_topics
from servers.process import run
from worker_process import IN_PROJECT, Site, carried
from workload import events, registrations

from connectors.finance.simulator import Ledger, serving
from connectors.migrations import upgrade

CONTRACTS, MILESTONES = 4, 3
RECORDS = [*registrations(CONTRACTS), *events(400, CONTRACTS, late=0)]
BACKUP_AT = 150
KEEP = {"retention.ms": "-1", "min.insync.replicas": "1", "max.message.bytes": "2000000"}


class House:
    """A worker, a gate and finance on one set of topics, and the database behind them, which may be another one."""

    def __init__(self, site, url, server):
        self.site, self.server = site, server
        finance = {"dialect": "http", "url": url, "timeout_s": 5, "topic": site.topic("finance.events")}
        self.changes = {"finance": {"ap-eu": finance}, "worker": {"lease_s": 2, "session_s": 6}}
        self.processes = []

    async def prepare(self):
        await make_topics(self.site.bootstrap, {self.site.topic("finance.events"): 1}, KEEP)
        await self.site.prepare(**self.changes)

    async def start(self, kind):
        number = len(self.processes) + 1
        made = self.site.worker(number) if kind == "run" else GateProcess(self.site.folder, self.site.config, number)
        self.processes.append(made)
        await asyncio.to_thread(made.start)

    async def stop(self):
        for process in self.processes:
            await asyncio.to_thread(process.discard)

    def milepost(self, *words):
        command = [sys.executable, "-m", "services.cli", *words, "--config", str(self.site.config)]
        return subprocess.run(command, cwd=IN_PROJECT, capture_output=True, text=True, timeout=120, check=False)

    def backup(self, path):
        command = [str(self.server.binaries / "pg_dump"), "-Fc", "-f", str(path), self.site.dsn]
        run(command, what="pg_dump", deadline_s=60)

    def restore(self, path):
        """Into another database, which takes the place of the one that is lost."""
        self.site.dsn = self.server.create_database()
        run(
            [str(self.server.binaries / "pg_restore"), "-d", self.site.dsn, str(path)], what="pg_restore", deadline_s=60
        )
        self.site.config.write_text(yaml.safe_dump(self.site.settings(**self.changes)))

    async def answered(self):
        """Wait until everything that was said is answered, the newest command of each milestone as done."""
        async with asyncio.timeout(90):
            while True:
                told = [decode(r.value) for r in await self.site.read("finance.events")]
                done = {a["command_id"] for a in told if a.get("state") in ("applied", "already_applied")}
                newest = {
                    (c["contract"], c["milestone"]): c for found in (await self.site.commands()).values() for c in found
                }
                if {c["command_id"] for c in newest.values() if c["targets"]} <= done:
                    return
                await asyncio.sleep(0.2)


@pytest.fixture
async def house(kafka, postgres_dsn, postgres_server, tmp_path):
    await upgrade(postgres_dsn)
    ledger = Ledger(refuses_repeats=True)
    for n in range(CONTRACTS):
        for m in range(MILESTONES):
            ledger.post(invoice(f"INV-{n}-{m}", gross=f"{1000 * (m + 1)}.00", supplier=f"SUP-{n}"))
    async with serving(ledger) as url:
        site = Site(tmp_path, kafka.bootstrap, postgres_dsn, f"restore-{time.time_ns()}", partitions=1)
        made = House(site, url, postgres_server)
        made.ledger = ledger
        await made.prepare()
        yield made
        await made.stop()
    if site.dsn != postgres_dsn:
        postgres_server.drop_database(site.dsn)


async def test_what_a_restored_database_has_forgotten_is_taken_over_and_done_once(house, tmp_path):
    site, ledger = house.site, house.ledger
    await house.start("run")
    await house.start("gate")
    await site.send(RECORDS[:BACKUP_AT])
    await carried(site, BACKUP_AT)
    await asyncio.to_thread(house.backup, tmp_path / "backup")
    await site.send(RECORDS[BACKUP_AT:])
    await carried(site, len(RECORDS))
    await house.answered()
    await house.stop()
    said, books, calls = await site.commands(), dict(ledger.invoices), list(ledger.calls)
    assert sum(map(len, said.values())) > CONTRACTS * MILESTONES
    assert calls

    await asyncio.to_thread(house.restore, tmp_path / "backup")
    refused = await asyncio.to_thread(house.milepost, "run")
    assert (refused.returncode, "milepost db adopt takes them over" in refused.stderr) == (2, True)
    adopted = await asyncio.to_thread(house.milepost, "db", "adopt", "--yes")
    assert adopted.returncode == 0, adopted.stderr
    await house.start("run")
    await carried(site, len(RECORDS))
    await house.start("gate")
    await house.answered()
    await house.stop()

    for contract, found in (await site.commands()).items():
        later = found[len(said[contract]) :]
        assert found[: len(said[contract])] == said[contract]
        assert [c["sequence"] for c in found] == sorted({c["sequence"] for c in found})
        assert len({c["command_id"] for c in found}) == len(found)
        for milestone, history in groupby(sorted(found, key=lambda c: c["milestone"]), key=lambda c: c["milestone"]):
            released = [float(c["released_to_date"]["amount"]) for c in history]
            assert released == sorted(released), milestone
        assert later, "every milestone says its state anew"
    assert ledger.invoices == books, "finance is as it was before the database was lost"
    assert ledger.calls[len(calls) :] == [], "and nothing was done there again"
    assert (await asyncio.to_thread(house.milepost, "verify")).returncode == 0
