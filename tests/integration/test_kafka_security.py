"""On a broker that denies by default each process does its work as its own principal, and nobody does another's."""

import asyncio
import itertools

import pytest
import yaml
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import TopicAuthorizationFailedError
from gate_process import GateProcess
from msgspec.json import decode, encode
from servers.kafka_secure import SecureKafka
from servers.process import UnavailableError
from worker_process import Worker, carried
from workload import SOURCES, events, registrations

from connectors.finance.simulator import Ledger, serving
from connectors.kafka.cluster import administering, cluster_id
from connectors.kafka.topics import apply
from connectors.migrations import upgrade
from contracts_schema.errors import TransientError
from services.settings import check
from services.wiring import access, doors

pytestmark = pytest.mark.kafka
CONTRACTS, PARTITIONS = 5, 2
IBAN = "DE89370400440532013000"


def spoilt(event):
    """Ways in which a bank account stands in a record that cannot be used."""
    whole = decode(event.value)
    for broken in ({**whole["data"], "contract": None, "iban": IBAN}, IBAN, [IBAN]):
        yield event._replace(value=encode({**whole, "data": broken}))
    yield event._replace(value=f'{{"iban": "{IBAN}'.encode())
    yield event._replace(value=IBAN.encode())


RECORDS = [*registrations(CONTRACTS), *events(200, CONTRACTS)]
RECORDS += spoilt(RECORDS[-1])
HOOK = {"webhook": {"path": "/hooks/pm", "secret_file": "/run/secrets/pm", "header": "X-Signature"}}
SETTINGS = {
    "sources": SOURCES | {"pm": SOURCES["pm"] | HOOK},
    "finance": {"ap-eu": {"dialect": "http", "url": "http://127.0.0.1:9"}},
    "kafka": {"replication": 1},
}
FEW_PARTITIONS = doors.shipped_topics().replace("partitions: 24", f"partitions: {PARTITIONS}")
SAID = ("milestone.decisions", "milestone.notices", "milestone.snapshots", "finance.commands")
ALLOWED = access.allowed(check(SETTINGS))
PRINCIPALS = sorted({one.principal for one in ALLOWED})
TOPICS = sorted({one.name for one in ALLOWED if one.kind == "topic"})


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    """It knows every principal, allows what the configuration needs, and has its topics."""
    try:
        made = SecureKafka(tmp_path_factory.mktemp("secure"), PRINCIPALS)
    except UnavailableError as absent:
        pytest.skip(f"left out: kafka: {absent}")
    made.start()
    yield made
    made.discard()


@pytest.fixture(scope="module")
def prepared(broker):
    async def prepare():
        await broker.allow(ALLOWED)
        done, left = await apply(broker.connection(access.ADMIN), doors.topics(check(SETTINGS), FEW_PARTITIONS))
        assert (len(done), left) == (len(TOPICS), [])

    asyncio.run(prepare())
    return broker


class Site:
    """A config for each process: the same, but for how the broker is reached."""

    def __init__(self, folder, dsn, url):
        self.folder, self.dsn = folder, dsn
        finance = {"ap-eu": {"dialect": "http", "url": url, "timeout_s": 2}}
        self.settings = SETTINGS | {"postgres": {"dsn": dsn}, "finance": finance, "http": {"port": 0}}

    def config(self, name, kafka):
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(self.settings | {"kafka": kafka | {"replication": 1}}))
        return path


def producing(broker, principal, **options):
    return AIOKafkaProducer(**broker.connection(principal).client_options(), **options)


async def send(broker, records):
    """Each record as the source whose topic it is for."""
    owner = {source["topic"]: name for name, source in SOURCES.items()}
    for topic, some in itertools.groupby(sorted(records, key=lambda r: r.topic), key=lambda r: r.topic):
        async with producing(broker, owner[topic], enable_idempotence=True) as producer:
            for r in some:
                await producer.send(topic, r.value, r.key, timestamp_ms=r.timestamp, headers=list(r.headers))


async def partitions_of(consumer, topic):
    await consumer._client.set_topics([topic])
    return consumer.partitions_for_topic(topic)


async def read(broker, principal, topic):
    async with AIOKafkaConsumer(**broker.connection(principal).client_options()) as consumer:
        places = [TopicPartition(topic, number) for number in await partitions_of(consumer, topic)]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends, found = await consumer.end_offsets(places), []
        while any([await consumer.position(place) < ends[place] for place in places]):
            for some in (await consumer.getmany(timeout_ms=200)).values():
                found += some
    return found


# What is allowed is enough


@pytest.mark.postgres
async def test_worker_and_gate_do_their_work_as_their_principals(prepared, postgres_dsn, tmp_path):
    await upgrade(postgres_dsn)
    async with serving(Ledger()) as url:
        site = Site(tmp_path, postgres_dsn, url)
        worker = Worker(tmp_path, site.config("worker", prepared.settings(access.WORKER)), 1)
        gate = GateProcess(tmp_path, site.config("gate", prepared.mutual_settings(access.GATE)), 1)
        try:
            await send(prepared, RECORDS)
            await asyncio.to_thread(worker.start)
            await carried(site, len(RECORDS))
            commands = await read(prepared, "ap-eu", "finance.commands")
            assert {decode(r.value)["contract"] for r in commands} == {f"C-{n:05}" for n in range(CONTRACTS)}
            await asyncio.to_thread(gate.start)
            await carried(site, len(RECORDS) + 1)  # the gate has answered, and the worker has read it
            told = (await asyncio.to_thread(worker.page, "/metrics"))[1]
            said = [r.value for topic in SAID for r in await read(prepared, access.CONSOLE, topic)]
            aside = [decode(r.value)["sentence"] for r in await read(prepared, access.CONSOLE, "milepost.quarantine")]
        finally:
            await asyncio.to_thread(gate.discard)
            await asyncio.to_thread(worker.discard)
    logs = worker.log.read_text() + gate.log.read_text()
    assert "uthorization" not in logs
    assert len(aside) == 5
    for secret in (IBAN, "secret-of"):
        assert secret not in logs + told + str(said) + str(aside)


# And nothing else is


async def test_each_principal_writes_its_topics_and_no_other(prepared):
    """Every principal and every topic, asked of the broker itself: nobody but the worker writes commands."""
    writes = {(one.principal, one.name) for one in ALLOWED if one.operation == "Write"}
    assert {principal for principal, topic in writes if topic == "finance.commands"} == {access.WORKER}
    for principal in PRINCIPALS:
        async with producing(prepared, principal) as producer:
            for topic in TOPICS:
                assert await is_written(producer, topic) == ((principal, topic) in writes), (principal, topic)


async def is_written(producer, topic):
    try:
        await producer.send_and_wait(topic, b"x", key=b"k")
    except TopicAuthorizationFailedError:
        return False
    return True


async def first_records(consumer):
    await consumer.start()
    return await consumer.getmany(timeout_ms=5000)


@pytest.mark.parametrize("principal", ["erp-eu", "office", access.COLLECT, access.OFFICE])
async def test_who_has_no_business_with_commands_cannot_read_them(prepared, principal):
    consumer = AIOKafkaConsumer("finance.commands", **prepared.connection(principal).client_options())
    with pytest.raises(TopicAuthorizationFailedError):
        await first_records(consumer)
    await consumer.stop()


@pytest.mark.parametrize(
    "changes",
    [
        {"password": "guessed"},
        {"username": "nobody"},
        {"bootstrap_servers": "localhost"},  # the certificate is for 127.0.0.1
        {"cafile": None},  # an authority that we do not know
        {"security_protocol": "PLAINTEXT"},
        {"security_protocol": "SSL"},  # where a password is asked for
    ],
    ids=lambda changes: next(iter(changes)),
)
async def test_who_does_not_fit_is_not_let_in_and_is_told_nothing_of_the_password(prepared, changes):
    changes = changes | ({"bootstrap_servers": f"localhost:{prepared.port}"} if "bootstrap_servers" in changes else {})
    with pytest.raises(TransientError) as refused:
        async with administering(prepared.connection(access.WORKER, **changes), timeout_s=5) as client:
            await cluster_id(client)
    assert "secret-of" not in str(refused.value)


async def test_without_a_certificate_the_mutual_listener_lets_nobody_in(prepared):
    with pytest.raises(TransientError):
        async with administering(
            prepared.connection("", bootstrap_servers=prepared.mutual_bootstrap, security_protocol="SSL"), timeout_s=5
        ) as client:
            await cluster_id(client)


# How it is allowed


def test_the_printed_commands_are_what_kafkas_own_tool_takes(broker):
    lines = access.shell(check(SETTINGS | {"kafka": {"bootstrap_servers": broker.bootstrap}}), "admin.properties")
    told = broker.shell(next(line for line in lines if "User:milepost-worker" in line and "--operation Write" in line))
    assert "principal=User:milepost-worker, host=*, operation=WRITE, permissionType=ALLOW" in told
    assert "name=finance.commands, patternType=LITERAL" in told
