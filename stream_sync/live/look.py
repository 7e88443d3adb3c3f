"""Looks at everything that a config names, at once: Kafka, the schema registry, each destination, the state.

Invariants: nothing is changed anywhere; each question waits for SECONDS at most; no finding holds a secret.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from stream_sync.config.secrets import secrets_in
from stream_sync.config.settings import Config
from stream_sync.live.accounts import LookedAtRegistry, look_at_destination
from stream_sync.live.findings import Finding
from stream_sync.live.states import look_at_state
from stream_sync.live.topics import look_at_kafka
from stream_sync.observability.redaction import Redaction


async def look(config: Config) -> list[Finding]:
    """All that was found, each once."""
    settings = config.schema_registry
    may_be_avro = any(source.encoding != "json" for source in config.sources.values())
    registry = LookedAtRegistry(settings) if settings is not None and may_be_avro else None
    looks: list[Awaitable[list[Finding]]] = [look_at_kafka(config, registry)]
    looks += [look_at_destination(name, destination) for name, destination in config.destinations.items()]
    if config.state is not None:
        looks.append(look_at_state(config.state))
    if registry is not None:
        looks.append(registry.look())
    try:
        parts = await asyncio.gather(*looks)
    finally:
        if registry is not None:
            await registry.schemas.close()
    redaction = Redaction()
    for secret in secrets_in(config):
        redaction.add(secret.reveal())
    found = dict.fromkeys(finding for part in parts for finding in part)
    return [finding._replace(message=redaction.of(finding.message)) for finding in found]
