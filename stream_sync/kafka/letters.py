"""Letters: source records put aside in Kafka, byte for byte, with their reason: refused for good, or parked.

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
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

from stream_sync.kafka.lasting import LastingProducer
from stream_sync.model import Record, Stage

RETENTION_MS = 30 * 24 * 3600 * 1000
RETRY_SECONDS = 1.0
TIMEOUT = 10.0
_TOO_BIG = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD})

Header = tuple[str, str | bytes | None]


class Reason(NamedTuple):
    """Why a record is put aside."""

    activation: str
    stage: Stage
    code: str
    message: str
    status: int | None
    attempts: int


class LetterTopic(NamedTuple):
    """Where letters go. `partitions` is the source topic's count, for a topic that must be created."""

    name: str
    partitions: int
    retention_ms: int
    """-1 = no expiry."""


class FiniteRetentionError(Exception):
    """A topic that must keep its records loses them after a while."""


class Letters:
    """The producer of all dead letters and parked Deletes of this process."""

    def __init__(self, properties: Mapping[str, Any], admin: Mapping[str, Any], log: Callable[..., None]) -> None:
        self._producer = LastingProducer(properties, "kafka-letters")
        self._admin = dict(admin)
        self._log = log
        self._known: dict[str, asyncio.Task[int]] = {}
        """Topic to how many partitions it has, once it is there."""

    async def send(self, topic: LetterTopic, record: Record, reason: Reason) -> None:
        """Writes one letter and returns when Kafka has it; retries for as long as it takes."""
        partition = record.partition()
        value = record.value()
        headers = [*(record.headers() or ()), *reason_headers(record, reason, time.time())]
        while True:
            count = await self._partitions(topic)
            target = partition if partition is not None and partition < count else -1
            error = await self._produce(topic.name, target, record.key(), value, headers)
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
                self._known.pop(topic.name, None)
            self._log("letter_not_written", topic=topic.name, code=error.name())
            await asyncio.sleep(RETRY_SECONDS)

    async def _partitions(self, topic: LetterTopic) -> int:
        """How many partitions the topic has, 0 where it could not be created; asked until it is there."""
        while True:
            if topic.name not in self._known:
                opening = asyncio.to_thread(open_topic, self._admin, topic, self._log)
                self._known[topic.name] = asyncio.get_running_loop().create_task(opening)
            known = self._known[topic.name]
            try:
                count = await asyncio.shield(known)
            except FiniteRetentionError:
                if self._forget(topic, known):
                    hint = "set its retention.ms to -1: parked deletes wait"
                    self._log("held_topic_expires", topic=topic.name, hint=hint)
            except (KafkaException, TimeoutError) as exception:
                if self._forget(topic, known):
                    self._log("topic_not_seen", topic=topic.name, code=_code_of(exception))
            else:
                if not count:
                    self._forget(topic, known)
                return count
            await asyncio.sleep(RETRY_SECONDS)

    def _forget(self, topic: LetterTopic, known: asyncio.Task[int]) -> bool:
        """Look it up again; True for the first of all who waited for that answer: it tells, once for thousands."""
        first = self._known.get(topic.name) is known
        if first:
            del self._known[topic.name]
        return first

    def close(self) -> None:
        """Ends the poll thread. Letters that are not acknowledged are not settled either: they are written again."""
        self._producer.close()

    async def _produce(
        self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: list[Header]
    ) -> KafkaError | None:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[KafkaError | None] = loop.create_future()

        def delivered(error: KafkaError | None, _message: Message) -> None:
            loop.call_soon_threadsafe(_resolve, done, error)

        try:
            client = self._producer.client
            client.produce(topic, value, key, partition, delivered, headers=headers)
        except BufferError:
            return KafkaError(KafkaError._QUEUE_FULL)
        except KafkaException as exception:
            refusal: KafkaError = exception.args[0]
            return refusal
        error = await done
        if error is not None:
            self._producer.failed(client, error)
        return error


def open_topic(admin_properties: Mapping[str, Any], topic: LetterTopic, log: Callable[..., None]) -> int:
    """Makes sure the topic is there where the broker lets us; its partition count, 0 where it is not there. Blocks.
    Raises KafkaException or TimeoutError where Kafka does not say, or where somebody else made it just now."""
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
        if _code_of(exception) == "TOPIC_ALREADY_EXISTS":
            raise
        log("topic_not_created", topic=topic.name, code=_code_of(exception))
        return 0
    return topic.partitions


def _code_of(exception: KafkaException | TimeoutError) -> str:
    return str(exception.args[0].name()) if isinstance(exception, KafkaException) else "_TIMED_OUT"


def _refuse_expiry(admin: AdminClient, topic: str) -> None:
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    found = admin.describe_configs([resource], request_timeout=TIMEOUT)[resource].result(TIMEOUT)
    if int(found["retention.ms"].value or -1) >= 0:
        raise FiniteRetentionError(topic)


def dead_letter_topic(name: str, activation: str) -> str:
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
