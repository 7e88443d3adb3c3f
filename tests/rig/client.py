"""What tests ask of Kafka: topics made, records written and read, offsets seen. Real librdkafka clients, no fakes.

Invariants:
- Every call is synchronous and returns when Kafka has said so, or raises within `LIMIT` seconds.
- Nothing here joins a consumer group: a test's look never disturbs the service's members.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
)

LIMIT = 20.0
"""Seconds."""
_FENCED = (KafkaError._NOENT, KafkaError.FENCED_LEADER_EPOCH, KafkaError.INVALID_REPLICATION_FACTOR)
"""What is told of a broker whose session is over, until its next heartbeat: nobody leads its partitions."""

Answer = TypeVar("Answer")


class Outgoing(NamedTuple):
    """A record to write. Without `partition` the key's hash (murmur2, as Kafka's Java clients) chooses."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()
    partition: int = -1
    timestamp: int = 0
    """Milliseconds since the epoch; 0 = now."""


class Kafka:
    """A broker as the tests see it."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
        self._writer: Producer | None = None

    def create_topic(self, name: str, partitions: int = 1, config: Mapping[str, str] | None = None) -> str:
        """Creates a topic and returns its name."""
        topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config=dict(config or {}))
        return self._create(topic, partitions)

    def create_on(self, broker: int, name: str, config: Mapping[str, str] | None = None, *, partitions: int = 1) -> str:
        """As `create_topic`, with all partitions on one broker of several."""
        places = [[broker]] * partitions
        topic = NewTopic(name, num_partitions=partitions, replica_assignment=places, config=dict(config or {}))
        return self._create(topic, partitions)

    def _create(self, topic: NewTopic, partitions: int) -> str:
        """Returns when each partition's leader answers: before, it may refuse a first request and take the second, and
        what is in the first comes last, or never."""
        _insist(lambda: self._admin.create_topics([topic], operation_timeout=LIMIT)[topic.topic].result(LIMIT))
        self._wait_for_leaders(topic.topic, partitions)
        return topic.topic

    def _wait_for_leaders(self, topic: str, partitions: int) -> None:
        _wait(lambda: len(self.end_offsets(topic)) == partitions, f"{partitions} partitions of topic {topic} answer")

    def add_partitions(self, topic: str, total: int) -> None:
        """Returns when each partition's leader answers."""
        self._writer = None  # it would learn of them minutes later
        wanted = [NewPartitions(topic, total)]
        _insist(lambda: self._admin.create_partitions(wanted, operation_timeout=LIMIT)[topic].result(LIMIT))
        self._wait_for_leaders(topic, total)

    def configure_topic(self, topic: str, config: Mapping[str, str]) -> None:
        """Returns when the broker has it so."""
        entries = [
            ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in config.items()
        ]
        wanted = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=entries)
        self._admin.incremental_alter_configs([wanted])[wanted].result(LIMIT)
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)

        def is_so() -> bool:
            found = self._admin.describe_configs([resource])[resource].result(LIMIT)
            return all(found[name].value == value for name, value in config.items())

        _wait(is_so, f"topic {topic} is configured so")

    def topics(self) -> set[str]:
        """The names of all topics, Kafka's own left out."""
        return {name for name in self._admin.list_topics(timeout=LIMIT).topics if not name.startswith("__")}

    def partitions(self, topic: str) -> list[int]:
        return sorted(self._admin.list_topics(topic, timeout=LIMIT).topics[topic].partitions)

    def produce(self, topic: str, records: Iterable[Outgoing]) -> int:
        """Writes the records in order and returns how many, when all are acknowledged."""
        failures: list[str] = []

        def on_delivery(error: object, _message: Message) -> None:
            if error is not None:
                failures.append(str(error))

        producer = self._writer or self._open_writer()
        count = 0
        for record in records:
            producer.produce(
                topic,
                value=record.value,
                key=record.key,
                headers=list(record.headers),
                partition=record.partition,
                timestamp=record.timestamp,
                on_delivery=on_delivery,
            )
            count += 1
            if count % 10_000 == 0:
                producer.poll(0)
        unsent = producer.flush(LIMIT * 3)
        if failures or unsent:
            self._writer = None
            raise AssertionError(f"{len(failures) + unsent} of {count} records not written: {failures[:1]}")
        return count

    def _open_writer(self) -> Producer:
        """Idempotent, so that nothing is overtaken by what was sent after it; kept, since its first handshake takes
        half a second."""
        self._writer = Producer(
            {
                "bootstrap.servers": self.bootstrap,
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "log_level": 0,
                "linger.ms": 5,
                "queue.buffering.max.messages": 2_000_000,
                "message.timeout.ms": int(LIMIT * 1000),
            }
        )
        return self._writer

    def end_offsets(self, topic: str) -> dict[int, int]:
        """The next offset of each partition."""

        def ask() -> dict[int, int]:
            wanted = {TopicPartition(topic, number): OffsetSpec.latest() for number in self.partitions(topic)}
            answers = self._admin.list_offsets(wanted)
            return {place.partition: future.result(LIMIT).offset for place, future in answers.items()}

        return _insist(ask)

    def delete_records(self, topic: str, before: Mapping[int, int] | None = None) -> None:
        """Deletes the records before these offsets of their partitions, or every record there is, as retention does."""
        ends = self.end_offsets(topic) if before is None else before
        places = [TopicPartition(topic, number, end) for number, end in ends.items() if end > 0]
        for answer in self._admin.delete_records(places).values():
            answer.result(LIMIT)

    def read_all(self, topic: str) -> list[Message]:
        """Every record from the first one to the present end, each partition in order."""
        ends = {number: end for number, end in self.end_offsets(topic).items() if end > 0}
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": "tests-never-commit",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 10,
                "auto.offset.reset": "earliest",
            }
        )
        try:
            consumer.assign([TopicPartition(topic, number, 0) for number in ends])
            return _until(consumer, ends)
        finally:
            consumer.close()

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """The group's committed offsets; partitions without one are left out."""
        return {place.partition: place.offset for place in self._committed(group, topic)}

    def committed_metadata(self, group: str, topic: str) -> dict[int, str]:
        """The metadata text of the group's committed offsets."""
        return {place.partition: place.metadata or "" for place in self._committed(group, topic)}

    def _committed(self, group: str, topic: str) -> list[TopicPartition]:
        # Not the admin client's list_consumer_group_offsets: 2.16.1 can crash the process while a coordinator
        # is not ready.
        client = Consumer({"bootstrap.servers": self.bootstrap, "group.id": group})
        try:
            places = client.committed(
                [TopicPartition(topic, number) for number in self.partitions(topic)], timeout=LIMIT
            )
        finally:
            client.close()
        return [place for place in places if place.offset >= 0]


def _wait(is_so: Callable[[], bool], what: str) -> None:
    """Returns when it is so; whatever Kafka refuses to say, it is asked again."""
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        with contextlib.suppress(KafkaException):
            if is_so():
                return
    raise AssertionError(f"not within {LIMIT:.0f} s: {what}")


def _insist(ask: Callable[[], Answer]) -> Answer:
    """The answer; asked again while the broker counts as gone because it stood still."""
    deadline = time.monotonic() + LIMIT
    while True:
        try:
            return ask()
        except KafkaException as exception:
            if exception.args[0].code() not in _FENCED or time.monotonic() > deadline:
                raise


def _until(consumer: Consumer, ends: Mapping[int, int]) -> list[Message]:
    records: list[Message] = []
    open_partitions = set(ends)
    deadline = time.monotonic() + LIMIT
    while open_partitions:
        if time.monotonic() > deadline:
            raise AssertionError(f"partitions {sorted(open_partitions)} not read to their end within {LIMIT:.0f} s")
        for message in consumer.consume(10_000, 0.1):
            number = message.partition()
            assert number is not None
            # The end of a partition comes as an event; a compacted or transactional end has no last record to see.
            if message.error() is not None:
                open_partitions.discard(number)
            elif (message.offset() or 0) < ends[number]:
                records.append(message)
    return records
