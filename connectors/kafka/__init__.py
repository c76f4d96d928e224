"""The door to Kafka: `KafkaFeed` reads, `KafkaPublisher` writes, `topics` provisions and checks."""

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.feed import FeedSettings, KafkaFeed
from connectors.kafka.publisher import KafkaPublisher, PublisherSettings

__all__ = ["FeedSettings", "KafkaConnection", "KafkaFeed", "KafkaPublisher", "PublisherSettings"]
