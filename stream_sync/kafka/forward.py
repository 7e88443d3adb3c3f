"""Reads a topic forward from offsets given to its end, and on from there as often as asked.

Invariants:
- No group is joined: partitions are assigned by hand. Only committed records are seen, whatever the config says.
- The end is that of the moment of asking. What comes with its last records but is newer is given as well.
- Offsets that retention took meanwhile are gaps like any other.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar, cast

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from stream_sync.errors import StreamSyncError
from stream_sync.kafka.questions import not_there, unread
from stream_sync.model import Record

Answer = TypeVar("Answer")
Line = TypeVar("Line")

TIMEOUT = 10.0
MOST_RECORDS = 1000
POLL_SECONDS = 0.2
LAST_SECONDS = 2.0
"""How long the last record of a partition may take to come."""


class Bounds(NamedTuple):
    """The offsets of one partition: the first one, and the next to be written."""

    low: int
    high: int


class Commit(NamedTuple):
    """What a group has committed of one partition: the next offset, and what is kept with it."""

    offset: int
    metadata: str | None


class Forward:
    """One pass over some partitions of a topic. Used by one task at a time."""

    def __init__(self, properties: Mapping[str, Any], topic: str, group: str) -> None:
        """`properties`: those of a lane's consumer. `group` is joined by nobody here: it is for what is committed."""
        own = {"group.id": group, "isolation.level": "read_committed", "error_cb": lambda _error: None}
        self.consumer = Consumer({**properties, **own})
        self.topic = topic
        self.positions: dict[int, int] = {}
        """Partition to the next offset to be read."""
        self._ends: dict[int, int] = {}

    async def bounds(self) -> dict[int, Bounds]:
        """Of every partition; none where the topic is not there. Raises StreamSyncError."""
        return await self._ask(self._bounds)

    async def existing(self) -> dict[int, Bounds]:
        """As `bounds`, of a topic that has to be there. Raises StreamSyncError where it is not."""
        bounds = await self.bounds()
        if not bounds:
            raise StreamSyncError(not_there(self.topic))
        return bounds

    async def start(self, starts: Mapping[int, int]) -> None:
        """Begins at these offsets, or at the first one there still is."""
        self.positions = dict(starts)
        await self._ask(self._assign)

    async def starts(self, since_ms: int | None = None) -> dict[int, int]:
        """Partition to its first offset, or to the first one of a record that is not older than `since_ms`
        (milliseconds since the epoch, by the records' own times in Kafka)."""
        bounds = await self.bounds()
        if since_ms is None or not bounds:
            return {number: bound.low for number, bound in bounds.items()}
        return await self._ask(lambda: self._starts(since_ms, bounds))

    async def committed(self) -> dict[int, Commit]:
        """What the group has committed, of the partitions where it has. Raises StreamSyncError."""
        bounds = await self.bounds()
        return await self._ask(lambda: self._committed(bounds)) if bounds else {}

    async def commit(self, commits: Mapping[int, Commit]) -> None:
        """Commits for the group, which must have no members. Raises StreamSyncError."""
        places = [
            TopicPartition(self.topic, number, each.offset, each.metadata or "") for number, each in commits.items()
        ]
        if places:
            await self._ask(lambda: self.consumer.commit(offsets=places, asynchronous=False))

    async def to_end(self) -> AsyncIterator[list[Record]]:
        """The records from where it stands to the end as of now; sometimes none at a time. Raises StreamSyncError."""
        if not self.positions:
            return
        now = await self.bounds()
        self._ends = {
            number: now[number].high for number, at in self.positions.items() if number in now and at < now[number].high
        }
        while self._ends:
            yield await self._ask(self._take)

    async def close(self) -> None:
        """Closes the client."""
        await asyncio.to_thread(self.consumer.close)

    async def _ask(self, call: Callable[[], Answer]) -> Answer:
        try:
            return await asyncio.to_thread(call)
        except KafkaException as exception:
            raise unread(self.topic, exception) from exception

    def _bounds(self) -> dict[int, Bounds]:
        found = self.consumer.list_topics(self.topic, timeout=TIMEOUT).topics.get(self.topic)
        if found is None or found.error is not None:
            return {}
        places = {number: TopicPartition(self.topic, number) for number in sorted(found.partitions)}
        return {
            number: Bounds(*self.consumer.get_watermark_offsets(place, timeout=TIMEOUT))
            for number, place in places.items()
        }

    def _starts(self, since_ms: int, bounds: Mapping[int, Bounds]) -> dict[int, int]:
        asked = [TopicPartition(self.topic, number, since_ms) for number in bounds]
        found = self.consumer.offsets_for_times(asked, timeout=TIMEOUT)
        return {
            place.partition: place.offset
            if place.offset >= 0
            else self._end_or_start(place.partition, since_ms, bounds)
            for place in found
        }

    def _end_or_start(self, number: int, since_ms: int, bounds: Mapping[int, Bounds]) -> int:
        """Where no record is said to be young enough: the end, or the start where the last record says otherwise, as
        it does at brokers that do not look records up by time (librdkafka's mock cluster)."""
        low, high = bounds[number]
        if low == high:
            return high
        self.consumer.assign([TopicPartition(self.topic, number, high - 1)])
        last = [each for each in self.consumer.consume(1, LAST_SECONDS) if each.error() is None]
        return low if last and last[0].timestamp()[1] >= since_ms else high

    def _committed(self, partitions: Iterable[int]) -> dict[int, Commit]:
        asked = [TopicPartition(self.topic, number) for number in partitions]
        found = self.consumer.committed(asked, timeout=TIMEOUT)
        return {place.partition: Commit(place.offset, place.metadata) for place in found if place.offset >= 0}

    def _assign(self) -> None:
        bounds = self._bounds()
        self.positions = {number: max(at, bounds[number].low) for number, at in self.positions.items()}
        self.consumer.assign([TopicPartition(self.topic, number, at) for number, at in self.positions.items()])

    def _take(self) -> list[Record]:
        messages = self.consumer.consume(MOST_RECORDS, POLL_SECONDS)
        records = cast(list[Record], [message for message in messages if message.error() is None])
        last = {record.partition(): record.offset() for record in records}  # in order within a partition
        for number, offset in last.items():
            if number in self.positions and offset is not None:
                self._reached(number, offset + 1)
        if len(records) != len(messages):
            for message in messages:
                self._note(message)
        return records

    def _note(self, message: Message) -> None:
        error, number, offset = message.error(), message.partition(), message.offset()
        if error is None or number is None or number not in self.positions:
            return
        code = error.code()
        if code == KafkaError._PARTITION_EOF and offset is not None:
            self._reached(number, offset)
        elif code == KafkaError._AUTO_OFFSET_RESET:
            low = self._bounds()[number].low
            self.consumer.seek(TopicPartition(self.topic, number, low))
            self._reached(number, low)
        elif code != KafkaError._PARTITION_EOF and not error.retriable():
            raise KafkaException(error)

    def _reached(self, number: int, position: int) -> None:
        self.positions[number] = max(position, self.positions[number])
        if self.positions[number] >= self._ends.get(number, 0):
            self._ends.pop(number, None)


async def lines(forward: Forward, decoder: msgspec.json.Decoder[Line], since_ms: int | None) -> AsyncIterator[Line]:
    """What a topic of `telling` has, from a time on where one is given (as `starts`). What is somebody else's record is
    skipped. Raises StreamSyncError."""
    await forward.start(await forward.starts(since_ms))
    async for records in forward.to_end():
        for record in records:
            try:
                yield decoder.decode(record.value() or b"")
            except (msgspec.DecodeError, RecursionError):
                continue
