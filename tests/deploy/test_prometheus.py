"""Every panel and every rule answers, asked of a real Prometheus that scrapes the service under the demo's load."""

from __future__ import annotations

import asyncio
import contextlib
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from stream_sync.sandbox import broker as brokers
from stream_sync.sandbox.broker import Broker
from stream_sync.sandbox.demo_config import LANES, MIRROR
from stream_sync.sandbox.demo_stage import TOPICS, Stage
from stream_sync.sandbox.faults import NONE, Faults
from stream_sync.sandbox.server import Sandbox
from tests.deploy.alerts import alerts, rules
from tests.deploy.models import NAMES, queries
from tests.deploy.prometheus import Prometheus, prometheus
from tests.deploy.tools import tool
from tests.e2e.service import Running, service, until

LIMIT = 120.0
"""Seconds."""
CHANGES_A_TURN = 10
TURN_SECONDS = 0.25
CHOSEN = {"$namespace": ".*", "$job": ".*", "$activation": MIRROR.activation, "$__rate_interval": "1m"}
"""What a reader of the dashboards has chosen."""


async def test_every_panel_and_every_rule_answers_under_the_demos_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool("prometheus")
    monkeypatch.setattr(brokers, "SECONDS", LIMIT)
    with Broker(TOPICS) as broker:
        async with Sandbox() as sandbox:
            stage = Stage(broker, sandbox, seed=1)
            await stage.prepare()
            config = YAML(typ="safe").load(stage.config())
            config["activations"][MIRROR.activation]["nulls"] = "skip"  # a warning, when something is NULL
            async with service(config, tmp_path) as running, prometheus(await address(running), tmp_path) as asked:
                load = asyncio.create_task(changes(stage))
                try:
                    await all_answer(asked)
                finally:
                    load.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await load


async def address(running: Running) -> str:
    """Where the service's metrics are: host and port."""
    found = None

    def listens() -> bool:
        nonlocal found
        found = re.search(r'"address": ?"http://([^"]+)"', running.log)
        return found is not None

    await until(listens, "the service listens", LIMIT)
    assert found is not None
    return found[1]


async def changes(stage: Stage) -> None:
    """Rows change until it is cancelled; one of them no destination takes, and one destination has trouble."""
    stage.write_snapshot()
    stage.insert_unacceptable()
    workspace = stage.workspace(MIRROR)
    for turn in range(int(LIMIT / TURN_SECONDS)):
        stage.change_rows(CHANGES_A_TURN)
        workspace.faults = (Faults(error=1.0), Faults(throttle=1.0, throttle_wait=0.2), NONE, NONE)[turn // 2 % 4]
        await asyncio.sleep(TURN_SECONDS)


async def all_answer(asked: Prometheus) -> None:
    """Waits until no query is left without an answer."""
    waiting = {query: f"panel {title!r} of {name}" for name in NAMES for title, query in queries(name)}
    waiting |= {rule["record"]: rule["record"] for rule in rules() if "record" in rule}

    async def none_waits() -> bool:
        for query in list(waiting):
            chosen = query
            for variable, value in CHOSEN.items():
                chosen = chosen.replace(variable, value)
            if await asked.ask(chosen):
                del waiting[query]
        return not waiting

    try:
        await until(none_waits, "every query has an answer", LIMIT)
    except AssertionError:
        pytest.fail("without an answer: " + ", ".join(waiting.values()))

    kept = await asked.rules()
    assert [(rule["name"], rule["lastError"]) for rule in kept if rule["health"] == "err"] == []
    assert {rule["name"] for rule in kept if rule["type"] == "alerting"} == set(alerts())
    # From a table's row that nobody takes to somebody's attention.
    await until(
        lambda: is_firing(asked, "StreamSyncDeadLetters"), "the alert of the row that no destination takes", LIMIT
    )
    # Nothing is there after a scrape that took too long, until the next one.
    await until(lambda: every_lane_is_there(asked), "every lane has a state", LIMIT)


async def every_lane_is_there(asked: Prometheus) -> bool:
    lanes = {series["metric"]["activation"] for series in await asked.ask("stream_sync_lane_state == 1")}
    return lanes == {lane.activation for lane in LANES}


async def is_firing(asked: Prometheus, alert: str) -> bool:
    return any(rule["name"] == alert and rule.get("state") == "firing" for rule in await asked.rules())
