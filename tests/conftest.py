"""What every test may ask for: a real Kafka, started once a run, and names of its own on it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest

from tests.rig.client import Kafka
from tests.rig.server import KafkaServer


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka]:
    """A broker for the whole run: the one that `KAFKA_BOOTSTRAP` names, or one of our own."""
    if running := os.environ.get("KAFKA_BOOTSTRAP"):
        yield Kafka(running)
        return
    with KafkaServer() as server:
        yield Kafka(server.bootstrap)


@pytest.fixture
def prefix() -> str:
    """A name that no other test has: for topics, groups and configs on the shared broker."""
    return f"t{uuid.uuid4().hex[:12]}"
