"""What every feed and publisher promises, in memory and on a real Apache Kafka alike."""

import asyncio
import time
from collections import defaultdict

import pytest
from reading import KafkaHall, MemoryHall, Reader

from contracts_schema.errors import ConfigurationError
from contracts_schema.rows import Partition, PublishRow


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
async def hall(request):
    if request.param == "memory":
        hall = MemoryHall()
    else:
        hall = KafkaHall(request.getfixturevalue("kafka"))
        await hall.start()
    yield hall
    await hall.close()


def rows(hall, count, keys=20):
    return [
        PublishRow(hall.topics[n % len(hall.topics)], b"key-%d" % (n % keys), (("ce_id", b"%d" % n),), b"%d" % n)
        for n in range(count)
    ]


async def filled(hall, count, keys=20):
    await (await hall.publisher()).publish(rows(hall, count, keys))


def by_partition(records):
    parts = defaultdict(list)
    for record in records:
        parts[record.topic, record.partition].append(record.offset)
    return parts


def places(records):
    return {(record.topic, record.partition, record.offset) for record in records}


async def test_records_of_one_partition_come_in_order_and_without_gap(hall):
    await filled(hall, 2000)
    reader = await hall.open()
    records = await reader.read(2000, limit=70)
    assert sorted(int(record.value) for record in records) == list(range(2000))
    assert all(offsets == list(range(len(offsets))) for offsets in by_partition(records).values())
    assert len(by_partition(records)) > 3


async def test_records_of_one_key_keep_the_order_in_which_they_were_published(hall):
    publisher = await hall.publisher()
    for start in range(0, 300, 50):
        await publisher.publish([PublishRow(hall.topics[0], b"C-1", (), b"%d" % n) for n in range(start, start + 50)])
    records = await (await hall.open()).read(300)
    assert [int(record.value) for record in records] == list(range(300))
    assert len({record.partition for record in records}) == 1


async def test_a_record_is_handed_out_untouched(hall):
    headers = (("ce_id", b"1"), ("odd", b"\xff\xfe"), ("nothing", None), ("ce_id", b"2"))
    before = time.time() * 1000
    await hall.put(hall.topics[0], b"\x00key", b"\xff\x00value", headers)
    record = (await (await hall.open()).read(1))[0]
    assert (record.key, record.value, record.headers) == (b"\x00key", b"\xff\x00value", headers)
    assert record.header("odd") is None
    assert record.header("ce_id") == "2"
    assert before - 5000 < record.timestamp < time.time() * 1000 + 5000


async def test_a_header_that_is_no_text_loses_none_of_its_neighbours(hall):
    for n in range(5):
        await hall.put(hall.topics[0], b"key", b"%d" % n, [("bad", b"\xc3\x28")] if n == 2 else [])
    assert [record.value for record in await (await hall.open()).read(5)] == [b"0", b"1", b"2", b"3", b"4"]


async def test_a_tombstone_has_no_value(hall):
    publisher = await hall.publisher()
    await publisher.publish([PublishRow(hall.topics[0], b"key", (), b""), PublishRow(hall.topics[0], b"key", (), None)])
    assert [record.value for record in await (await hall.open()).read(2)] == [b"", None]


async def test_reading_starts_at_the_offset_of_the_store(hall):
    await filled(hall, 300)
    everything = await (await hall.open()).read(300)
    store = {Partition(topic, n): len(offsets) // 2 for (topic, n), offsets in by_partition(everything).items()}
    expected = {place for place in places(everything) if place[2] >= store[Partition(*place[:2])]}
    await hall.close()
    hall.readers.clear()
    again = await hall.open(dict(store))
    assert places(await again.read(len(expected))) == expected


async def test_a_rewound_batch_comes_again_and_nothing_else_does(hall):
    await filled(hall, 200)
    reader = await hall.open()
    first = await reader.read_uncommitted(60, limit=60)
    start = {}
    for record in first:
        start.setdefault(Partition(record.topic, record.partition), record.offset)
    await reader.feed.rewind(start)
    records = await reader.read(200)
    assert len(places(records)) == len(records) == 200
    assert all(offsets == list(range(len(offsets))) for offsets in by_partition(records).values())


async def test_after_a_rewind_records_can_be_taken_one_by_one(hall):
    await filled(hall, 30)
    reader = await hall.open()
    first = (await reader.read_uncommitted(30))[0]
    await reader.feed.rewind({Partition(first.topic, first.partition): first.offset})
    assert places(await reader.read_uncommitted(limit=1)) == places([first])


async def test_no_more_records_than_asked_for_are_handed_out(hall):
    await filled(hall, 500)
    reader = await hall.open()
    sizes = []
    async with asyncio.timeout(30):
        while sum(sizes) < 500:
            sizes.append(len(await reader.feed.poll(7, 0.5)))
    assert max(sizes) == 7
    assert sum(sizes) == 500


async def test_a_busy_partition_does_not_keep_the_others_waiting(hall):
    publisher = await hall.publisher()
    await publisher.publish([PublishRow(hall.topics[0], b"busy", (), b"x" * 100) for _ in range(3000)])
    await publisher.publish([PublishRow(hall.topics[1], b"quiet", (), b"x")])
    reader = await hall.open()
    first = await reader.read_uncommitted(1200, limit=300)
    assert hall.topics[1] in {record.topic for record in first}


async def test_a_paused_feed_hands_out_nothing_and_goes_on_where_it_was(hall):
    await filled(hall, 300)
    reader = await hall.open()
    await reader.read(50, limit=50)
    reader.feed.pause()
    for _ in range(5):
        assert not await reader.feed.poll(50, 0.05)
    reader.feed.resume()
    records = await reader.read(300)
    assert all(offsets == list(range(len(offsets))) for offsets in by_partition(records).values())


async def test_a_partition_counts_as_read_to_its_end_only_once_it_is(hall):
    await filled(hall, 100)
    reader = await hall.open()
    some = await reader.read_uncommitted(1, limit=1)
    behind = Partition(some[0].topic, some[0].partition)
    assert behind not in await reader.feed.read_past()
    await reader.read(99)
    async with asyncio.timeout(10):
        while len(past := await reader.feed.read_past()) < 6:
            await reader.feed.poll(10, 0.05)
    now = time.time() * 1_000_000
    assert all(now - 15_000_000 < moment <= now for moment in past.values())


async def test_a_store_that_has_read_beyond_the_end_is_refused(hall):
    await filled(hall, 10)
    reader = await hall.open({Partition(hall.topics[0], 1): 1000})
    with pytest.raises(ConfigurationError, match=f"{hall.topics[0]}/1 .*1000"):
        await reader.read(1)


async def test_a_store_that_does_not_answer_is_asked_again_before_anything_is_read(hall):
    await filled(hall, 20)
    reader = Reader({})
    reader.not_now = 2
    await hall.open(reader=reader)
    assert len(await reader.read(20)) == 20
    assert reader.not_now == 0


async def test_a_partition_is_handed_over_when_its_batch_is_done_and_nothing_is_lost_or_doubled(hall):
    await filled(hall, 400, keys=100)
    store = {}
    old = await hall.open(store)
    batch = await old.read_uncommitted(100, limit=100)
    old.at_rest.clear()
    joining = asyncio.create_task(hall.open(store))
    async with asyncio.timeout(20):
        while not old.revocations:
            await old.feed.poll(100, 0.05)
    handed_over, _ = await asyncio.wait({joining}, timeout=1.5)  # it would take some tenths of a second
    old.commit(batch)
    old.at_rest.set()
    async with asyncio.timeout(30):
        new = await asyncio.gather(joining, keep_reading([old], lambda: joining.done()))
        new = new[0]
        await keep_reading([old, new], lambda: len(old.seen) + len(new.seen) >= 400)
    assert not handed_over
    assert len(places(old.seen + new.seen)) == len(old.seen) + len(new.seen) == 400
    assert old.assignments[-1] | new.assignments[-1] == {Partition(t, n) for t in hall.topics for n in range(3)}
    assert not old.assignments[-1] & new.assignments[-1]


async def keep_reading(readers, until):
    while not until():
        for reader in readers:
            if reader.feed is not None:
                reader.commit(await reader.feed.poll(100, 0.05))


async def test_a_record_that_is_too_large_is_refused_by_name(hall):
    publisher = await hall.publisher()
    with pytest.raises(ConfigurationError):
        await publisher.publish([PublishRow(hall.topics[0], b"k", (), b"x" * (publisher.max_record_bytes + 20_000))])
    await publisher.publish([PublishRow(hall.topics[0], b"k", (), b"x" * (publisher.max_record_bytes - 1))])


async def test_a_topic_that_does_not_exist_is_refused_by_name(hall):
    hall.topics.append("nowhere")
    if isinstance(hall, MemoryHall):
        with pytest.raises(ConfigurationError, match="nowhere"):
            await (await hall.publisher()).publish([PublishRow("nowhere", b"k", (), b"x")])
    else:
        with pytest.raises(ConfigurationError, match="nowhere"):
            await hall.open()
