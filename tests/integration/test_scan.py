"""A topic read through once, from its beginning or its last records, to where it ends now."""

import uuid

import pytest
from aiokafka import AIOKafkaProducer
from servers.kafka_topics import make_topics

from connectors.kafka import KafkaConnection
from connectors.kafka.scan import scan
from connectors.kafka.tell import ends
from contracts_schema.rows import Partition


@pytest.fixture
async def topic(kafka):
    name = f"scan-{uuid.uuid4().hex[:8]}"
    await make_topics(kafka.bootstrap, {name: 3})
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap) as producer:
        for n in range(1200):
            await producer.send(name, b"%d" % n, b"k", partition=n % 2)
        await producer.flush()
    return name


async def values(kafka, topic, last=None):
    connection = KafkaConnection(bootstrap_servers=kafka.bootstrap)
    return [int(record.value) async for records in scan(connection, topic, last) for record in records]


async def test_every_record_is_read_once_and_it_ends(kafka, topic):
    found = await values(kafka, topic)
    assert sorted(found) == list(range(1200))
    assert [n for n in found if n % 2] == list(range(1, 1200, 2))


async def test_the_last_records_of_each_partition(kafka, topic):
    assert sorted(await values(kafka, topic, 2)) == [1196, 1197, 1198, 1199]


async def test_a_topic_that_is_not_there_has_none(kafka):
    assert await values(kafka, "nowhere") == []


async def test_where_a_topic_ends(kafka, topic):
    found = await ends(KafkaConnection(bootstrap_servers=kafka.bootstrap), [topic, "nowhere"])
    assert found == {Partition(topic, 0): 600, Partition(topic, 1): 600, Partition(topic, 2): 0}
