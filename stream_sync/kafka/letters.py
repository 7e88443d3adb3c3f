"""Letters: source records put aside in Kafka, byte for byte, with their reason: refused for good, or parked.

Invariants:
- A letter counts only when Kafka acknowledged it: `send` returns then, and tries again until it can. Nobody settles
  an offset before that.
- The record's key, value and headers are untouched; the reason is in further headers, as Kafka Connect writes them
  (`__connect.errors.*`) plus the service's own (`stream_sync.*`). No header holds a secret or a person's data.
- A letter goes to the partition number of its record, modulo the topic's count where it has fewer.
- Until Kafka has a client's first letter of a partition, no second one is sent, nor is one whose partition librdkafka
  chooses. Of two requests under way, a leader that takes over just then may refuse the first and take the second; sent
  again, the first passes for a repetition, and is acknowledged although nobody has it.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message

from stream_sync.errors import HaltError
from stream_sync.kafka.lasting import LastingProducer
from stream_sync.kafka.letter_topics import LetterTopic, code_of, open_topic
from stream_sync.model import Record, Stage

RETRY_SECONDS = 1.0
FORGOTTEN_SECONDS = 3600.0
"""After so long without a letter a partition's next one is taken for the first: Kafka forgets a producer after a day
(`producer.id.expiration.ms`)."""
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


class Letters:
    """The producer of all dead letters and parked Deletes of this process."""

    def __init__(self, properties: Mapping[str, Any], admin: Mapping[str, Any], log: Callable[..., None]) -> None:
        self._producer = LastingProducer(properties, "kafka-letters")
        self._admin = dict(admin)
        self._log = log
        self._known: dict[str, asyncio.Task[int | HaltError | None]] = {}
        """Topic to how many partitions it has, once it is there."""
        self._begun: dict[tuple[str, int], float] = {}
        """The partitions that Kafka has a letter of the present client in; when the last came, monotonic seconds."""
        self._beginning: dict[str, asyncio.Lock] = {}
        """For each topic, held by the first letter of a partition."""

    async def send(self, topic: LetterTopic, record: Record, reason: Reason) -> None:
        """Writes one letter and returns when Kafka has it; retries for as long as it takes. Raises
        HaltError(`held_topic_expires`) where the topic must keep its records and does not."""
        value = record.value()
        headers = [*(record.headers() or ()), *reason_headers(record, reason, time.time())]
        while True:
            error = await self._attempt(topic, record, value, headers)
            if error is None:
                if topic.retention_ms < 0 and topic.name not in self._known:
                    await self._partitions(topic)  # this letter made it, perhaps with an expiry
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
                self._known[topic.name] = asyncio.get_running_loop().create_task(self._look(topic))
            found = await asyncio.shield(self._known[topic.name])
            if isinstance(found, HaltError):
                raise found
            if found is not None:
                return found
            await asyncio.sleep(RETRY_SECONDS)

    async def _look(self, topic: LetterTopic) -> int | HaltError | None:
        """Looks at the topic for all who wait for it, and tells once what is wrong. Only that it is there is kept."""
        found: int | HaltError | None = None
        try:
            found = await asyncio.to_thread(open_topic, self._admin, topic, self._log)
        except HaltError as error:
            found = error
        except (KafkaException, TimeoutError) as exception:
            self._log("topic_not_seen", topic=topic.name, code=code_of(exception))
        if not isinstance(found, int) or not found:
            del self._known[topic.name]
        return found

    def close(self) -> None:
        """Ends the poll thread. Letters that are not acknowledged are not settled either: they are written again."""
        self._producer.close()

    async def _attempt(
        self, topic: LetterTopic, record: Record, value: bytes | None, headers: list[Header]
    ) -> KafkaError | None:
        """Writes it once, in its turn."""
        partition = await self._partition(topic, record)
        if not self._has_begun(topic.name, partition):
            beginning = self._beginning.setdefault(topic.name, asyncio.Lock())
            await beginning.acquire()
            first: asyncio.Task[KafkaError | None] | None = None
            try:
                partition = await self._partition(topic, record)  # an earlier letter may have brought the topic about
                if not self._has_begun(topic.name, partition):
                    writing = self._produce(topic.name, partition, record.key(), value, headers)
                    first = asyncio.get_running_loop().create_task(writing)
                    first.add_done_callback(lambda _: beginning.release())
                    return await asyncio.shield(first)  # under way, whether its sender still waits or not
            finally:
                if first is None:
                    beginning.release()
        return await self._produce(topic.name, partition, record.key(), value, headers)

    async def _partition(self, topic: LetterTopic, record: Record) -> int:
        """Where it goes; -1 = wherever librdkafka puts it, since the topic is not seen."""
        count = await self._partitions(topic)
        return (record.partition() or 0) % count if count else -1

    def _has_begun(self, topic: str, partition: int) -> bool:
        last = self._begun.get((topic, partition))
        return last is not None and asyncio.get_running_loop().time() - last < FORGOTTEN_SECONDS

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
            self._begun.clear()  # another client may come, or another topic of this name
        elif partition >= 0 and self._producer.is_present(client):
            self._begun[topic, partition] = loop.time()
        return error


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
