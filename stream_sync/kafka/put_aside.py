"""The letters of an activation as they are read back: where their records come from, why, and which are done with.

Invariants:
- What is done with is committed for the group that has the topic's name; nobody is a member of it.
- Of a record only what identifies it is kept: its place, its key and a hash of its value. The record itself is read
  again where it is asked for.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

import msgspec
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from stream_sync.errors import StreamSyncError
from stream_sync.kafka.forward import TIMEOUT, Forward
from stream_sync.kafka.marks import Marks, decode
from stream_sync.model import Record

OWN_HEADERS = ("__connect.errors.", "stream_sync.")


class Letter(msgspec.Struct, frozen=True, gc=False):
    """One letter. `partition` and `offset` are its own, `source_…` those of the record that it keeps."""

    partition: int
    offset: int
    source_topic: str
    source_partition: int
    source_offset: int
    key: bytes | None
    digest: bytes | None
    """SHA-256 of the record's value; None for a null value."""
    code: str
    stage: str
    message: str
    status: str
    attempts: str
    failed_at: str
    """UTC, `2026-11-22T10:26:12Z`."""
    is_open: bool = True
    """Whether nobody has replayed, released or discarded it."""
    is_cut: bool = False
    """Whether it was too big for the broker, so that it has no value."""

    @property
    def row(self) -> tuple[int, bytes | None]:
        """Of which row of the source it is: its partition and its key."""
        return self.source_partition, self.key


class Kept:
    """A letter's record as it was consumed from the source; see `model.Record`."""

    def __init__(self, letter: Letter, record: Record) -> None:
        self._letter, self._record = letter, record

    def topic(self) -> str | None:
        return self._letter.source_topic

    def partition(self) -> int | None:
        return self._letter.source_partition

    def offset(self) -> int | None:
        return self._letter.source_offset

    def key(self) -> bytes | None:
        return self._letter.key

    def value(self) -> bytes | None:
        return self._record.value()

    def headers(self) -> Sequence[tuple[str, bytes | None]] | None:
        return [header for header in self._record.headers() or () if not header[0].startswith(OWN_HEADERS)]

    def timestamp(self) -> tuple[int, int]:
        return self._record.timestamp()


class PutAside:
    """The dead-letter topic or the held topic of one activation."""

    def __init__(self, properties: Mapping[str, Any], admin: Mapping[str, Any], topic: str) -> None:
        """`properties`: those of a lane's consumer."""
        self.topic = topic
        self._admin = dict(admin)
        self._properties = properties
        self.ends: dict[int, int] = {}
        """The ends that `read` read to."""
        self.marks: dict[int, Marks] = {}
        """What was done with as of `read`."""

    async def read(self, *, done: bool = False) -> AsyncGenerator[tuple[Letter, Record], None]:
        """The letters there are now, oldest first in each partition; those that are done with as well if `done`."""
        forward = Forward(self._properties, self.topic, self.topic)
        try:
            bounds = await forward.bounds()
            self.ends = {number: bound.high for number, bound in bounds.items()}
            self.marks = await self._committed(forward)
            await forward.start({number: 0 if done else marks.before for number, marks in self.marks.items()})
            async for records in forward.to_end():
                for record in records:
                    number, offset = record.partition(), record.offset()
                    if number is None or offset is None or offset >= self.ends[number]:
                        continue
                    is_open = not self.marks[number].has(offset)
                    if (is_open or done) and (letter := letter_of(record, is_open=is_open)) is not None:
                        yield letter, record
        finally:
            await forward.close()

    async def count(self) -> int:
        """How many letters are open, as offsets tell: gaps in them count."""
        forward = Forward(self._properties, self.topic, self.topic)
        try:
            bounds = await forward.bounds()
            marks = await self._committed(forward)
            return sum(marks[number].open_between(bound.low, bound.high) for number, bound in bounds.items())
        finally:
            await forward.close()

    async def record(self, partition: int, offset: int) -> tuple[Letter, Record] | None:
        """One letter with its record; None where it is not there."""
        forward = Forward(self._properties, self.topic, self.topic)
        try:
            bounds = await forward.bounds()
            if partition not in bounds or not bounds[partition].low <= offset < bounds[partition].high:
                return None
            marks = (await self._committed(forward))[partition]
            await forward.start({partition: offset})
            async for records in forward.to_end():
                for record in records:
                    if record.offset() == offset and (letter := letter_of(record, is_open=not marks.has(offset))):
                        return letter, record
            return None
        finally:
            await forward.close()

    async def mark(self, marks: Mapping[int, Marks]) -> None:
        """Commits what is done with. Raises StreamSyncError."""
        forward = Forward(self._properties, self.topic, self.topic)
        places = [TopicPartition(self.topic, number, m.before, m.encode()) for number, m in marks.items()]
        try:
            if places:
                await asyncio.to_thread(forward.consumer.commit, offsets=places, asynchronous=False)
        except KafkaException as exception:
            code = exception.args[0].name()
            raise StreamSyncError(
                f"what was done cannot be marked in group {self.topic!r} ({code}): nothing is lost, run it again"
            ) from exception
        finally:
            await forward.close()

    async def erase(self, ends: Mapping[int, int]) -> str | None:
        """Deletes the letters before these offsets from the topic, where the broker lets us; else why it does not.

        A group without members forgets what it has committed after a week (`offsets.retention.minutes`)."""
        return await asyncio.to_thread(self._erase, ends)

    def _erase(self, ends: Mapping[int, int]) -> str | None:
        places = [TopicPartition(self.topic, number, end) for number, end in ends.items() if end > 0]
        admin = AdminClient(self._admin)  # a client that nobody holds answers nothing
        try:
            answers = admin.delete_records(places, request_timeout=TIMEOUT) if places else {}
            for answer in answers.values():
                answer.result(TIMEOUT)
        except KafkaException as exception:
            return str(exception.args[0].name())
        except TimeoutError:
            return "timed out"
        return None

    async def _committed(self, forward: Forward) -> dict[int, Marks]:
        places = [TopicPartition(self.topic, number) for number in self.ends or await forward.bounds()]
        if not places:
            return {}
        try:
            found = await asyncio.to_thread(forward.consumer.committed, places, timeout=TIMEOUT)
        except KafkaException as exception:
            code = exception.args[0].name()
            raise StreamSyncError(f"what group {self.topic!r} has committed cannot be read ({code})") from exception
        return {place.partition: decode(place.offset, place.metadata) for place in found}


def letter_of(record: Record, *, is_open: bool = True) -> Letter | None:
    """A letter as it was written; None for a record that is none."""
    headers = {name: (data or b"").decode(errors="replace") for name, data in record.headers() or ()}
    try:
        source = int(headers["__connect.errors.partition"]), int(headers["__connect.errors.offset"])
    except (KeyError, ValueError):
        return None
    value, digest = record.value(), headers.get("stream_sync.value_sha256")
    sha = None if value is None else hashlib.sha256(value).digest()
    try:
        sha = bytes.fromhex(digest) if digest else sha
    except ValueError:
        return None
    return Letter(
        partition=record.partition() or 0,
        offset=record.offset() or 0,
        source_topic=headers.get("__connect.errors.topic", ""),
        source_partition=source[0],
        source_offset=source[1],
        key=record.key(),
        digest=sha,
        code=headers.get("stream_sync.code", ""),
        stage=headers.get("__connect.errors.stage", ""),
        message=headers.get("__connect.errors.exception.message", ""),
        status=headers.get("stream_sync.status", ""),
        attempts=headers.get("stream_sync.attempts", ""),
        failed_at=headers.get("stream_sync.failed_at", ""),
        is_open=is_open,
        is_cut=bool(digest),
    )
