"""Dead letters: source records refused for good, kept byte for byte in Kafka with their reason.

Invariants:
- A letter counts only when Kafka acknowledged it: `send` returns then, and tries again until it can. Nobody settles
  an offset before that.
- The record's key, value and headers are untouched; the reason is in further headers, as Kafka Connect writes them
  (`__connect.errors.*`) plus the service's own (`stream_sync.*`). No header holds a secret or a person's data.
- A letter goes to the partition number of its record where the topic has it.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from stream_sync.model import Record, Stage

RETENTION_MS = 30 * 24 * 3600 * 1000
RETRY_SECONDS = 1.0
_CREATE_TIMEOUT = 10.0
_TOO_BIG = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD})

Header = tuple[str, str | bytes | None]


class Reason(NamedTuple):
    """Why a record is a dead letter."""

    activation: str
    stage: Stage
    code: str
    message: str
    status: int | None
    attempts: int


class DeadLetters:
    """The producer of all dead letters of this process."""

    def __init__(self, properties: Mapping[str, Any], admin: Mapping[str, Any], log: Callable[..., None]) -> None:
        self._properties = dict(properties)
        self._admin = dict(admin)
        self._log = log
        self._producer: Producer | None = None
        self._stopping = threading.Event()
        self._known: dict[str, asyncio.Task[int]] = {}
        """Topic to how many partitions it has, looked up and created once."""

    async def send(self, topic: str, partitions: int, record: Record, reason: Reason) -> None:
        """Writes one letter and returns when Kafka has it; retries for as long as it takes.

        `partitions` is the source topic's count, for a letter topic that must be created.
        """
        loop = asyncio.get_running_loop()
        if topic not in self._known:
            self._known[topic] = loop.create_task(asyncio.to_thread(self._open, topic, partitions))
        count = await asyncio.shield(self._known[topic])
        partition = record.partition()
        value = record.value()
        headers = [*(record.headers() or ()), *reason_headers(record, reason, time.time())]
        while True:
            target = partition if partition is not None and partition < count else -1
            error = await self._produce(topic, target, record.key(), value, headers)
            if error is None:
                return
            if error.code() in _TOO_BIG and value is not None:
                headers += [
                    ("stream_sync.value_size", str(len(value)).encode()),
                    ("stream_sync.value_sha256", hashlib.sha256(value).hexdigest().encode()),
                ]
                value = None
                continue
            if error.code() in (KafkaError._UNKNOWN_PARTITION, KafkaError.UNKNOWN_TOPIC_OR_PART):
                count = 0
            self._log("dead_letter_not_written", topic=topic, code=error.name())
            await asyncio.sleep(RETRY_SECONDS)

    def close(self) -> None:
        """Ends the poll thread. Letters that are not acknowledged are not settled either: they are written again."""
        self._stopping.set()

    async def _produce(
        self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: list[Header]
    ) -> KafkaError | None:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[KafkaError | None] = loop.create_future()

        def delivered(error: KafkaError | None, _message: Message) -> None:
            loop.call_soon_threadsafe(_resolve, done, error)

        try:
            self._client().produce(topic, value, key, partition, delivered, headers=headers)
        except BufferError:
            return KafkaError(KafkaError._QUEUE_FULL)
        except KafkaException as exception:
            error: KafkaError = exception.args[0]
            return error
        return await done

    def _client(self) -> Producer:
        if self._producer is None:
            self._producer = Producer(self._properties)
            threading.Thread(target=self._poll, args=(self._producer,), name="kafka-letters", daemon=True).start()
        return self._producer

    def _poll(self, producer: Producer) -> None:
        while not self._stopping.is_set():
            producer.poll(0.1)
        producer.flush(1.0)

    def _open(self, topic: str, partitions: int) -> int:
        """Makes sure the topic is there where the broker lets us; returns its partition count, 0 where unknown."""
        admin = AdminClient(self._admin)
        try:
            found = admin.list_topics(timeout=_CREATE_TIMEOUT).topics.get(topic)
            if found is not None and found.error is None:
                return len(found.partitions)
            new = NewTopic(topic, partitions, config={"retention.ms": str(RETENTION_MS)})
            admin.create_topics([new], request_timeout=_CREATE_TIMEOUT)[topic].result(_CREATE_TIMEOUT)
        except (KafkaException, TimeoutError) as exception:
            code = exception.args[0].name() if isinstance(exception, KafkaException) else "timed_out"
            self._log("topic_not_created", topic=topic, code=code)
            return 0
        return partitions


def topic_of(name: str, activation: str) -> str:
    """The dead-letter topic of an activation."""
    return f"{name}.{activation}.dlq"


def reason_headers(record: Record, reason: Reason, now: float) -> list[Header]:
    """The headers that tell why; `now` in seconds since the epoch."""
    texts = {
        "__connect.errors.topic": record.topic(),
        "__connect.errors.partition": record.partition(),
        "__connect.errors.offset": record.offset(),
        "__connect.errors.connector.name": reason.activation,
        "__connect.errors.stage": reason.stage,
        "__connect.errors.exception.class.name": f"stream_sync.{reason.code}",
        "__connect.errors.exception.message": reason.message,
        "stream_sync.code": reason.code,
        "stream_sync.status": "" if reason.status is None else reason.status,
        "stream_sync.attempts": reason.attempts,
        "stream_sync.failed_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
    }
    return [(name, str(text).encode()) for name, text in texts.items()]


def _resolve(done: asyncio.Future[KafkaError | None], error: KafkaError | None) -> None:
    if not done.done():
        done.set_result(error)
