"""From nothing to a paid milestone by the command line alone, against a running worker on real servers."""

import asyncio
import json
import os
import subprocess
import sys
import time
import uuid

import pytest
import yaml
from aiokafka import AIOKafkaProducer
from desk import PLAN
from worker_process import IN_PROJECT, Worker

SOURCES = {
    "register": ("register", "contract.events"),
    "pm": ("project", "project.events"),
    "office": ("operator", "operator.events"),
}
WRITTEN = ("commands", "decisions", "snapshots", "quarantine", "notices")


class Site:
    """A configuration with topics of its own, and `milepost` as a process."""

    def __init__(self, folder, bootstrap, dsn):
        self.folder, self.bootstrap, self.mark = folder, bootstrap, uuid.uuid4().hex[:8]
        self.config = folder / "milepost.yaml"
        self.topics = {name: f"{self.mark}.{topic}" for name, (_, topic) in SOURCES.items()}
        self.config.write_text(
            yaml.safe_dump(
                {
                    "kafka": {"bootstrap_servers": bootstrap, "replication": 1, "group": self.mark},
                    "postgres": {"dsn": dsn},
                    "sources": {
                        name: {"dialect": "milepost", "role": role, "topic": self.topics[name]}
                        for name, (role, _) in SOURCES.items()
                    },
                    "topics": {name: f"{self.mark}.{name}" for name in WRITTEN},
                    "http": {"port": 0},
                }
            )
        )

    def __call__(self, *words, code=0):
        command = [sys.executable, "-m", "services.cli", *map(str, words), "--config", str(self.config)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MILEPOST")}
        done = subprocess.run(
            command, cwd=IN_PROJECT, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout if code == 0 else done.stdout + done.stderr

    def json(self, *words, code=0):
        return json.JSONDecoder().raw_decode(self(*words, "--json", code=code))[0]

    async def met(self, milestone, recorded_ms=None):
        """A word of the project tool, with the record's own timestamp where one is given."""
        data = {"contract": "C-1", "milestone": milestone, "status": "met"}
        event = {
            "specversion": "1.0", "id": uuid.uuid4().hex, "source": "pm", "type": "milepost.milestone.assessed.v1",
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "data": data,
        }  # fmt: skip
        async with AIOKafkaProducer(bootstrap_servers=self.bootstrap) as producer:
            headers = [("content-type", b"application/cloudevents+json")]
            value = json.dumps(event).encode()
            await producer.send_and_wait(
                self.topics["pm"], value, b"C-1", headers=headers, timestamp_ms=recorded_ms or int(time.time() * 1000)
            )

    def until(self, question, within_s=30):
        """Ask again until it is so."""
        end = time.monotonic() + within_s
        while not question():
            assert time.monotonic() < end, self("status")
        return True

    def reasons(self, milestone):
        return [r["code"] for r in self.json("explain", f"C-1/{milestone}")[0]["reasons"]]


@pytest.fixture
def site(kafka, postgres_dsn, tmp_path):
    return Site(tmp_path, kafka.bootstrap, postgres_dsn)


def test_set_up_is_idempotent_and_says_what_is_missing(site):
    assert "milepost db upgrade" in site("db", "check", code=2)
    assert "no schema yet" in site("db", "check", code=2)
    assert site.json("db", "upgrade")["applied"]
    assert site.json("db", "upgrade") == {"applied": []}
    site("db", "check")
    assert {step["action"] for step in site.json("topics", "plan")} == {"create"}
    assert all(step["done"] for step in site.json("topics", "apply"))
    assert site.json("topics", "plan") == site.json("topics", "apply") == []


def test_a_contract_is_registered_proven_and_released_by_the_command_line(site):
    site("db", "upgrade")
    site("topics", "apply")
    plan = site.folder / "plan.yaml"
    plan.write_text(PLAN.format(contract="C-1"))
    worker = Worker(site.folder, site.config, 1)
    worker.start()
    try:
        assert [v["outcome"] for v in site.json("contract", "apply", plan)] == ["applied"]
        assert [v["outcome"] for v in site.json("contract", "apply", plan)] == ["duplicate"]
        asyncio.run(site.met("M1"))
        signed = site.json("sign", "C-1/M1", "--by", "jane", "--role", "site-manager")
        assert signed["outcome"] == "applied"
        site.until(lambda: site.reasons("M1") == [])
        assert "EUR 118500.00 is released" in site("explain", "C-1/M1")

        ten_days_ago = int(time.time() * 1000) - 10 * 86_400_000
        asyncio.run(site.met("M2", ten_days_ago))
        site.until(lambda: len(site.json("quarantine", "list")) == 1)
        assert site.reasons("M2") == ["SOURCE_UNREADABLE", "NOT_MET"]
        assert [r["outcome"] for r in site.json("quarantine", "redrive", "--all")] == ["used"]
        assert site.reasons("M2") == []

        found = site.json("status")
        assert (found["contracts"], found["quarantine_open"], found["faults"]) == (1, 0, [])
        assert [lease["name"] for lease in found["leases"]]
        refused = (
            plan.read_text().replace("version: 1", "version: 2").replace("- id: M2", "- id: M3\n    replaces: [M9]")
        )
        plan.write_text(refused)
        assert site.json("contract", "apply", plan, code=1)[0]["outcome"] == "refused"
    finally:
        worker.discard()


def test_without_servers_a_command_says_so_and_ends_with_1(site):
    content = yaml.safe_load(site.config.read_text())
    content["kafka"]["bootstrap_servers"] = "127.0.0.1:1"
    content["postgres"]["dsn"] = "postgresql://nobody@127.0.0.1:1/none"
    site.config.write_text(yaml.safe_dump(content))
    assert "milepost: " in site("contract", "list", code=1)
    assert "administer the cluster" in site("topics", "plan", code=1)
