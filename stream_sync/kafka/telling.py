"""Topics that are told something beside the work (outcomes, warnings): nobody waits for it, nothing depends on it.

Invariants:
- `add` returns at once, records are written in batches. Where Kafka does not take them they are dropped, and counted to
  whoever asked for them; at most MOST_WAITING are in memory.
- A record goes to the partition number of its source record where the topic has it, so that one row's are in order.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec
from confluent_kafka import KafkaError, KafkaException, Message

from stream_sync.kafka.lasting import LastingProducer
from stream_sync.kafka.letter_topics import LetterTopic, open_topic

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
"""What is lost here was done all the same, so it may be cheap."""


class Line(Protocol):
    """What is told: a msgspec struct, written as JSON."""

    @property
    def partition(self) -> int: ...
    @property
    def row(self) -> str | None:
        """The record's key: equal for what belongs together."""


class Telling:
    """A producer of this process. Used inside one running event loop."""

    def __init__(self, properties: Mapping[str, Any], admin: Mapping[str, Any], log: Callable[..., None]) -> None:
        self._producer = LastingProducer({**properties, **OWN_PROPERTIES}, "kafka-telling")
        self._admin = dict(admin)
        self._log = log
        self._waiting: list[tuple[LetterTopic, Callable[[int], None], Line]] = []
        self._known: dict[str, int] = {}
        """Topic to how many partitions it has."""
        self._opening: dict[str, asyncio.Task[None]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, topic: LetterTopic, told: Line, lost: Callable[[int], None]) -> None:
        """Takes one record. `lost(n)` is called, in this loop, for n that could not be written."""
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
        self._producer.close()
        await asyncio.to_thread(self._producer.flush, CLOSE_SECONDS)

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, []
        by_topic: dict[str, list[tuple[LetterTopic, Callable[[int], None], Line]]] = {}
        for each in waiting:
            by_topic.setdefault(each[0].name, []).append(each)
        for name, entries in by_topic.items():
            if name in self._known:
                self._write(name, self._known[name], entries)
            else:
                self._waiting += entries
                self._open(entries[0][0])

    def _write(
        self, topic: str, partitions: int, entries: Sequence[tuple[LetterTopic, Callable[[int], None], Line]]
    ) -> None:
        loop, lost = asyncio.get_running_loop(), entries[0][1]

        def failed(error: KafkaError | None, _message: Message) -> None:
            if error is not None:
                with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is there to be told
                    loop.call_soon_threadsafe(lost, 1)
                    loop.call_soon_threadsafe(self._producer.failed, client, error)

        messages = [
            {
                "key": told.row,
                "value": _encode(told),
                "partition": told.partition if told.partition < partitions else -1,
            }
            for _, _, told in entries
        ]
        try:
            client = self._producer.client
            taken = client.produce_batch(topic, messages, on_delivery=failed)
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


_encode = msgspec.json.Encoder().encode
