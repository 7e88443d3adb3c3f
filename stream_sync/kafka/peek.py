"""Reads some of a topic's records, for commands that only look: the oldest and the newest of every partition.

Invariants:
- No group is joined and nothing is committed: partitions are assigned by hand, at offsets given.
- Bounded by a number of records and by time; what was read until then is returned.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from stream_sync.errors import StreamSyncError
from stream_sync.kafka import questions
from stream_sync.model import Record


class Span(NamedTuple):
    """Offsets of one partition; `end` is not in it."""

    partition: int
    start: int
    end: int


def peek(properties: Mapping[str, Any], topic: str, group: str, most: int, seconds: float) -> list[Record]:
    """Up to about `most` records, in no order. `group` is not used: the client library asks for a name. `seconds`: for
    each question about the topic, and for all records.

    Raises StreamSyncError where the broker does not answer or the topic cannot be read.
    """
    consumer = Consumer({**properties, "group.id": group, "error_cb": lambda _error: None})
    try:
        ends = _ends(consumer, topic, seconds)
        share = max(2, most // max(1, len(ends)))
        deadline = time.monotonic() + seconds
        heads = [head for low_high in ends if (head := _head(low_high, share)) is not None]
        tails = [tail for low_high in ends if (tail := _tail(low_high, share)) is not None]
        return [record for spans in (heads, tails) for record in _read(consumer, topic, spans, deadline)]
    except KafkaException as exception:
        raise questions.unread(topic, exception) from exception
    finally:
        consumer.close()


def _ends(consumer: Consumer, topic: str, seconds: float) -> list[Span]:
    partitions = questions.count_partitions(consumer, topic, seconds)
    if not partitions:
        raise StreamSyncError(questions.not_there(topic))
    return [Span(number, *questions.bounds(consumer, topic, number, seconds)) for number in range(partitions)]


def _head(span: Span, share: int) -> Span | None:
    """The oldest half of a partition's share; all of the partition where it has no more than the share."""
    length = span.end - span.start
    end = span.end if length <= share else span.start + share // 2
    return Span(span.partition, span.start, end) if length else None


def _tail(span: Span, share: int) -> Span | None:
    """The newest half; None where the head is all."""
    return Span(span.partition, span.end - share // 2, span.end) if span.end - span.start > share else None


def _read(consumer: Consumer, topic: str, spans: list[Span], deadline: float) -> list[Record]:
    records: list[Record] = []
    ends = {span.partition: span.end for span in spans}
    consumer.assign([TopicPartition(topic, span.partition, span.start) for span in spans])
    while ends and time.monotonic() < deadline:
        for message in consumer.consume(500, 0.2):
            partition, offset, error = message.partition(), message.offset(), message.error()
            if partition not in ends:
                continue
            # Compaction and transactions leave gaps: the end comes as a record beyond it or as an event.
            if error is None and offset is not None and offset < ends[partition]:
                records.append(cast(Record, message))
                if offset + 1 < ends[partition]:
                    continue
            elif error is not None and error.code() not in (KafkaError._PARTITION_EOF, KafkaError._AUTO_OFFSET_RESET):
                raise KafkaException(error)
            del ends[partition]
    return records
