"""Which records are read, from where on, and what is made of those that aiokafka cannot read."""

import asyncio
import struct
import time

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import RecordsToDelete
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.util import calc_crc32c
from reading import numbered

from connectors.kafka.rescue import rescue
from contracts_schema.errors import ConfigurationError
from contracts_schema.rows import Partition, PublishRow

# Offsets


async def test_offsets_in_kafka_are_written_for_lag_tools_and_never_read(hall, admin):
    await (await hall.publisher()).publish(numbered(hall.topics[0], range(100)))
    reader = await hall.open()
    await reader.read(100)
    async with asyncio.timeout(30):
        while sum(place.offset for place in (await admin.list_consumer_group_offsets(hall.group)).values()) < 100:
            await reader.feed.poll(10, 0.1)
    await hall.close()
    hall.readers.clear()
    assert len(await (await hall.open({})).read(100)) == 100


async def expire(admin, topic, offset):
    """Remove the records below `offset` from partition 0, as retention would."""
    await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(offset)})


async def test_records_that_expired_unread_are_refused_by_name(hall, admin):
    await in_partition_0(hall, 20)
    await expire(admin, hall.topics[0], 10)
    reader = await hall.open({Partition(hall.topics[0], 0): 4})
    with pytest.raises(ConfigurationError, match=f"{hall.topics[0]}/0 begins at offset 10.* 4:"):
        await reader.read(1)


async def test_records_that_expire_while_the_feed_is_paused_are_refused_by_name(hall, admin):
    reader = await hall.open()
    await reader.feed.poll(10, 0.5)
    reader.feed.pause()
    await reader.feed.poll(10, 0.3)
    await in_partition_0(hall, 20)
    await expire(admin, hall.topics[0], 10)
    reader.feed.resume()
    with pytest.raises(ConfigurationError, match=f"{hall.topics[0]}/0 begins at offset 10.* 0:"):
        await reader.read(11)


async def test_a_partition_never_read_starts_with_the_oldest_record_there_is(hall, admin):
    await in_partition_0(hall, 20)
    await expire(admin, hall.topics[0], 10)
    assert [record.offset for record in await (await hall.open()).read(10)] == list(range(10, 20))


async def in_partition_0(hall, count):
    async with AIOKafkaProducer(bootstrap_servers=hall.connection.bootstrap_servers) as producer:
        for n in range(count):
            await producer.send_and_wait(hall.topics[0], b"%d" % n, partition=0)


async def test_records_of_an_aborted_transaction_are_never_seen_and_count_as_read_past(hall):
    servers = hall.connection.bootstrap_servers
    async with AIOKafkaProducer(bootstrap_servers=servers, transactional_id=hall.group) as producer:
        async with producer.transaction():
            await producer.send(hall.topics[0], b"kept", partition=0)
        await producer.begin_transaction()
        await producer.send_and_wait(hall.topics[0], b"aborted", partition=0)
        reader = await hall.open()
        assert [record.value for record in await reader.read(1)] == [b"kept"]
        assert not await reader.feed.poll(10, 0.3)
        assert Partition(hall.topics[0], 0) not in await reader.feed.read_past()  # the transaction is still open
        await producer.abort_transaction()
    async with asyncio.timeout(10):
        while Partition(hall.topics[0], 0) not in await reader.feed.read_past():
            assert not await reader.feed.poll(10, 0.1)


async def test_the_feed_names_the_cluster_it_reads_from(hall, admin):
    assert (await hall.open()).feed.cluster == (await admin.describe_cluster())["cluster_id"]


async def test_keys_go_to_the_partition_that_java_producers_choose(hall):
    murmur2 = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536}
    publisher = await hall.publisher()
    await publisher.publish([PublishRow(hall.topics[0], key, (), key) for key in murmur2])
    for record in await (await hall.open()).read(3):
        assert record.partition == (murmur2[record.key] & 0x7FFFFFFF) % 3


# Headers that aiokafka cannot read


async def put_with_a_name_that_is_no_text(hall, values):
    """Append one batch to partition 0 whose header is called ff fe fd fc, as a producer in C could."""
    servers = hall.connection.bootstrap_servers
    async with AIOKafkaProducer(bootstrap_servers=servers) as producer:
        await producer.partitions_for(hall.topics[0])
        batch = producer.create_batch()
        for value in values:
            batch.append(key=b"k", value=value, timestamp=None, headers=[("AAAA", b"x"), ("none", None)])
        batch.close()
        raw = bytearray(batch._build().replace(b"AAAA", b"\xff\xfe\xfd\xfc"))
        struct.pack_into(">I", raw, 17, calc_crc32c(bytes(raw[21:])))
        leader = producer.client.cluster.leader_for_partition(TopicPartition(hall.topics[0], 0))
        request = ProduceRequest(
            required_acks=-1, timeout=5000, topics=[(hall.topics[0], [(0, bytes(raw))])], transactional_id=None
        )
        await producer.client.send(leader, request)


async def test_a_header_whose_name_is_no_text_loses_nothing_and_stops_nothing(hall):
    publisher = await hall.publisher()
    await in_partition_0(hall, 3)
    await put_with_a_name_that_is_no_text(hall, [b"bad-1", b"bad-2"])
    await put_with_a_name_that_is_no_text(hall, [b"bad-3"])
    await in_partition_0(hall, 3)
    await publisher.publish(numbered(hall.topics[1], range(50)))
    records = await (await hall.open()).read(59)
    mine = [record for record in records if record.topic == hall.topics[0]]
    assert [record.offset for record in mine] == list(range(9))
    assert [record.value for record in mine[3:6]] == [b"bad-1", b"bad-2", b"bad-3"]
    assert mine[3].headers == (("\\xff\\xfe\\xfd\\xfc", b"x"), ("none", None))
    assert mine[3].key == b"k"
    assert abs(mine[3].timestamp - time.time() * 1000) < 60_000


@pytest.mark.parametrize("compression", [None, "gzip", "snappy", "lz4", "zstd"])
async def test_a_batch_taken_apart_here_gives_what_aiokafka_gives(hall, compression):
    servers = hall.connection.bootstrap_servers
    async with AIOKafkaProducer(bootstrap_servers=servers, compression_type=compression) as producer:
        futures = [
            await producer.send(
                hall.topics[0], b"%d" % n * n or None, b"k" * (n % 3) or None, 0, 1000 + n, [("h", b"v")]
            )
            for n in range(1, 200)
        ]
        await asyncio.gather(*futures)
    theirs = await (await hall.open()).read(199)
    ours = []
    while len(ours) < 199:
        ours += await rescue(hall.connection, TopicPartition(hall.topics[0], 0), len(ours), 1024 * 1024)
    assert ours == theirs
    assert not await rescue(hall.connection, TopicPartition(hall.topics[0], 0), 199, 1024 * 1024)
