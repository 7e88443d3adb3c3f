"""The yardstick: the loop that most people write first and that does nothing yet. Every record is consumed and decoded
once, with default settings; no mapping, no order, no delivery.
`python -m tests.bench.naive BOOTSTRAP TOPIC RECORDS json|json-schema|avro [REGISTRY]`.
"""

from __future__ import annotations

import sys
import urllib.request
import uuid
from collections.abc import Callable
from io import BytesIO
from typing import Any

import msgspec
from confluent_kafka import Consumer, KafkaException
from fastavro import parse_schema, schemaless_reader

Decode = Callable[[bytes], Any]


def read(bootstrap: str, topic: str, records: int, decode: Decode) -> None:
    """Returns when so many records are decoded, and not before the group has its partitions."""
    assigned = False

    def on_assign(_consumer: Consumer, _partitions: object) -> None:
        nonlocal assigned
        assigned = True

    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": f"naive-{uuid.uuid4().hex}", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic], on_assign=on_assign)
    seen = 0
    while seen < records or not assigned:
        for message in consumer.consume(1000, 1.0):
            if (error := message.error()) is not None:
                raise KafkaException(error)
            if (value := message.value()) is not None:
                decode(value)
            seen += 1
    consumer.close()


def avro(registry: str) -> Decode:
    """Decodes with the schema that a record names, each fetched and parsed once."""
    schemas: dict[bytes, Any] = {}

    def decode(value: bytes) -> Any:
        prefix = value[:5]
        if (schema := schemas.get(prefix)) is None:
            address = f"{registry}/schemas/ids/{int.from_bytes(prefix[1:])}"
            with urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310  our own server's address
                schema = schemas[prefix] = parse_schema(
                    msgspec.json.decode(msgspec.json.decode(answer.read())["schema"])
                )
        reader = BytesIO(value)
        reader.seek(5)
        return schemaless_reader(reader, schema, None)

    return decode


if __name__ == "__main__":
    read(
        sys.argv[1], sys.argv[2], int(sys.argv[3]), avro(sys.argv[5]) if sys.argv[4] == "avro" else msgspec.json.decode
    )
