"""While much waits, a batch keeps to few numbers of partitions, so that it meets few contracts; one broker of a list is
enough to begin with."""

from itertools import pairwise

import pytest
from aiokafka import TopicPartition
from reading import PARTITIONS
from servers.process import free_port

from connectors.kafka import KafkaConnection, PublisherSettings
from connectors.kafka.numbers import STAY, by_number, first_with, is_full
from contracts_schema.rows import Partition, PublishRow

CONTRACTS, FACTS, BATCH = 60, 3_000, 100


async def batches(hall, piece_bytes):
    """Facts of many contracts in two topics, read to the end, fetched in pieces of about so many bytes."""
    rows = [PublishRow(hall.topics[n % 2], b"C-%d" % (n // 2 % CONTRACTS), (), b"x") for n in range(FACTS)]
    await (await hall.publisher(PublisherSettings(batch_bytes=piece_bytes))).publish(rows)
    reader, found = await hall.open(fetch_bytes=piece_bytes), []
    while sum(map(len, found)) < FACTS:
        batch = await reader.read_uncommitted(limit=BATCH)
        reader.commit(batch)
        found.append(batch)
    return found


@pytest.mark.parametrize("piece_bytes", [256 * 1024, 512], ids=["at once", "in small pieces"])
async def test_a_large_batch_is_of_one_number_in_all_topics_and_all_numbers_have_their_turn(hall, piece_bytes):
    large = [batch for batch in await batches(hall, piece_bytes) if is_full(len(batch), BATCH)]
    of_one = [batch for batch in large if len({record.partition for record in batch}) == 1]
    of_both = [batch for batch in of_one if {record.topic for record in batch} == set(hall.topics)]
    assert len(of_both) > len(large) / 2
    assert sum(len(batch) == BATCH for batch in large) > len(large) / 2  # what is under way is waited for
    numbers = [batch[0].partition for batch in of_both]
    assert set(numbers) == set(range(PARTITIONS))
    assert sum(one == other for one, other in pairwise(numbers)) > len(numbers) / 3  # each stays for a few batches


def test_every_number_comes_first_and_stays_so_for_a_few_turns():
    places = [TopicPartition(topic, n) for topic in ("a", "b") for n in range(3)]
    first = [by_number(places, turn)[0].partition for turn in range(3 * STAY + 1)]
    assert first == [0] * STAY + [1] * STAY + [2] * STAY + [0]


def test_of_those_that_are_behind_as_many_numbers_are_fetched_as_the_next_batch_needs():
    places = [TopicPartition(topic, n) for n in (1, 2, 0) for topic in ("a", "b")]
    waiting = {TopicPartition("a", 1): 30, TopicPartition("b", 1): 40, TopicPartition("b", 2): 30}

    def numbers(enough):
        chosen = first_with(enough, places, lambda place: waiting.get(place, 0))
        assert len(chosen) == 2 * len({place.partition for place in chosen})  # whole numbers
        return list(dict.fromkeys(place.partition for place in chosen))

    assert numbers(70) == [1]
    assert numbers(100) == [1, 2]
    assert numbers(101) == [1, 2, 0]


async def test_what_was_set_back_while_others_are_read_is_read_too_whatever_happens_meanwhile(hall):
    rows = [PublishRow(hall.topics[n % 2], b"C-%d" % (n // 2 % CONTRACTS), (), b"x") for n in range(FACTS)]
    await (await hall.publisher()).publish(rows)
    reader, taken = await hall.open(), 0
    while len(reader.seen) < FACTS:
        batch = await reader.read_uncommitted(limit=BATCH)
        if (taken := taken + 1) % 5 == 0:  # as after a fault of the store
            reader.feed.pause()
            assert not await reader.feed.poll(1, 0.01)
            reader.feed.resume()
        if taken % 7 == 0:  # as after a lost fence
            await reader.feed.rewind({Partition(r.topic, r.partition): r.offset for r in reversed(batch)})
        else:
            reader.commit(batch)
    places = [(record.topic, record.partition, record.offset) for record in reader.seen]
    assert len(set(places)) == FACTS


async def test_the_cluster_is_found_by_whichever_broker_of_the_list_answers(hall, kafka):
    """Several brokers are one string, as the configuration has it."""
    await (await hall.publisher()).publish([PublishRow(hall.topics[0], b"C-1", (), b"x")])
    dead = f"127.0.0.1:{free_port()}"
    hall.connection = KafkaConnection(f"{dead},{kafka.bootstrap}")
    reader = await hall.open()
    assert len(await reader.read_uncommitted(limit=1)) == 1
