"""Everything that lies on topics, read past the program."""

from collections.abc import Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from chaos.site import LANES, PARTITIONS, Site
from msgspec.json import decode

FORGED = "milepost-forged"  # a header by which forged commands are told from genuine ones, here and by the judge


async def ends(site: Site, topics: Iterable[str]) -> dict[tuple[str, int], int]:
    """The offset behind the last record of each partition."""
    async with AIOKafkaConsumer(bootstrap_servers=site.cluster.bootstrap) as consumer:
        found = await consumer.end_offsets([TopicPartition(t, n) for t in topics for n in range(PARTITIONS)])
    return {(place.topic, place.partition): end for place, end in found.items()}


async def records(site: Site, topics: Iterable[str]) -> list[ConsumerRecord]:
    """Every record of these topics, partition by partition in order."""
    async with AIOKafkaConsumer(bootstrap_servers=site.cluster.bootstrap, auto_offset_reset="earliest") as consumer:
        places = [TopicPartition(topic, n) for topic in topics for n in range(PARTITIONS)]
        consumer.assign(places)
        last = await consumer.end_offsets(places)
        found: list[ConsumerRecord] = []
        while any([await consumer.position(place) < last[place] for place in places]):
            for some in (await consumer.getmany(timeout_ms=200)).values():
                found += some
        return found


async def commands(site: Site) -> list[dict[str, Any]]:
    """What workers said to finance, doubles included, without what the campaign forged."""
    found = await records(site, [site.topic(LANES["commands"])])
    return [decode(r.value) for r in found if FORGED not in dict(r.headers)]
