"""A Kafka broker without Kafka: librdkafka's own mock cluster, in this process or, as a program, in one of its own.

Invariants:
- Its records live in memory, at most 5 MiB a partition, the oldest go first.
- It listens on 127.0.0.1 only, on a port of its own choice; other programs of this machine can use it too.
- It is no Kafka (rdkafka_mock.h says what it lacks): clients cannot create topics there, hence `topics`.
- The program lives as long as the process that started it, and so much longer as that one says before it ends.
"""

from __future__ import annotations

import ctypes
import json
import sys
import time
from collections.abc import Mapping
from typing import Self

from stream_sync.errors import StreamSyncError
from stream_sync.kafka.librdkafka import functions

_PRODUCER = 0
"""RD_KAFKA_PRODUCER, of rdkafka.h."""


class MockCluster:
    """`with MockCluster({"orders": 4}) as cluster:` runs one broker with these topics and their numbers of
    partitions."""

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
        return self

    def __exit__(self, *exc: object) -> None:
        self._library.rd_kafka_destroy(self._client)


def _library() -> ctypes.CDLL:
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    return functions(
        {
            "rd_kafka_conf_new": (pointer, []),
            "rd_kafka_conf_set": (number, [pointer, text, text, text, ctypes.c_size_t]),
            "rd_kafka_new": (pointer, [number, pointer, text, ctypes.c_size_t]),
            "rd_kafka_destroy": (None, [pointer]),
            "rd_kafka_handle_mock_cluster": (pointer, [pointer]),
            "rd_kafka_mock_cluster_bootstraps": (text, [pointer]),
            "rd_kafka_mock_topic_create": (number, [pointer, text, number, number]),
            "rd_kafka_mock_group_initial_rebalance_delay_ms": (None, [pointer, ctypes.c_int32]),
        }
    )


def main() -> None:
    """The topics come as a line of JSON on standard input; the address goes to standard output. When the input ends,
    what came last on it says for how many seconds more it stays."""
    with MockCluster(json.loads(sys.stdin.readline())) as cluster:
        sys.stdout.write(f"{cluster.bootstrap}\n")
        sys.stdout.flush()
        time.sleep(float(sys.stdin.read() or 0))


if __name__ == "__main__":
    main()
