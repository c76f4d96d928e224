"""The door to Kafka: `KafkaFeed` reads, `KafkaPublisher` writes, `topics` provisions and checks."""

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.feed import KafkaFeed
from connectors.kafka.publisher import KafkaPublisher, PublisherSettings
from connectors.kafka.shell import FeedSettings

__all__ = ["FeedSettings", "KafkaConnection", "KafkaFeed", "KafkaPublisher", "PublisherSettings"]
