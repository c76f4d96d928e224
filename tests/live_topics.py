"""Topics of a running system, seen and told from outside it, as other systems would."""

import asyncio

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

SOURCES = ("contract.events", "erp.events", "project.events", "supplier.events", "operator.events", "finance.events")


class LiveTopics:
    """The topics of one site, each under the site's own mark."""

    def __init__(self, bootstrap, mark):
        self._bootstrap, self._mark = bootstrap, mark

    def named(self, name):
        return f"{self._mark}.{name}"

    def records(self, *names):
        """Every record that these topics hold now, in order within each partition."""
        return asyncio.run(self._records(names))

    def ends(self, *names):
        """The offset behind the last record, by topic and partition."""
        return asyncio.run(self._ends(names))

    def tell(self, name, value, key):
        """One record of a system that writes to Kafka itself."""
        asyncio.run(self._send([{"topic": self.named(name), "value": value, "key": key}]))

    def tell_everything_again(self):
        """Every record of every source once more, the very same in its own partition; answers how many."""
        again = [
            {
                "topic": record.topic, "partition": record.partition, "key": record.key, "value": record.value,
                "timestamp_ms": record.timestamp, "headers": list(record.headers),
            }
            for record in self.records(*SOURCES)
        ]  # fmt: skip
        asyncio.run(self._send(again))
        return len(again)

    async def _send(self, records):
        async with AIOKafkaProducer(bootstrap_servers=self._bootstrap, enable_idempotence=True) as producer:
            await asyncio.gather(*[await producer.send(**record) for record in records])

    async def _records(self, names):
        async with self._reading(names) as consumer:
            ends = await consumer.end_offsets(consumer.assignment())
            found = []
            while any([await consumer.position(place) < end for place, end in ends.items()]):
                for some in (await consumer.getmany(timeout_ms=200)).values():
                    found += some
            return found

    async def _ends(self, names):
        async with self._reading(names) as consumer:
            ends = await consumer.end_offsets(consumer.assignment())
            return {(place.topic, place.partition): end for place, end in ends.items()}

    def _reading(self, names):
        """A reader without a group: all partitions are its own, from the beginning."""
        return AIOKafkaConsumer(
            *map(self.named, names),
            bootstrap_servers=self._bootstrap,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
        )
