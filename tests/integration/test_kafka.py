"""The doors to Kafka when things go wrong: brokers that die, groups that are rearranged, records that expire."""

import asyncio
import struct
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.util import calc_crc32c
from reading import KafkaHall, Reader

from connectors.kafka import PublisherSettings
from connectors.kafka.rescue import rescue
from connectors.kafka.topics import Topic, apply, plan, read_topics, unsafe
from contracts_schema.errors import ConfigurationError, TransientError
from contracts_schema.rows import Partition, PublishRow

TOPICS = Path(__file__).parents[2] / "deploy" / "topics.yaml"


@pytest.fixture
async def hall(kafka):
    hall = KafkaHall(kafka)
    await hall.start()
    yield hall
    kafka.start()  # the test may have ended it
    await hall.close()


@pytest.fixture
async def admin(kafka):
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    yield admin
    await admin.close()


def numbered(topic, numbers, keys=7):
    return [PublishRow(topic, b"key-%d" % (n % keys), (), b"%d" % n) for n in numbers]


async def polling(reader, until, within_s=30):
    async with asyncio.timeout(within_s):
        while not until():
            reader.commit(await reader.feed.poll(500, 0.05))


async def read_to_the_end(reader):
    async with asyncio.timeout(30):
        while len(await reader.feed.read_past()) < 6:
            reader.commit(await reader.feed.poll(500, 0.05))


# Brokers that die


async def test_kill_9_of_the_broker_under_publishing_loses_and_doubles_nothing(kafka, hall):
    publisher = await hall.publisher()
    acknowledged = []

    async def publish():
        while True:
            batch = list(range(len(acknowledged), len(acknowledged) + 200))
            await publisher.publish(numbered(hall.topics[0], batch))
            acknowledged.extend(batch)

    publishing = asyncio.create_task(publish())
    for _ in range(2):
        await asyncio.sleep(0.4)  # some batches are under way
        await asyncio.to_thread(kafka.kill)
        before = len(acknowledged)
        await asyncio.to_thread(kafka.start)
        async with asyncio.timeout(30):
            while len(acknowledged) <= before and not publishing.done():
                await asyncio.sleep(0.01)
    publishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await publishing
    reader = await hall.open()
    await polling(reader, lambda: len(reader.seen) >= len(acknowledged))
    await read_to_the_end(reader)  # the batch that was cancelled may be stored too
    stored = Counter(int(record.value) for record in reader.seen)
    assert not set(acknowledged) - stored.keys()
    assert max(stored.values()) == 1


async def test_kill_9_of_the_broker_under_reading_leaves_no_gap_and_reads_nothing_twice(kafka, hall):
    publisher = await hall.publisher()
    await publisher.publish(numbered(hall.topics[0], range(1000)))
    reader = await hall.open()
    await reader.read(300, limit=100)
    await asyncio.to_thread(kafka.kill)
    for _ in range(3):
        reader.commit(await reader.feed.poll(100, 0.05))
    await asyncio.to_thread(kafka.start)
    await publisher.publish(numbered(hall.topics[0], range(1000, 2000)))
    assert Counter(int(record.value) for record in await reader.read(2000)) == Counter(range(2000))


async def test_what_was_given_up_is_not_sent_later_behind_newer_records(kafka, hall):
    publisher = await hall.publisher(PublisherSettings(deadline_s=1, request_s=5))
    await publisher.publish(numbered(hall.topics[0], [0]))
    await asyncio.to_thread(kafka.stop)
    with pytest.raises(TransientError):
        await publisher.publish(numbered(hall.topics[0], [1]))
    await asyncio.to_thread(kafka.start)
    async with asyncio.timeout(30):
        while True:
            try:
                await publisher.publish(numbered(hall.topics[0], [2]))
                break
            except TransientError:
                continue
    await (await hall.publisher()).publish(numbered(hall.topics[0], [3]))
    assert [int(r.value) for r in sorted(await (await hall.open()).read(3), key=lambda r: r.value)] == [0, 2, 3]


async def test_a_publish_that_is_cancelled_leaves_the_publisher_usable(hall):
    publisher = await hall.publisher()
    publishing = asyncio.create_task(publisher.publish(numbered(hall.topics[0], range(5000))))
    await asyncio.sleep(0.01)
    publishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await publishing
    await publisher.publish(numbered(hall.topics[1], range(10)))
    await publisher.publish(numbered(hall.topics[1], range(10, 20)))


async def test_nobody_to_connect_to_is_transient(kafka, hall):
    nobody = KafkaHall(kafka)
    nobody.connection = replace(hall.connection, bootstrap_servers="127.0.0.1:1")
    with pytest.raises(TransientError, match=r"127\.0\.0\.1:1"):
        await nobody.open()
    with pytest.raises(TransientError):
        await nobody.publisher()


# Groups that are rearranged


async def test_a_paused_feed_stays_a_member(hall):
    reader = await hall.open(session_s=2, max_poll_interval_s=2)
    await reader.feed.poll(10, 0)
    reader.feed.pause()
    end = time.monotonic() + 4
    while time.monotonic() < end:
        assert not await reader.feed.poll(10, 0.1)
    await hall.put(hall.topics[0], b"key", b"value")
    reader.feed.resume()
    await reader.read(1)
    assert len(reader.assignments) == 1
    assert not reader.revocations


async def test_a_partition_is_held_until_the_store_has_answered_however_long_that_takes(hall):
    class Slow(Reader):
        async def on_assigned(self, partitions):
            await asyncio.sleep(3)  # longer than the session: heartbeats must go on
            return await super().on_assigned(partitions)

    publisher = await hall.publisher()
    await publisher.publish(numbered(hall.topics[0], range(100)))
    store = {Partition(hall.topics[0], n): 5 for n in range(3)}
    reader = await hall.open(reader=Slow(store), session_s=1.5)
    assert not await reader.feed.poll(500, 1)
    records = await reader.read(85)
    assert len(reader.assignments) == 1
    assert min(record.offset for record in records) == 5


async def test_a_batch_that_outlasts_its_budget_does_not_hold_up_the_group(hall):
    reader = await hall.open(drain_s=0.3)
    await reader.feed.poll(1, 0)
    reader.at_rest.clear()
    joining = asyncio.create_task(hall.open())
    await polling(reader, lambda: joining.done() and len(reader.assignments) == 2)
    assert reader.revocations
    assert len((await joining).assignments) == 1


async def test_records_polled_before_a_rebalance_are_read_by_the_new_owner_if_they_were_not_committed(hall):
    await (await hall.publisher()).publish(numbered(hall.topics[0], range(300)))
    store = {}
    old = await hall.open(store)
    uncommitted = await old.read_uncommitted(300)
    joining = asyncio.create_task(hall.open(store))
    await polling(old, joining.done)
    new = await joining
    async with asyncio.timeout(30):
        while len(old.seen) + len(new.seen) < 300:
            for reader in (old, new):
                reader.commit(await reader.feed.poll(500, 0.05))
    assert new.seen
    assert {record.origin for record in old.seen + new.seen} == {record.origin for record in uncommitted}


async def test_a_rewind_of_a_partition_that_is_no_longer_ours_is_passed_over(hall):
    reader = await hall.open()
    await reader.feed.rewind({Partition("elsewhere", 0): 5})
    assert not await reader.feed.poll(10, 0.1)


async def test_a_defect_in_the_callback_stops_the_next_poll(hall):
    class Broken(Reader):
        async def on_assigned(self, partitions):
            raise RuntimeError("a defect")

    reader = await hall.open(reader=Broken({}))
    with pytest.raises(RuntimeError, match="a defect"):
        await reader.read(1)


async def test_a_poll_that_is_cancelled_loses_no_record(hall):
    await (await hall.publisher()).publish(numbered(hall.topics[0], range(500)))
    reader = await hall.open()
    for pause_s in [0, 0.001, 0.002, 0.005, 0.01, 0.02] * 3:
        polling = asyncio.create_task(reader.feed.poll(10, 1))
        await asyncio.sleep(pause_s)
        if polling.done():
            reader.commit(polling.result())
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)
    assert Counter(int(record.value) for record in await reader.read(500)) == Counter(range(500))


async def test_a_consumer_that_has_died_is_replaced_and_reads_on(hall):
    publisher = await hall.publisher()
    await publisher.publish(numbered(hall.topics[0], range(100)))
    reader = await hall.open()
    await reader.read(100)
    reader.feed._broken = True  # what an unexpected error in aiokafka's background tasks leads to
    await publisher.publish(numbered(hall.topics[0], range(100, 200)))
    assert Counter(int(record.value) for record in await reader.read(200)) == Counter(range(200))
    assert len(reader.assignments) == 2


# Offsets


async def test_offsets_in_kafka_are_written_for_lag_tools_and_never_read(hall, admin):
    await (await hall.publisher()).publish(numbered(hall.topics[0], range(100)))
    reader = await hall.open()
    await reader.read(100)
    async with asyncio.timeout(10):
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


# Topics


def named(hall, **changes):
    wanted = read_topics(TOPICS.read_text(), {"milestone.snapshots": f"snapshots-{hall.group}"}, replication=1)
    return [replace(topic, partitions=2, **changes) for topic in wanted if hall.group in topic.name]


async def test_topics_are_created_once_and_then_as_wanted(hall):
    wanted = named(hall)
    done, left = await apply(hall.connection, wanted)
    assert [step.action for step in done] == ["create"]
    assert not left
    assert not await plan(hall.connection, wanted)
    assert await apply(hall.connection, wanted) == ([], [])
    assert await unsafe(hall.connection, wanted, 1_000_000, require_replication=1) == []


async def test_a_changed_setting_leaves_the_others_as_they_were(hall):
    await apply(hall.connection, named(hall))
    wanted = named(hall, config={"max.message.bytes": "2000000"})
    done, _ = await apply(hall.connection, wanted)
    assert [step.action for step in done] == ["configure"]
    assert await unsafe(hall.connection, named(hall), 1_900_000, require_replication=1) == []


async def test_partitions_are_raised_only_when_that_was_asked_for(hall):
    await apply(hall.connection, named(hall))
    wanted = [replace(topic, partitions=4) for topic in named(hall)]
    done, left = await apply(hall.connection, wanted)
    assert not done
    assert [step.action for step in left] == ["partitions"]
    assert "keys move" in left[0].sentence
    assert [step.action for step in (await apply(hall.connection, wanted, raise_partitions=True))[0]] == ["partitions"]
    assert [step.action for step in await plan(hall.connection, named(hall))] == ["impossible"]


async def test_everything_unsafe_about_a_topic_is_named(hall):
    careless = Topic(f"careless-{hall.group}", 1, 1, {"cleanup.policy": "compact", "max.message.bytes": "1000"})
    await apply(hall.connection, [careless])
    wanted = Topic(careless.name, 1, 3, {"cleanup.policy": "delete", "retention.ms": "-1"}, written=True)
    absent = Topic(f"absent-{hall.group}", 1, 3)
    faults = await unsafe(hall.connection, [wanted, absent], 1_000_000)
    for expected in (
        "1 copies, not 3",
        "min.insync.replicas is 1",
        "cleanup.policy is compact",
        "max.message.bytes is",
    ):
        assert any(careless.name in fault and expected in fault for fault in faults), expected
    assert f"kafka: topic {absent.name} does not exist" in faults


async def test_a_topic_that_forgets_too_soon_is_named(hall):
    topic = Topic(f"short-{hall.group}", 1, 1, {"retention.ms": "60000", "unclean.leader.election.enable": "true"})
    await apply(hall.connection, [topic])
    wanted = replace(topic, config={"retention.ms": "-1"})
    faults = await unsafe(hall.connection, [wanted], 1_000, require_replication=1)
    assert len(faults) == 2
    assert any("retention.ms is 60000" in fault for fault in faults)
    assert any("unclean.leader.election.enable is on" in fault for fault in faults)
