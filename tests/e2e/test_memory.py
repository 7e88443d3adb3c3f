"""Three lanes, slow destinations, and more in Kafka than fits in their backlogs: the service stays small."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from stream_sync.sandbox.faults import Faults
from stream_sync.sandbox.server import Sandbox
from tests.bench import memory
from tests.bench.contenders import RUN, config_of
from tests.bench.load import load
from tests.bench.place import Place
from tests.e2e.service import until
from tests.rig.client import Kafka

CHANGES, PEOPLE, LANES = 32_000, 26_000, 3


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's figures are read from /proc")
async def test_memory_is_bounded_with_full_backlogs(
    kafka: Kafka, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(RUN, prefix)
    load(kafka, prefix, "json", CHANGES, PEOPLE, seed=1)
    async with Sandbox(faults=Faults(latency=60.0)) as sandbox:
        place = Place(kafka.bootstrap, sandbox.url, "", "", tmp_path)
        addresses = sandbox.address("braze", prefix) + "-{}"
        config = memory.many_lanes(config_of(place, "json", prefix), LANES, "4/1s", addresses)
        path, log = tmp_path / "config.yaml", tmp_path / "service.log"
        path.write_text(json.dumps({**config, "name": prefix}))
        with memory.running([sys.executable, "-m", "stream_sync", "run", "-c", str(path)], log) as service:
            seen: list[float] = []
            metrics = ""

            def is_full() -> bool:
                nonlocal metrics
                seen.append(memory.rss(service.pid))
                if "admin_listening" not in log.read_text():
                    return False
                metrics = memory.scrape(log)
                return memory.total(metrics, "lane_state", 'state="paused"') == LANES

            await until(is_full, "all backlogs are full", 180)
            service.kill()  # in order it would end with what the destinations are asked, a minute later
    assert memory.total(metrics, "pending_intents") >= 30_000
    assert max(seen) <= memory.LIMIT
