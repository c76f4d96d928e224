"""What Kafka's client raises becomes a sentence for people: what was tried, what came, and what to look at."""

import pytest
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaTimeoutError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from connectors.kafka.connection import as_ours
from contracts_schema.errors import ConfigurationError, TransientError


def test_where_no_broker_answers_the_settings_are_named_that_say_where_it_is():
    ours = as_ours(KafkaConnectionError("Unable to bootstrap from [('b', 9092, <AddressFamily.AF_INET: 2>)]"), "read t")
    assert isinstance(ours, TransientError)
    assert str(ours) == (
        "kafka: cannot read t: no broker answers; see kafka.bootstrap_servers and kafka.security_protocol"
    )


@pytest.mark.parametrize(
    ("error", "family", "sentence"),
    [
        (
            KafkaConnectionError("the connection was cut"),
            TransientError,
            "KafkaConnectionError (the connection was cut)",
        ),
        (KafkaTimeoutError(), TransientError, "KafkaTimeoutError"),
        (TimeoutError(), TransientError, "TimeoutError"),
        (
            TopicAuthorizationFailedError("t"),
            ConfigurationError,
            "TopicAuthorizationFailedError (t); `milepost topics acl`",
        ),
        (
            UnknownTopicOrPartitionError(),
            TransientError,
            "UnknownTopicOrPartitionError; run `milepost topics apply`",
        ),
        (SaslAuthenticationFailed("no"), ConfigurationError, "SaslAuthenticationFailed (no); check kafka.username"),
    ],
)
def test_an_error_is_named_once_and_sorted_by_what_to_do_next(error, family, sentence):
    ours = as_ours(error, "read t")
    assert isinstance(ours, family)
    assert str(ours).startswith(f"kafka: cannot read t: {sentence}")
    assert str(ours).count(type(error).__name__) == 1
