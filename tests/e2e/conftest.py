"""What the tests of the whole service may ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stream_sync.sandbox.server import Sandbox
from tests.e2e.stage import Stage
from tests.rig.client import Kafka


@pytest.fixture
async def stage(kafka: Kafka, prefix: str, tmp_path: Path) -> AsyncIterator[Stage]:
    """A table, its topic (not created yet), a workspace and the config of a mirror between them."""
    async with Sandbox(journal=True) as sandbox:
        yield Stage(kafka, prefix, sandbox, tmp_path)
