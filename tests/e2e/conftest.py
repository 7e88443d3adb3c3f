"""What the tests of the whole service may ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.members import SESSION, Members
from tests.e2e.stage import ACTIVATION, Stage
from tests.oracle.destination import Oracle
from tests.rig.client import Kafka


@pytest.fixture
async def stage(kafka: Kafka, prefix: str, tmp_path: Path) -> AsyncIterator[Stage]:
    """A table, its topic (not created yet), the oracle's account and the config of a mirror between them. Whatever a
    test is about, in the end the oracle has its say."""
    async with Oracle() as oracle:
        stage = Stage(kafka, prefix, oracle, tmp_path)
        yield stage
        assert stage.verdict.violations == []


@pytest.fixture
async def members(stage: Stage) -> AsyncIterator[Members]:
    """Processes of the service; their sessions are short."""
    stage.config["kafka"] |= {
        "session.timeout.ms": int(SESSION * 1000),
        "heartbeat.interval.ms": 200,
        "max.poll.interval.ms": 3000,
    }
    stage.activation["batch"] = {"max_records": 5, "max_wait": "20ms"}
    async with Members(stage.folder, stage.config, {ACTIVATION: stage.journal}) as members:
        yield members
