"""Readers of a feed for tests: a worker reduced to its offsets. The kinds of topics they read are `Halls`."""

import asyncio
import uuid

from aiokafka import AIOKafkaProducer
from servers.kafka_topics import make_topics

from connectors.kafka import FeedSettings, KafkaConnection, KafkaFeed, KafkaPublisher
from connectors.memory_feed import MemoryFeed, MemoryPublisher, MemoryTopics
from contracts_schema.errors import TransientError
from contracts_schema.rows import Partition, PublishRow

PARTITIONS = 3
QUICK = {"session_s": 6, "heartbeat_s": 0.2, "rebalance_s": 20, "drain_s": 10}


def numbered(topic, numbers, keys=7):
    """Rows that count, under a few keys."""
    return [PublishRow(topic, b"key-%d" % (n % keys), (), b"%d" % n) for n in numbers]


class Reader:
    """One member of the group. `store` holds offsets by partition, shared by all readers that share a store."""

    def __init__(self, store):
        self.store = store
        self.seen = []
        self.assignments = []
        self.revocations = []
        self.not_now = 0  # how many times the store does not answer
        self.at_rest = asyncio.Event()  # set while no batch runs
        self.at_rest.set()
        self.feed = None

    async def on_assigned(self, partitions):
        if self.not_now:
            self.not_now -= 1
            raise TransientError("the store is away")
        self.assignments.append(set(partitions))
        return {partition: self.store.get(partition) for partition in partitions}

    async def on_revoked(self, partitions):
        self.revocations.append(set(partitions))
        await self.at_rest.wait()

    def commit(self, records):
        for record in records:
            self.store[Partition(record.topic, record.partition)] = record.offset + 1
        self.seen += records
        self.feed.note_committed(dict(self.store))

    async def read(self, count, limit=500, within_s=30):
        """Read and commit until `count` records were seen in all."""
        async with asyncio.timeout(within_s):
            while len(self.seen) < count:
                self.commit(await self.feed.poll(limit, 0.5))
        return self.seen

    async def read_uncommitted(self, count=1, limit=500, within_s=30):
        got = []
        async with asyncio.timeout(within_s):
            while len(got) < count:
                got += await self.feed.poll(limit, 0.5)
        return got


class MemoryHall:
    """Topics in memory, rearranged by hand."""

    def __init__(self):
        self.topics = ["first", "second"]
        self.broker = MemoryTopics(dict.fromkeys(self.topics, PARTITIONS))
        self.readers = []

    async def put(self, topic, key, value, headers=()):
        self.broker.append(topic, key, value, headers)

    async def open(self, store=None, reader=None):
        reader = reader or Reader({} if store is None else store)
        reader.feed = MemoryFeed(self.broker, reader.on_assigned, reader.on_revoked)
        self.readers.append(reader)
        if len(self.readers) == 1:
            await reader.feed.start()
        else:
            everything = sorted(self.broker.records)
            await self.broker.rebalance(
                {r.feed: everything[n :: len(self.readers)] for n, r in enumerate(self.readers)}
            )
        return reader

    async def publisher(self):
        return MemoryPublisher(self.broker)

    async def close(self):
        for reader in self.readers:
            await reader.feed.stop()


class KafkaHall:
    """Topics and a group of their own on a real broker."""

    def __init__(self, kafka):
        self.connection = KafkaConnection(kafka.bootstrap)
        mark = uuid.uuid4().hex[:8]
        self.group = f"group-{mark}"
        self.topics = [f"first-{mark}", f"second-{mark}"]
        self.readers = []
        self.publishers = []

    async def start(self):
        await make_topics(self.connection.bootstrap_servers, dict.fromkeys(self.topics, PARTITIONS))

    async def put(self, topic, key, value, headers=()):
        async with AIOKafkaProducer(bootstrap_servers=self.connection.bootstrap_servers) as producer:
            await producer.send_and_wait(topic, value, key, headers=list(headers))

    async def open(self, store=None, reader=None, **settings):
        reader = reader or Reader({} if store is None else store)
        reader.feed = KafkaFeed(
            self.connection,
            self.topics,
            reader.on_assigned,
            reader.on_revoked,
            FeedSettings(group=self.group, **{**QUICK, **settings}),
        )
        self.readers.append(reader)
        await reader.feed.start()
        return reader

    async def publisher(self, settings=None):
        publisher = KafkaPublisher(self.connection, settings)
        self.publishers.append(publisher)
        await publisher.start()
        return publisher

    async def close(self):
        for reader in self.readers:
            await reader.feed.stop()
        for publisher in self.publishers:
            await publisher.stop()
