"""What every test may ask for: a real Kafka, started once a run, and names of its own on it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.rig.client import Kafka
from tests.rig.jars import MissingToolError
from tests.rig.redis_server import NoRedisError, RedisServer
from tests.rig.server import KafkaServer

# What an example takes of the clock is the machine's, and the same examples each time are no dice of a run.
settings.register_profile(
    "tests", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("tests")

# All that tests ask over HTTP is on this machine, whatever proxy the environment names for the rest.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "localhost,127.0.0.1"


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka]:
    """A broker for the whole run: the one that `KAFKA_BOOTSTRAP` names, or one of our own."""
    if running := os.environ.get("KAFKA_BOOTSTRAP"):
        yield Kafka(running)
        return
    # Nobody kills it, so that its sessions may be long: one that stood still for a while is not fenced for that.
    with KafkaServer({"broker.session.timeout.ms": "60000"}) as server:
        yield Kafka(server.bootstrap)


@pytest.fixture
def prefix() -> str:
    """A name that no other test has: for topics, groups and configs on the shared broker."""
    return f"t{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A Redis for the whole run, whose data are the tests' alone: the one that `REDIS_URL` names, or one of our own."""
    if running := os.environ.get("REDIS_URL"):
        yield running
        return
    try:
        server = RedisServer()
    except (NoRedisError, MissingToolError) as error:
        pytest.skip(str(error))
    with server:
        yield server.url
