"""What is asked of the brokers beside the records. Every call blocks; a group's member makes it on its owner thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from stream_sync.errors import StreamSyncError

Answer = TypeVar("Answer")

METADATA_TIMEOUT = 10.0
ASK_TIMEOUT = 2.0
"""For what is asked every now and then, while other things wait."""
INSIST_SECONDS = 30.0
"""How long a question must be answered whose failure would end the process."""
INSIST_PAUSE = 0.2
_FORBIDDEN = frozenset({KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED})


def insist(ask: Callable[[], Answer]) -> Answer:
    """Asks again for a while where the broker is away, a leader is being elected or a partition is very new; what the
    credentials do not allow is raised at once."""
    deadline = time.monotonic() + INSIST_SECONDS
    while True:
        try:
            return ask()
        except KafkaException as exception:
            if time.monotonic() > deadline or exception.args[0].code() in _FORBIDDEN:
                raise
        time.sleep(INSIST_PAUSE)


def bounds(client: Consumer, topic: str, partition: int, timeout: float | None = None) -> tuple[int, int]:
    """A partition's first offset, and its last stable one as of now. Raises KafkaException."""
    low, high = client.get_watermark_offsets(TopicPartition(topic, partition), timeout=timeout or METADATA_TIMEOUT)
    return low, high


def count_partitions(client: Consumer, topic: str, timeout: float | None = None) -> int:
    """How many partitions the topic has; 0 = it is not there or may not be read. Raises KafkaException."""
    found = client.list_topics(topic, timeout=timeout or METADATA_TIMEOUT).topics[topic]
    return 0 if found.error is not None else len(found.partitions)


def committed(client: Consumer, topic: str, partitions: Iterable[int]) -> dict[int, int] | None:
    """What the group has committed of these partitions, negative = nothing; None where Kafka does not say."""
    places = [TopicPartition(topic, number) for number in partitions]
    try:
        found = client.committed(places, timeout=METADATA_TIMEOUT) if places else []
    except KafkaException:
        return None
    return {position.partition: position.offset for position in found}


def backlog(client: Consumer, topic: str) -> int | None:
    """Records beyond what the group has committed, in all partitions, whoever is in the group; None where Kafka does
    not say."""
    try:
        numbers = range(count_partitions(client, topic, ASK_TIMEOUT))
        within = [bounds(client, topic, number, ASK_TIMEOUT) for number in numbers]
    except KafkaException:
        return None
    done = committed(client, topic, numbers)
    if done is None:
        return None
    return sum(max(0, high - max(low, done[number])) for number, (low, high) in zip(numbers, within, strict=True))


def lag(client: Consumer, topic: str, taken: Mapping[int, int], *, ask: bool) -> int:
    """Records beyond what was `taken` (partition to the next offset), as far as the client knows; with `ask` the broker
    is asked."""
    total = 0
    for number, position in taken.items():
        place = TopicPartition(topic, number)
        try:
            _low, high = client.get_watermark_offsets(place, timeout=ASK_TIMEOUT, cached=not ask)
        except KafkaException:
            ask = False  # one silent broker is waited for once
            _low, high = client.get_watermark_offsets(place, cached=True)
        total += max(0, high - position)  # not known yet = -1001
    return total


def not_there(topic: str) -> str:
    """What a person is told of a topic that Kafka does not show."""
    return f"topic {topic!r} does not exist or may not be read: create it, or mend the source's `topic`"


def unread(topic: str, why: KafkaException) -> StreamSyncError:
    """What a person is told of a topic that cannot be read."""
    code = why.args[0].name()
    return StreamSyncError(
        f"topic {topic!r} cannot be read ({code}): see that `kafka` of the config names a broker that runs and lets "
        "this client read it"
    )
