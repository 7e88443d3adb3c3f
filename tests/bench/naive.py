"""The yardstick: the loop that most people write first and that does nothing yet. Every record is consumed and decoded
once, with default settings; no mapping, no order, no delivery. `python -m tests.bench.naive BOOTSTRAP TOPIC RECORDS`.
"""

from __future__ import annotations

import sys
import uuid

import msgspec
from confluent_kafka import Consumer, KafkaException


def read(bootstrap: str, topic: str, records: int) -> None:
    """Returns when so many records are decoded, and not before the group has its partitions."""
    assigned = False

    def on_assign(_consumer: Consumer, _partitions: object) -> None:
        nonlocal assigned
        assigned = True

    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": f"naive-{uuid.uuid4().hex}", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic], on_assign=on_assign)
    decode = msgspec.json.decode
    seen = 0
    while seen < records or not assigned:
        for message in consumer.consume(1000, 1.0):
            if (error := message.error()) is not None:
                raise KafkaException(error)
            if (value := message.value()) is not None:
                decode(value)
            seen += 1
    consumer.close()


if __name__ == "__main__":
    read(sys.argv[1], sys.argv[2], int(sys.argv[3]))
