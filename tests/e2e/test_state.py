"""The last-delivered state on real Kafka: of a source that shows no row before, only changed values are sent."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.stage import Stage
from tests.oracle.history import VERSION


def with_state(stage: Stage, url: str) -> None:
    stage.source["before"] = "key"
    stage.config["state"] = {"url": url}
    stage.activation["attributes"].remove(VERSION)


def sent(stage: Stage) -> list[dict[str, Any]]:
    return [row for entry in stage.requests() for row in entry.rows]


@pytest.mark.parametrize("store", ["sqlite", "redis"])
async def test_only_what_changed_is_sent_though_the_source_does_not_say(
    stage: Stage, store: str, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite://{stage.folder}/state.db" if store == "sqlite" else request.getfixturevalue("redis_url")
    with_state(stage, url)
    table = stage.table
    stage.create(2)
    stage.write(table.insert("ann", name="Ann"), table.insert("bob"))
    await stage.catch_up()
    stage.write(table.update("ann", score=1), table.update("bob"))

    running = await stage.catch_up()

    assert sent(stage)[2:] == [{"external_id": "ann", "score": 1}]
    assert running.metric("unchanged_total") == 1
    assert running.metric("outcomes_total", outcome="ignored") == 1
    assert stage.is_committed_to_the_end
