"""The topics that the service writes to: made where the broker lets it, looked at where they are there."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, OffsetSpec

from stream_sync.errors import HaltError

RETENTION_MS = 30 * 24 * 3600 * 1000
TIMEOUT = 10.0
ASK_TIMEOUT = 2.0
LOOK_AGAIN_SECONDS = 0.05


class LetterTopic(NamedTuple):
    """Where letters go. `partitions` is the source topic's count, for a topic that must be created."""

    name: str
    partitions: int
    retention_ms: int
    """-1 = no expiry."""


def open_topic(admin_properties: Mapping[str, Any], topic: LetterTopic, log: Callable[..., None]) -> int:
    """Makes sure the topic is there where the broker lets us; its partition count, 0 where it is not there. Blocks.
    Raises KafkaException or TimeoutError where Kafka does not say, or where somebody else made it just now;
    HaltError(`held_topic_expires`) where it must keep its records and does not."""
    admin = AdminClient(dict(admin_properties))
    found = admin.list_topics(timeout=TIMEOUT).topics.get(topic.name)
    if found is not None and found.error is None:
        if topic.retention_ms < 0:
            _refuse_expiry(admin, topic.name)
        return len(found.partitions)
    new = NewTopic(topic.name, topic.partitions, config={"retention.ms": str(topic.retention_ms)})
    try:
        admin.create_topics([new], request_timeout=TIMEOUT)[topic.name].result(TIMEOUT)
    except (KafkaException, TimeoutError) as exception:
        if code_of(exception) == "TOPIC_ALREADY_EXISTS":
            raise
        log("topic_not_created", topic=topic.name, code=code_of(exception))
        return 0
    _await_leaders(admin, topic)
    return topic.partitions


def _await_leaders(admin: AdminClient, topic: LetterTopic) -> None:
    """Returns when the leader of each partition of a new topic answers, or soon after TIMEOUT. Before, it may refuse a
    producer's first request and take the second: the first is then sent again, and comes last or, from an idempotent
    producer, is acknowledged and lost (Kafka 4.3.1, librdkafka 2.16.0, under load: three of some 4,500 new topics)."""
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        with contextlib.suppress(KafkaException, TimeoutError):
            found = admin.list_topics(topic.name, timeout=ASK_TIMEOUT).topics[topic.name]  # looks for the leaders anew
            wanted = {TopicPartition(topic.name, number): OffsetSpec.latest() for number in found.partitions}
            ends = [
                answer.result(ASK_TIMEOUT)
                for answer in admin.list_offsets(wanted, request_timeout=ASK_TIMEOUT).values()
            ]
            if len(ends) == topic.partitions:
                return
        time.sleep(LOOK_AGAIN_SECONDS)


def code_of(exception: KafkaException | TimeoutError) -> str:
    """The error's name, as librdkafka has it."""
    return str(exception.args[0].name()) if isinstance(exception, KafkaException) else "_TIMED_OUT"


def _refuse_expiry(admin: AdminClient, topic: str) -> None:
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    found = admin.describe_configs([resource], request_timeout=TIMEOUT)[resource].result(TIMEOUT)
    if int(found["retention.ms"].value or -1) >= 0:
        message = f"{topic} has a finite retention, and would lose the deletes that are parked in it"
        raise HaltError("held_topic_expires", f"{message}: set its retention.ms to -1, and restart")


def dead_letter_topic(name: str, activation: str) -> str:
    """The dead-letter topic of an activation."""
    return f"{name}.{activation}.dlq"
