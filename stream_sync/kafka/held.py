"""The topic of parked Deletes, and its latch: what of it nobody has released or discarded yet.

Invariants:
- Released is what the group `<name>.<activation>.held` has committed on the topic; the rest latches the guard of every
  pod, across restarts.
- Only a topic that Kafka says is not there holds nothing: where it may not be looked at, the latch is not known.
- The topic has no expiry: a finite retention would open the latch by itself, so it is an error.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from stream_sync.errors import StreamSyncError

TIMEOUT = 10.0
RETRY_SECONDS = 1.0
FOREVER_MS = -1


def topic_of(name: str, activation: str) -> str:
    """The held topic of an activation; also the group that marks what was released."""
    return f"{name}.{activation}.held"


class HeldTopic:
    """Reads the latch of one activation."""

    def __init__(self, properties: Mapping[str, Any], topic: str, log: Callable[..., None]) -> None:
        self._properties = {**properties, "group.id": topic, "enable.auto.commit": False}
        self._topic = topic
        self._log = log
        self._consumer: Consumer | None = None
        self._one_at_a_time = threading.Lock()
        """A thread may still be asking when the service ends."""
        self._is_closed = False

    async def unreleased(self) -> int:
        """How many parked Deletes nobody has released or discarded; asks until Kafka answers."""
        while True:
            try:
                return await asyncio.to_thread(self._unreleased)
            except KafkaException as exception:
                self._log("held_not_read", topic=self._topic, code=exception.args[0].name())
                await asyncio.to_thread(self._let_go)  # the next answer is another client's: see `lasting`
            await asyncio.sleep(RETRY_SECONDS)

    def close(self) -> None:
        """Closes the client, for good."""
        self._is_closed = True
        self._let_go()

    def _let_go(self) -> None:
        with self._one_at_a_time:
            if self._consumer is not None:
                self._consumer.close()
                self._consumer = None

    def _unreleased(self) -> int:
        with self._one_at_a_time:
            if self._is_closed:
                raise StreamSyncError("the held topic is read no more: the service ends")  # nobody waits for it
            if self._consumer is None:
                self._consumer = Consumer(self._properties)
            return self._count(self._consumer)

    def _count(self, consumer: Consumer) -> int:
        found = consumer.list_topics(self._topic, timeout=TIMEOUT).topics.get(self._topic)
        if found is None or is_absent(found.error):
            return 0
        places = [TopicPartition(self._topic, number) for number in found.partitions]
        released = {place.partition: place.offset for place in consumer.committed(places, timeout=TIMEOUT)}
        total = 0
        for place in places:
            low, high = consumer.get_watermark_offsets(place, timeout=TIMEOUT)
            total += max(0, high - max(low, released[place.partition]))
        return total


def is_absent(error: KafkaError | None) -> bool:
    """Whether a topic's error says that it is not there. Raises KafkaException for any other one."""
    if error is None:
        return False
    if error.code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC):
        return True
    raise KafkaException(error)
