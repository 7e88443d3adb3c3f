"""Whether librdkafka knows the properties of `kafka:` and takes their values. It is asked itself."""

from __future__ import annotations

from collections.abc import Mapping

from stream_sync.config.kafka_properties import Property
from stream_sync.config.problems import Report, nearest
from stream_sync.config.values import Secret
from stream_sync.kafka import librdkafka


def check_kafka(properties: Mapping[str, Property], report: Report) -> None:
    """Those that may be handed through at all."""
    for name, value in properties.items():
        match librdkafka.taken(name, _text(value)):
            case "unknown":
                near = nearest(name, librdkafka.known()) or "; see its CONFIGURATION.md"
                report.problem(("kafka", name), f"is no property of librdkafka{near}")
            case "wrong":
                report.problem(("kafka", name), "is no value that librdkafka takes; see its CONFIGURATION.md")


def _text(value: Property) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    return str(value).lower() if isinstance(value, bool) else str(value)
