"""Webhooks onto Apache Kafka, and `milepost collect` as a process of its own."""

import asyncio
import hashlib
import hmac
import json
import re
import secrets
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import yaml
from aiokafka import AIOKafkaConsumer, TopicPartition
from servers.kafka_topics import make_topics
from servers.process import ServerProcess

from connectors.http_server import serving
from connectors.kafka import KafkaConnection, KafkaPublisher, PublisherSettings
from connectors.migrations import upgrade
from connectors.webhooks import Hook, receiver

SECRET = b"a-secret-of-the-portal"
BODY = b'{"payload": {"issue": {"id": 1}}}'
SIGNED = {"X-Signature": "sha256=" + hmac.new(SECRET, BODY, hashlib.sha256).hexdigest()}


@pytest.fixture
async def topic(kafka):
    name = f"hooks.{secrets.token_hex(4)}"
    await make_topics(kafka.bootstrap, {name: 1})
    return name


@pytest.fixture
def secret_file(tmp_path):
    (tmp_path / "secret").write_bytes(SECRET)
    return tmp_path / "secret"


async def records(bootstrap, topic):
    """Everything in the topic's one partition."""
    partition = TopicPartition(topic, 0)
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap) as consumer:
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        end = (await consumer.end_offsets([partition]))[partition]
        found = []
        while len(found) < end:
            found += (await consumer.getmany(timeout_ms=200)).get(partition, [])
        return found


async def arrived(bootstrap, topic, wanted, deadline_s=60):
    """The records of the topic, as soon as there are as many as wanted."""
    async with asyncio.timeout(deadline_s):
        while len(found := await records(bootstrap, topic)) < wanted:
            await asyncio.sleep(0.1)
    return found


@asynccontextmanager
async def listening(kafka, topic, secret_file, deadline_s):
    hook = Hook("portal", topic, "/hooks/portal", secret_file, "X-Signature", prefix="sha256=")
    publisher = KafkaPublisher(KafkaConnection(kafka.bootstrap), PublisherSettings(deadline_s=deadline_s, request_s=2))
    app = receiver([hook], publisher.publish, lambda *_: None)
    async with serving(app, "127.0.0.1", 0) as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        try:
            yield client
        finally:
            await publisher.stop()


async def test_a_delivery_is_accepted_when_it_lies_in_kafka(kafka, topic, secret_file):
    async with listening(kafka, topic, secret_file, 30) as client:
        assert (await client.post("/hooks/portal", content=BODY, headers=SIGNED)).status_code == 202
        assert (await client.post("/hooks/portal", content=BODY + b" ", headers=SIGNED)).status_code == 401
    (record,) = await records(kafka.bootstrap, topic)
    assert record.value == BODY
    assert dict(record.headers)["milepost-source"] == b"portal"


async def test_a_broker_that_is_down_is_503_and_nothing_is_lost_by_the_one_who_tries_again(
    own_kafka, topic, secret_file
):
    async with listening(own_kafka, topic, secret_file, 5) as client:
        own_kafka.kill()
        assert (await client.post("/hooks/portal", content=BODY, headers=SIGNED, timeout=20)).status_code == 503
        own_kafka.start()
        async with asyncio.timeout(60):
            while (await client.post("/hooks/portal", content=BODY, headers=SIGNED, timeout=20)).status_code != 202:
                pass
    assert {record.value for record in await records(own_kafka.bootstrap, topic)} == {BODY}


READY = r'"http": ?"(http://[^"]+)"'  # in the log


class Collecting(ServerProcess):
    """`milepost collect` on a config."""

    def __init__(self, config, number):
        super().__init__("milepost collect", [sys.executable, "-c", "from services.cli import main; main()", "collect",
                         "--config", str(config)], config.with_name(f"collect-{number}.log"),
                         folder=Path(__file__).parents[2])  # fmt: skip

    @property
    def url(self):
        (address,) = re.findall(READY, self.log.read_text())
        return address

    def ready(self):
        return self.log.exists() and re.search(READY, self.log.read_text()) is not None


@pytest.fixture
async def config(kafka, postgres_dsn, redmine, topic, secret_file, tmp_path):
    await asyncio.to_thread(lambda: asyncio.run(upgrade(postgres_dsn)))
    (tmp_path / "token").write_text(redmine.keys["collector"])
    hook = {"path": "/hooks/pm", "secret_file": str(secret_file), "header": "X-Signature", "prefix": "sha256="}
    ask = {
        "url": redmine.url,
        "token_file": str(tmp_path / "token"),
        "every": "200ms",
        "projects": [topic.replace(".", "-")],
    }
    settings = {
        "kafka": {"bootstrap_servers": kafka.bootstrap, "replication": 1},
        "postgres": {"dsn": postgres_dsn},
        "sources": {"pm": {"dialect": "redmine", "topic": topic, "collect": ask, "webhook": hook}},
        "worker": {"lease_s": 2},
        "http": {"port": 0},
    }
    file = tmp_path / "milepost.yaml"
    file.write_text(yaml.safe_dump(settings))
    return file


async def test_one_process_collects_and_another_takes_over_when_it_is_killed(kafka, redmine, config, topic):
    project = redmine.create_project(topic.replace(".", "-"))
    first, second = Collecting(config, 1), Collecting(config, 2)
    try:
        first.start()
        version = redmine.create_version(project["id"], "M1", "2026-12-15")["id"]
        await arrived(kafka.bootstrap, topic, 1)
        second.start()
        async with httpx.AsyncClient() as client:
            answers = [await client.get(second.url + path) for path in ("/healthz", "/readyz")]
            assert [answer.status_code for answer in answers] == [200, 200]
            assert (await client.post(second.url + "/hooks/pm", content=BODY, headers=SIGNED)).status_code == 202
        first.kill()
        redmine.update_version(version, due_date="2027-01-21")
        found = await arrived(kafka.bootstrap, topic, 3)
        assert json.loads(found[-1].value)["version"]["due_date"] == "2027-01-21"
        assert redmine.keys["collector"] not in first.log.read_text() + second.log.read_text()
        second.stop()
        assert len(await records(kafka.bootstrap, topic)) == 3
    finally:
        first.discard()
        second.discard()
