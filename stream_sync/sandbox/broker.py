"""A Kafka broker for which nothing needs to be installed, and a client of it.

Invariant: it lives as long as the `with` block, unless it was told to stay.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple, Self, cast

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec

from stream_sync.errors import StreamSyncError
from stream_sync.sandbox.mock_cluster import MockCluster

SECONDS = 30.0
"""How long any answer of the broker may take."""
_QUIET = {"log_level": 0}
"""librdkafka logs to stderr, right into whatever a terminal shows."""
_NO_ANSWER = "the embedded broker no longer answers"


class Kept(NamedTuple):
    """One record read back."""

    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes]


class Broker:
    """`with Broker({"orders": 4}) as broker:` runs one broker with these topics and their numbers of partitions.

    The methods are a client's, and block.
    """

    def __init__(self, topics: Mapping[str, int], *, apart: bool = False) -> None:
        """`apart`: in a process of its own, so that it can `stay`."""
        self.bootstrap = ""
        """The `bootstrap.servers` of clients."""
        self._topics = dict(topics)
        self._apart = apart
        self._process: subprocess.Popen[str] | None = None
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        if self._apart:
            self._process = self._opened.enter_context(_process())
            self.bootstrap = _ask(self._process, self._topics)
        else:
            self.bootstrap = self._opened.enter_context(MockCluster(self._topics)).bootstrap
        properties = {"bootstrap.servers": self.bootstrap, **_QUIET}
        self._producer = Producer({**properties, "linger.ms": 5})
        self._admin = AdminClient({"bootstrap.servers": self.bootstrap, **_QUIET})
        return self

    def __exit__(self, *exc: object) -> None:
        del self._producer, self._admin
        self._opened.close()

    def stay(self, seconds: int) -> int:
        """It outlives this process by so many seconds; the process that it is."""
        assert self._process is not None, "only one that is apart can stay"
        assert self._process.stdin is not None
        self._process.stdin.write(str(seconds))
        return self._process.pid

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
        with _answering():
            answers = self._admin.list_offsets(asked, request_timeout=SECONDS)
            return {partition.partition: answer.result(SECONDS).offset for partition, answer in answers.items()}

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """Partition to the offset that a consumer group has committed, 0 where it has none."""
        # Not asked of the admin client: its list_consumer_group_offsets can crash the process (2.16.1) while a
        # coordinator is not ready.
        with _answering(), Consumer({"bootstrap.servers": self.bootstrap, "group.id": group, **_QUIET}) as reader:
            found = reader.committed(self._partitions(topic), SECONDS)
            for each in found:
                if each.error is not None:
                    raise KafkaException(each.error)
            return {each.partition: max(0, each.offset) for each in found}

    def read(self, topic: str) -> list[Kept]:
        """All records of a topic as of now."""
        found: list[Kept] = []
        properties = {"bootstrap.servers": self.bootstrap, "group.id": "reader", "enable.auto.commit": False, **_QUIET}
        with Consumer({**properties, "enable.partition.eof": True, "fetch.wait.max.ms": 10}) as consumer:
            # Asked for now, or the client finds the partitions' leaders only at its next look, half a second later.
            with _answering():
                consumer.list_topics(topic, timeout=SECONDS)
            partitions = self._partitions(topic)
            consumer.assign([TopicPartition(topic, each.partition, OFFSET_BEGINNING) for each in partitions])
            to_read = len(partitions)
            while to_read:
                message = consumer.poll(SECONDS)
                if message is None:
                    raise StreamSyncError(_NO_ANSWER)
                error = message.error()
                if error is None:
                    headers = cast("list[tuple[str, bytes]]", message.headers() or [])
                    found.append(Kept(message.key(), message.value(), dict(headers)))
                elif error.code() == KafkaError._PARTITION_EOF:
                    to_read -= 1
        return found

    def _partitions(self, topic: str) -> list[TopicPartition]:
        return [TopicPartition(topic, number) for number in range(self._topics[topic])]


@contextmanager
def _answering() -> Iterator[None]:
    """What the clients raise where no answer comes says so as every other failure does."""
    try:
        yield
    except (KafkaException, TimeoutError):
        raise StreamSyncError(_NO_ANSWER) from None


@contextmanager
def _process() -> Iterator[subprocess.Popen[str]]:
    """One that holds a mock cluster, until its input ends; a Ctrl-C in the terminal is not for it."""
    process = subprocess.Popen(  # noqa: S603  our own module
        [sys.executable, "-m", MockCluster.__module__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process
    finally:
        process.stdout.close()
        process.stdin.close()
        process.returncode = 0  # it may outlive us, which is meant


def _ask(process: subprocess.Popen[str], topics: Mapping[str, int]) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(topics) + "\n")
    process.stdin.flush()
    if not (address := process.stdout.readline().strip()):
        raise StreamSyncError("the embedded broker does not start")
    return address
