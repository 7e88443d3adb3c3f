"""A producer that lasts: librdkafka can lose sight of all brokers for good, and is then replaced.

Invariants:
- From 2.10 on librdkafka forgets every broker when one of them names none in an answer about the cluster, as the first
  that is back after an outage may, and never asks anybody again: https://github.com/confluentinc/librdkafka/issues/5301.
- What the old client had taken it still answers for, as timed out at the latest: it is polled until then.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaError, Producer

POLL_SECONDS = 0.1
LAST_SECONDS = 1.0
"""How long the thread waits, at the end, for what is still under way."""


class LastingProducer:
    """A producer of this process, polled by a thread of its own. Used by the event loop; `flush` by any
    thread."""

    def __init__(self, properties: Mapping[str, Any], name: str) -> None:
        """`name`: of the thread."""
        self._properties = dict(properties)
        self._name = name
        self._producer: Producer | None = None
        self._stopping = threading.Event()

    @property
    def client(self) -> Producer:
        """Made at the first use; another one after `failed`."""
        if self._producer is None:
            self._producer = Producer(self._properties)
            threading.Thread(target=self._poll, args=(self._producer,), name=self._name, daemon=True).start()
        return self._producer

    def is_present(self, client: Producer) -> bool:
        """Whether it was not replaced."""
        return client is self._producer

    def failed(self, client: Producer, error: KafkaError) -> None:
        """A record that `client` took was not delivered: where it waited for the whole `message.timeout.ms`, the next
        ones get another client."""
        if error.code() == KafkaError._MSG_TIMED_OUT and self.is_present(client):
            self._producer = None

    def flush(self, seconds: float) -> None:
        """Waits for what is under way, at most so long."""
        producer = self._producer
        if producer is not None:
            producer.flush(seconds)

    def close(self) -> None:
        """Ends the thread, soon."""
        self._stopping.set()

    def _poll(self, producer: Producer) -> None:
        while not self._stopping.is_set() and (producer is self._producer or len(producer)):
            producer.poll(POLL_SECONDS)
        producer.flush(LAST_SECONDS)
