"""A Kafka broker inside this process: librdkafka's own mock cluster, so that nothing needs to be installed.

Invariants:
- It lives as long as the `with` block; its records live in memory, at most 5 MiB a partition, the oldest go first.
- It listens on 127.0.0.1 only, on a port of its own choice; other programs of this machine can use it too.
- It is no Kafka (rdkafka_mock.h says what it lacks): clients cannot create topics there, hence `topics`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self, cast

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    Producer,
    TopicPartition,
    cimpl,
)
from confluent_kafka.admin import AdminClient, OffsetSpec

from stream_sync.errors import StreamSyncError

SECONDS = 10.0
"""How long any answer of the broker may take."""
_PRODUCER = 0
"""RD_KAFKA_PRODUCER, of rdkafka.h."""
_QUIET = {"log_level": 0}
"""librdkafka logs to stderr, right into whatever a terminal shows."""


class Kept(NamedTuple):
    """One record read back."""

    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes]


class Broker:
    """`with Broker({"orders": 4}) as broker:` runs one broker with these topics and their numbers of partitions.

    The methods are a client's, and block.
    """

    def __init__(self, topics: Mapping[str, int]) -> None:
        self.bootstrap = ""
        """The `bootstrap.servers` of clients."""
        self._topics = dict(topics)
        self._library = _library()
        self._client: int | None = None

    def __enter__(self) -> Self:
        library = self._library
        reason = ctypes.create_string_buffer(512)
        settings = library.rd_kafka_conf_new()
        for name, value in {"test.mock.num.brokers": "1", "log_level": "0"}.items():
            library.rd_kafka_conf_set(settings, name.encode(), value.encode(), reason, len(reason))
        self._client = library.rd_kafka_new(_PRODUCER, settings, reason, len(reason))
        if self._client is None:
            raise StreamSyncError(f"the embedded broker does not start: {reason.value.decode()}")
        cluster = library.rd_kafka_handle_mock_cluster(self._client)
        # A broker waits 3 s for further members of a group; here nobody else comes.
        library.rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0)
        for topic, partitions in self._topics.items():
            library.rd_kafka_mock_topic_create(cluster, topic.encode(), partitions, 1)
        self.bootstrap = library.rd_kafka_mock_cluster_bootstraps(cluster).decode()
        properties = {"bootstrap.servers": self.bootstrap, **_QUIET}
        self._producer = Producer({**properties, "linger.ms": 5})
        self._admin = AdminClient({"bootstrap.servers": self.bootstrap, **_QUIET})
        return self

    def __exit__(self, *exc: object) -> None:
        del self._producer, self._admin
        self._library.rd_kafka_destroy(self._client)

    def write(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> None:
        """Queues one record; `flush` sees it through."""
        self._producer.produce(topic, value, key, headers=list(headers))
        self._producer.poll(0)

    def flush(self) -> None:
        """Returns when every record written is in the broker."""
        if self._producer.flush(SECONDS):
            raise StreamSyncError("the embedded broker no longer takes what is written to it")

    def ends(self, topic: str) -> dict[int, int]:
        """Partition to the offset that its next record will get."""
        asked = {partition: OffsetSpec.latest() for partition in self._partitions(topic)}
        answers = self._admin.list_offsets(asked, request_timeout=SECONDS)
        return {partition.partition: answer.result(SECONDS).offset for partition, answer in answers.items()}

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """Partition to the offset that a consumer group has committed, 0 where it has none."""
        asked = ConsumerGroupTopicPartitions(group, self._partitions(topic))
        (answer,) = self._admin.list_consumer_group_offsets([asked], request_timeout=SECONDS).values()
        return {each.partition: max(0, each.offset) for each in answer.result(SECONDS).topic_partitions}

    def read(self, topic: str) -> list[Kept]:
        """All records of a topic as of now."""
        found: list[Kept] = []
        properties = {"bootstrap.servers": self.bootstrap, "group.id": "reader", "enable.auto.commit": False, **_QUIET}
        with Consumer({**properties, "enable.partition.eof": True, "fetch.wait.max.ms": 10}) as consumer:
            # Asked for now, or the client finds the partitions' leaders only at its next look, half a second later.
            consumer.list_topics(topic, timeout=SECONDS)
            partitions = self._partitions(topic)
            consumer.assign([TopicPartition(topic, each.partition, OFFSET_BEGINNING) for each in partitions])
            to_read = len(partitions)
            while to_read:
                message = consumer.poll(SECONDS)
                if message is None:
                    raise StreamSyncError("the embedded broker no longer answers")
                error = message.error()
                if error is None:
                    headers = cast("list[tuple[str, bytes]]", message.headers() or [])
                    found.append(Kept(message.key(), message.value(), dict(headers)))
                elif error.code() == KafkaError._PARTITION_EOF:
                    to_read -= 1
        return found

    def _partitions(self, topic: str) -> list[TopicPartition]:
        return [TopicPartition(topic, number) for number in range(self._topics[topic])]


def _library() -> ctypes.CDLL:
    """librdkafka as confluent_kafka has loaded it: names looked up in its module are found in what it is linked with,
    wherever the wheel keeps that."""
    library = ctypes.CDLL(cimpl.__file__)
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    signatures = {
        "rd_kafka_conf_new": (pointer, []),
        "rd_kafka_conf_set": (number, [pointer, text, text, text, ctypes.c_size_t]),
        "rd_kafka_new": (pointer, [number, pointer, text, ctypes.c_size_t]),
        "rd_kafka_destroy": (None, [pointer]),
        "rd_kafka_handle_mock_cluster": (pointer, [pointer]),
        "rd_kafka_mock_cluster_bootstraps": (text, [pointer]),
        "rd_kafka_mock_topic_create": (number, [pointer, text, number, number]),
        "rd_kafka_mock_group_initial_rebalance_delay_ms": (None, [pointer, ctypes.c_int32]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
