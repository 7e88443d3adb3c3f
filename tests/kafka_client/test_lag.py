"""How far behind a lane is, while it goes on where an earlier process ended."""

from __future__ import annotations

import time
from collections.abc import Sequence

from confluent_kafka import Consumer, TopicPartition

from stream_sync.kafka.consumer import LaneConsumer
from stream_sync.kafka.offsets import Offsets
from stream_sync.kafka.properties import admin_properties, consumer_properties
from tests.rig.client import Kafka, Outgoing

LIMIT = 60.0


class Nobody:
    """A listener that takes nothing."""

    def assigned(self, offsets: Sequence[Offsets]) -> None: ...

    async def revoked(self, offsets: Sequence[Offsets], budget: float) -> None: ...

    def lost(self, offsets: Sequence[Offsets]) -> None: ...

    def committed(self, error: str | None) -> None: ...


async def test_a_partition_in_which_nothing_new_was_taken_counts_from_its_committed_offset(
    kafka: Kafka, prefix: str
) -> None:
    topic = kafka.create_topic(f"{prefix}.people")
    kafka.produce(topic, [Outgoing(b"k", b"{}")] * 5)
    settings = {"bootstrap.servers": kafka.bootstrap}
    earlier = Consumer({**settings, "group.id": prefix})
    earlier.commit(offsets=[TopicPartition(topic, 0, 3)], asynchronous=False)
    earlier.close()
    lane = LaneConsumer(
        consumer_properties(settings), topic, prefix, Nobody(), lambda *_: None, admin=admin_properties(settings)
    )
    try:
        await lane.start()
        deadline = time.monotonic() + LIMIT
        while not lane.assigned or await lane.lag() != 2:
            assert time.monotonic() < deadline
            await lane.take(10, 0.1)
    finally:
        await lane.close()
