"""Whether a group that is new to a topic has worked on another one: then its activation reads another source by now.

Invariants: asked only where the group has committed nothing of the topic; where Kafka does not say, it is taken as no.
"""

from __future__ import annotations

from confluent_kafka import Consumer, KafkaException, TopicPartition

from stream_sync.kafka.progress import decode

TIMEOUT = 10.0


def left_behind(consumer: Consumer, topic: str) -> str | None:
    """A topic of which the group has offsets of ours, although it has none of `topic`; None where there is none."""
    try:
        topics = consumer.list_topics(timeout=TIMEOUT).topics
        places = {
            name: [TopicPartition(name, number) for number in found.partitions]
            for name, found in topics.items()
            if not name.startswith("__")
        }
        own = places.pop(topic, [])
        if not own or any(place.offset >= 0 for place in consumer.committed(own, timeout=TIMEOUT)):
            return None
        others = [place for each in places.values() for place in each]
        found = consumer.committed(others, timeout=TIMEOUT) if others else []
    except KafkaException:
        return None
    ours = (place.topic for place in found if place.offset >= 0 and _is_ours(place.metadata))
    return next(ours, None)


def _is_ours(metadata: str | None) -> bool:
    progress = decode(metadata)
    return progress is not None and bool(progress.route)
