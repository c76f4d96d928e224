"""Topics for tests: made, and known to the broker, before the first record is sent."""

import asyncio

from aiokafka.admin import AIOKafkaAdminClient, NewTopic


async def make_topics(
    bootstrap: str, topics: dict[str, int], configs: dict[str, str] | None = None, copies: int = 1
) -> None:
    """Create topics by name and number of partitions, and wait until the broker's metadata shows a leader for each.

    KRaft answers "created" before the broker itself has learnt of the topic; a client that is quicker sees none.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics(
            [NewTopic(topic, partitions, copies, topic_configs=configs) for topic, partitions in topics.items()]
        )
        async with asyncio.timeout(30):
            while not await _all_led(admin, topics):
                await asyncio.sleep(0.01)
    finally:
        await admin.close()


async def _all_led(admin: AIOKafkaAdminClient, topics: dict[str, int]) -> bool:
    described = {topic["topic"]: topic["partitions"] for topic in await admin.describe_topics(list(topics))}
    return all(
        len([partition for partition in described.get(topic, []) if partition["leader"] >= 0]) == partitions
        for topic, partitions in topics.items()
    )
