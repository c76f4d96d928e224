"""Milepost as a company runs it: one configuration, and every command a process of its own."""

import asyncio
import json
import os
import re
import subprocess
import sys
import urllib.request

import yaml
from live_topics import SOURCES, LiveTopics
from servers.postgres import database_name
from servers.process import ServerProcess, await_condition
from worker_process import IN_PROJECT

from connectors.postgres import PostgresSettings, PostgresStore

WRITTEN = {
    "commands": "finance.commands", "decisions": "milestone.decisions",
    "snapshots": "milestone.snapshots", "quarantine": "milepost.quarantine", "notices": "milestone.notices",
}  # fmt: skip
WAITING = "select (select count(*) from outbox) + (select count(*) from wake where moment = 0)"
READ_TO = "select topic, partition, coalesce(next_offset, 0) from kafka_offset"
COMMAND_S = 60


class LiveSite:
    """A configuration with topics and a database of its own, and `milepost` on them."""

    def __init__(self, folder, bootstrap, postgres, dsn):
        self.folder, self._bootstrap, self._postgres, self._dsn = folder, bootstrap, postgres, dsn
        self.mark = f"live-{database_name(dsn)}".replace("_", "-")
        self.config = folder / "milepost.yaml"
        self.topics = LiveTopics(bootstrap, self.mark)

    def configure(self, sources, finance):
        """Write the configuration; every topic is given this site's mark."""
        answers = {"topic": self.topics.named("finance.events")}
        settings = {
            "kafka": {"bootstrap_servers": self._bootstrap, "replication": 1, "group": self.mark},
            "postgres": {"dsn": self._dsn},
            "sources": {name: said | {"topic": self.topics.named(said["topic"])} for name, said in sources.items()},
            "finance": {name: system | answers for name, system in finance.items()},
            "topics": {lane: self.topics.named(topic) for lane, topic in WRITTEN.items()},
            "http": {"port": 0},
        }
        self.config.write_text(yaml.safe_dump(settings))

    def __call__(self, *words):
        """What `milepost ...` prints; it must end well."""
        command = [sys.executable, "-m", "services.cli", *map(str, words), "--config", str(self.config)]
        known = {name: value for name, value in os.environ.items() if not name.startswith("MILEPOST")}
        done = subprocess.run(
            command, cwd=IN_PROJECT, env=known, capture_output=True, text=True, timeout=COMMAND_S, check=False
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def json(self, *words):
        return json.loads(self(*words, "--json"))

    def process(self, command):
        """`milepost run`, `gate` or `collect`, not started yet."""
        return MilepostProcess(self.folder, self.config, command)

    def explain(self, milestone):
        return self.json("explain", milestone)[0]

    def until_held_by(self, milestone, codes, deadline_s=40):
        """Wait until exactly these reasons hold it; answers its account. On failure it says what does hold it."""
        seen = {}

        def is_so():
            seen.update(self.explain(milestone))
            return [reason["code"] for reason in seen["reasons"]] == codes

        try:
            await_condition(is_so, f"{milestone} is held by {codes}", deadline_s)
        except TimeoutError as late:
            raise TimeoutError(f"{late}; it stands at {json.dumps(seen, indent=1)}") from None
        return seen

    def until_everything_is_read(self, deadline_s=40):
        """Wait until the store has read every source to its end, and nothing waits to be said."""
        await_condition(self._is_read, "every source is read to its end", deadline_s)

    def log_of(self, contract):
        """The contract's log of revisions as it lies in the database."""

        async def rows():
            async with PostgresStore(PostgresSettings(dsn=self._dsn)) as store:
                return list(await store.log(contract))

        return asyncio.run(rows())

    def _is_read(self):
        ends = self.topics.ends(*SOURCES)
        read = {(topic, int(n)): int(upto) for topic, n, upto in self._asked(READ_TO)}
        return all(read.get(place, 0) >= end for place, end in ends.items()) and self._asked(WAITING) == [["0"]]

    def _asked(self, question):
        return [row.split("|") for row in self._postgres.sql(question, database_name(self._dsn)).splitlines()]


class MilepostProcess(ServerProcess):
    """A command that runs until it is told to end; it says in its log on which port its pages are."""

    def __init__(self, folder, config, command):
        line = [sys.executable, "-m", "services.cli", command, "--config", str(config)]
        super().__init__(f"milepost {command}", line, folder / f"{command}.log", folder=IN_PROJECT)

    def ready(self):
        told = self.log.read_text() if self.log.exists() else ""
        ports = re.findall(r'"http": ?"http://[^":]+:(\d+)"', told)
        if not ports:
            return False
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{ports[-1]}/readyz", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False
