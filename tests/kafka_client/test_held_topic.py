"""What a topic's error says of the latch."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, KafkaException

from stream_sync.kafka.held import is_absent


def test_a_topic_that_is_not_there_holds_nothing() -> None:
    assert is_absent(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
    assert not is_absent(None)


@pytest.mark.parametrize("code", [KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.LEADER_NOT_AVAILABLE])
def test_one_that_cannot_be_looked_at_may_hold_deletes(code: int) -> None:
    with pytest.raises(KafkaException):
        is_absent(KafkaError(code))
