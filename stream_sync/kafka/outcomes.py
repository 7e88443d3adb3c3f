"""The topic of outcomes, opt-in: what became of every intent, for `explain` and for whoever reads the topic.

Invariants:
- Nobody waits for it: `add` returns at once, records are written in batches. Where Kafka does not take them they are
  dropped, and counted to whoever asked for them; at most MOST_WAITING are in memory.
- No record holds a value or an identifier: a person is a keyed hash.
- A record goes to the partition number of its source record where the topic has it, so that one row's are in order.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import msgspec
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from stream_sync.kafka.forward import Forward
from stream_sync.kafka.letters import LetterTopic, open_topic

RETENTION_MS = 7 * 24 * 3600 * 1000
FLUSH_SECONDS = 0.2
MOST_AT_ONCE = 1000
MOST_WAITING = 20_000
RETRY_SECONDS = 1.0
CLOSE_SECONDS = 2.0
OWN_PROPERTIES = {
    "acks": 1,
    "enable.idempotence": False,
    "linger.ms": 50,
    "compression.type": "lz4",
    "queue.buffering.max.kbytes": 8192,
    "delivery.report.only.error": True,
}
"""What is lost here was delivered all the same, so it may be cheap."""


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """One record of the topic: what became of one intent."""

    at: str
    """UTC, ISO 8601, with milliseconds."""
    activation: str
    topic: str
    partition: int
    offsets: tuple[int, ...]
    """Of every source record that was merged, in order."""
    merged_into: int
    """The newest of them: the one that stands for all."""
    outcome: str
    """delivered, ignored, rejected or parked."""
    kind: str | None = None
    """insert, update or delete; none where the record became no intent."""
    code: str | None = None
    """Why, where it was not delivered."""
    endpoint: str | None = None
    status: int | str | None = None
    """Of the request that settled it: an HTTP status, or the word for a failure."""
    requests: tuple[tuple[str, int | str], ...] = ()
    """All requests of that call, where there were more than one: endpoint and status."""
    identified_by: str | None = None
    person: str | None = None
    """A keyed hash of the identifier, see docs/explain.md."""


class OutcomeLog:
    """The producer of all outcomes of this process. Used inside one running event loop."""

    def __init__(self, properties: Mapping[str, Any], admin: Mapping[str, Any], log: Callable[..., None]) -> None:
        self._properties = {**properties, **OWN_PROPERTIES}
        self._admin = dict(admin)
        self._log = log
        self._producer: Producer | None = None
        self._stopping = threading.Event()
        self._waiting: list[tuple[LetterTopic, Callable[[int], None], Told]] = []
        self._known: dict[str, int] = {}
        """Topic to how many partitions it has."""
        self._opening: dict[str, asyncio.Task[None]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, topic: LetterTopic, told: Told, lost: Callable[[int], None]) -> None:
        """Takes one outcome. `lost(n)` is called, in this loop, for n that could not be written."""
        if len(self._waiting) >= MOST_WAITING:
            lost(1)
            return
        self._waiting.append((topic, lost, told))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._flush)
        elif len(self._waiting) % MOST_AT_ONCE == 0 and topic.name in self._known:
            self._flush()

    async def close(self) -> None:
        """Writes what waits, within a bounded time."""
        self._flush()
        if opening := tuple(self._opening.values()):
            await asyncio.wait(opening, timeout=CLOSE_SECONDS)
            for each in opening:
                each.cancel()
        self._stopping.set()
        if self._producer is not None:
            await asyncio.to_thread(self._producer.flush, CLOSE_SECONDS)

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, []
        by_topic: dict[str, list[tuple[LetterTopic, Callable[[int], None], Told]]] = {}
        for each in waiting:
            by_topic.setdefault(each[0].name, []).append(each)
        for name, entries in by_topic.items():
            if name in self._known:
                self._write(name, self._known[name], entries)
            else:
                self._waiting += entries
                self._open(entries[0][0])

    def _write(
        self, topic: str, partitions: int, entries: Sequence[tuple[LetterTopic, Callable[[int], None], Told]]
    ) -> None:
        loop, lost = asyncio.get_running_loop(), entries[0][1]

        def failed(error: KafkaError | None, _message: Message) -> None:
            if error is not None:
                with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is there to be told
                    loop.call_soon_threadsafe(lost, 1)

        messages = [
            {
                "key": told.person,
                "value": _encode(told),
                "partition": told.partition if told.partition < partitions else -1,
            }
            for _, _, told in entries
        ]
        try:
            taken = self._client().produce_batch(topic, messages, on_delivery=failed)
        except (BufferError, KafkaException):
            taken = 0
        if taken < len(messages):
            lost(len(messages) - taken)

    def _open(self, topic: LetterTopic) -> None:
        if topic.name not in self._opening:
            self._opening[topic.name] = asyncio.get_running_loop().create_task(self._look_up(topic))

    async def _look_up(self, topic: LetterTopic) -> None:
        while topic.name not in self._known:
            try:
                self._known[topic.name] = await asyncio.to_thread(open_topic, self._admin, topic, self._log)
            except (KafkaException, TimeoutError):
                await asyncio.sleep(RETRY_SECONDS)
        del self._opening[topic.name]
        self._flush()

    def _client(self) -> Producer:
        if self._producer is None:
            self._producer = Producer(self._properties)
            threading.Thread(target=self._poll, args=(self._producer,), name="kafka-outcomes", daemon=True).start()
        return self._producer

    def _poll(self, producer: Producer) -> None:
        while not self._stopping.is_set():
            producer.poll(0.1)


def topic_of(name: str, activation: str) -> str:
    """The outcomes topic of an activation."""
    return f"{name}.{activation}.outcomes"


async def outcomes(forward: Forward, since_ms: int | None) -> AsyncIterator[Told]:
    """What an outcomes topic tells, from a time on where one is given. `forward`: of that topic."""
    await forward.start(await forward.starts(since_ms))
    async for records in forward.to_end():
        for record in records:
            try:
                yield _decoder.decode(record.value() or b"")
            except (msgspec.DecodeError, RecursionError):  # somebody else's record
                continue


_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(Told)
