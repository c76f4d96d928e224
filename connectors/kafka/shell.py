"""FastStream as the shell of the feed, with every default changed that would lose records (see `feed`)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from aiokafka import ConsumerRebalanceListener
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from faststream.kafka import KafkaBroker
from faststream.middlewares import AckPolicy

from connectors.kafka.connection import KafkaConnection


@dataclass(frozen=True)
class FeedSettings:
    """Group membership and fetching. Times in seconds, sizes in bytes.

    `rebalance_s` is how long the group waits for a member; it must exceed `drain_s`, how long a member waits for its
    running batch. `fetch_bytes`, of one partition, and `answer_bytes`, of all in one answer, bound memory; a larger
    record comes alone.
    `safety_s` is taken off every moment of `read_past`.
    """

    group: str = "milepost"
    session_s: float = 30
    heartbeat_s: float = 3
    rebalance_s: float = 60
    drain_s: float = 15
    max_poll_interval_s: float = 300
    start_s: float = 90
    fetch_bytes: int = 2 * 1024 * 1024
    answer_bytes: int = 16 * 1024 * 1024
    fetch_wait_s: float = 0.1
    safety_s: float = 1


def shell(connection: KafkaConnection, settings: FeedSettings) -> KafkaBroker:
    """The connection. A join is answered only when the group is complete, so requests wait longer than that."""
    return KafkaBroker(
        connection.bootstrap_servers.split(","),  # FastStream takes one string for one server
        client_id=connection.client_id,
        security=connection.security(),
        request_timeout_ms=_ms(settings.rebalance_s + 5),
        metadata_max_age_ms=60_000,
        allow_auto_create_topics=False,
        consumer_only=True,
        logger=None,
    )


def subscriber(
    broker: KafkaBroker, topics: Collection[str], listener: ConsumerRebalanceListener, settings: FeedSettings
) -> Any:
    """A batch subscriber without a handler: it builds the consumer and leaves reading to whoever asks for it."""
    return broker.subscriber(
        *topics,
        group_id=settings.group,
        batch=True,
        ack_policy=AckPolicy.MANUAL,
        listener=listener,
        auto_offset_reset="none",
        isolation_level="read_committed",
        partition_assignment_strategy=(RangePartitionAssignor,),
        session_timeout_ms=_ms(settings.session_s),
        heartbeat_interval_ms=_ms(settings.heartbeat_s),
        rebalance_timeout_ms=_ms(settings.rebalance_s),
        max_poll_interval_ms=_ms(settings.max_poll_interval_s),
        max_partition_fetch_bytes=settings.fetch_bytes,
        fetch_max_bytes=settings.answer_bytes,
        fetch_max_wait_ms=_ms(settings.fetch_wait_s),
    )


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
