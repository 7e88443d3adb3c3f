"""Whether a topic forgets: compaction keeps only the newest record of a key, and the changes between are told no more.

Invariant: only asks; the answer is the topic's own `cleanup.policy`, whoever set it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource

TIMEOUT = 3.0


def is_compacted(properties: Mapping[str, Any], topic: str) -> bool:
    """Blocks for TIMEOUT seconds at most. Raises KafkaException or TimeoutError where the broker does not say."""
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    admin = AdminClient(dict(properties))  # to be kept until the answer is here
    answer = admin.describe_configs([resource], request_timeout=TIMEOUT)[resource]
    return "compact" in str(answer.result(TIMEOUT)["cleanup.policy"].value)


def compacted_or_unknown(properties: Mapping[str, Any], topic: str) -> bool | None:
    """As `is_compacted`; None where the broker does not say."""
    try:
        return is_compacted(properties, topic)
    except (KafkaException, TimeoutError):
        return None
