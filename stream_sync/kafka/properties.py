"""The librdkafka properties of the service's clients: its own choices, then what the config file hands through.

librdkafka's own lines go through a logger (`client_log`), as all lines of other libraries do, instead of straight to
stderr; a client gives them out when it is polled.

The memory bounds are measured (`tests/bench/memory.py`): librdkafka's defaults take 0.8-1.0 GB for three slow lanes;
these take a tenth of it at an unchanged rate, since a lane never has more than its backlog in memory. What is fetched
ahead is shared by the lanes of a process.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stream_sync.config.values import Secret
from stream_sync.kafka.client_log import client_log

FETCHED_AHEAD = (1024, 4096, 12_288)
"""kB: of one lane at least, at most, and of all lanes of a process together as long as each has its least."""

SHARED_DEFAULTS = {
    "client.id": "stream-sync",
    # Where the known brokers do not answer for so long, it begins again with the config's addresses; librdkafka's own
    # default is five minutes. It does not help where it knows no broker any more: see `lasting`.
    "metadata.recovery.rebootstrap.trigger.ms": 5000,
}

CONSUMER_DEFAULTS = {
    **SHARED_DEFAULTS,
    "queued.min.messages": 1000,
    "fetch.max.bytes": 1_048_576,
    "fetch.message.max.bytes": 131_072,
    "fetch.queue.backoff.ms": 5,
    "fetch.wait.max.ms": 100,
    "topic.metadata.refresh.interval.ms": 60_000,
}

OWNED = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "error",
    "partition.assignment.strategy": "cooperative-sticky",
}
"""What the service's promises rest on; the config refuses them."""

CONSUMER_ONLY = frozenset(
    {
        *(CONSUMER_DEFAULTS.keys() - SHARED_DEFAULTS.keys()),
        "queued.max.messages.kbytes",
        "session.timeout.ms",
        "heartbeat.interval.ms",
        "max.poll.interval.ms",
    }
)

PRODUCER_DEFAULTS = {
    **SHARED_DEFAULTS,
    "acks": "all",
    "enable.idempotence": True,
    "message.timeout.ms": 30_000,
    "linger.ms": 5,
    "queue.buffering.max.kbytes": 16_384,
}


def consumer_properties(kafka: Mapping[str, Any], lanes: int = 1) -> dict[str, Any]:
    """For the consumer of one of so many lanes; `group.id` and callbacks are the consumer's own."""
    least, most, together = FETCHED_AHEAD
    ahead = {"queued.max.messages.kbytes": max(least, min(most, together // max(1, lanes)))}
    return {**CONSUMER_DEFAULTS, **ahead, **_revealed(kafka), **OWNED, "logger": client_log(kafka)}


def producer_properties(kafka: Mapping[str, Any]) -> dict[str, Any]:
    """For the producer of dead letters."""
    shared = {name: value for name, value in _revealed(kafka).items() if name not in CONSUMER_ONLY}
    return {**PRODUCER_DEFAULTS, **shared, "logger": client_log(kafka)}


def admin_properties(kafka: Mapping[str, Any]) -> dict[str, Any]:
    """For the client that creates and describes topics."""
    shared = {name: value for name, value in _revealed(kafka).items() if name not in CONSUMER_ONLY}
    return {**SHARED_DEFAULTS, **shared, "logger": client_log(kafka)}


def _revealed(kafka: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.reveal() if isinstance(value, Secret) else value for name, value in kafka.items()}
