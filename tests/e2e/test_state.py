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


async def test_who_leaves_a_segment_is_deleted_though_the_row_before_is_not_shown(stage: Stage) -> None:
    with_state(stage, f"sqlite://{stage.folder}/state.db")
    stage.activation["where"] = "score > 0"
    stage.activation["outcomes"] = "on"
    table = stage.table
    stage.create(2)
    stage.write(table.insert("ann", score=1), table.insert("bob", score=1), table.insert("cat"), table.insert("dan"))
    stage.write(table.insert("eve", score=1))
    await stage.catch_up()
    stage.write(table.update("ann", score=0), table.update("cat", name="Cat"), table.delete("bob"), table.delete("dan"))
    stage.write(table.update("eve", score=0), table.update("eve", score=2))

    running = await stage.catch_up()

    assert sorted(stage.deleted) == ["ann", "bob"]
    assert stage.people.keys() == {"eve"}
    assert running.metric("intents_total", kind="delete") == 2
    assert stage.is_committed_to_the_end
