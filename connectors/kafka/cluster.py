"""What a cluster says about itself: its id, its topics, their settings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from connectors.kafka.connection import KafkaConnection, as_ours

_REQUEST_MS = 10_000


class Layout(NamedTuple):
    """Partitions of one topic and the smallest replication factor among them."""

    partitions: int
    replication: int


@asynccontextmanager
async def administering(connection: KafkaConnection, timeout_s: float = 30) -> AsyncIterator[Any]:
    """An AIOKafkaAdminClient, closed at the end of the block.

    Raises:
        TransientError: the cluster does not answer in time.
        ConfigurationError: it refuses.
    """
    client = AIOKafkaAdminClient(**connection.client_options(), request_timeout_ms=_REQUEST_MS)
    try:
        async with asyncio.timeout(timeout_s):
            await client.start()
            yield client
    except (KafkaError, TimeoutError) as error:
        raise as_ours(error, f"administer the cluster at {connection.bootstrap_servers}") from error
    finally:
        await client.close()


async def cluster_id(client: Any) -> str:
    """The cluster's own id: offsets are meaningful only together with it."""
    return str((await client.describe_cluster())["cluster_id"])


async def layouts(client: Any, topics: Collection[str]) -> dict[str, Layout]:
    """The layout of each of these topics; topics that do not exist (or may not be seen) are left out."""
    described = await client.describe_topics(list(topics))
    return {
        topic["topic"]: Layout(
            len(topic["partitions"]), min((len(part["replicas"]) for part in topic["partitions"]), default=0)
        )
        for topic in described
        if topic["error_code"] == 0
    }
