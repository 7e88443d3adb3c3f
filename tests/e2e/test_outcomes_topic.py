"""The outcomes topic through real Kafka: every settled record is told, nobody is named, and nothing waits for it."""

from __future__ import annotations

import json
from typing import Any

from stream_sync.sandbox.faults import Faults
from tests.e2e.service import until
from tests.e2e.stage import Stage


def told(stage: Stage) -> list[dict[str, Any]]:
    return [json.loads(message.value() or b"") for message in stage.letters(f"{stage.group}.outcomes")]


async def test_every_settled_record_is_told_without_naming_anybody(stage: Stage) -> None:
    stage.create(partitions=2)
    stage.activation |= {"outcomes": "on", "mode": "update"}
    stage.activation.pop("deletes")
    stage.workspace.faults = Faults(reject=("p1",))
    stage.write(stage.table.inserts(20))
    stage.write(stage.table.update("p3", score=7))

    await stage.catch_up()

    found = told(stage)
    by_outcome = {outcome: [one for one in found if one["outcome"] == outcome] for outcome in ("delivered", "rejected")}
    assert len(found) == sum(map(len, by_outcome.values()))
    assert sum(len(one["offsets"]) for one in found) == 21
    assert all((one["endpoint"], one["status"]) == ("users_track", 201) for one in by_outcome["delivered"])
    (refused,) = by_outcome["rejected"]
    assert refused["code"] == "blacklisted_external_user_id"
    assert {len(one["person"]) for one in found} == {32}
    assert len({one["person"] for one in found}) == 20
    assert "Name" not in json.dumps(found)
    assert not {f'"p{number}"' for number in range(20)} & set(json.dumps(found).split())


async def test_a_topic_that_takes_nothing_disturbs_nobody(stage: Stage) -> None:
    stage.create()
    stage.kafka.create_topic(f"{stage.group}.outcomes", 1, {"max.message.bytes": "10"})
    stage.activation["outcomes"] = "on"
    stage.write(stage.table.inserts(5))

    async with stage.inside() as running:
        await until(lambda: running.metric("warnings_total", code="outcome_not_told") > 0, "the warning is counted")

    assert stage.wrong == []
    assert stage.is_committed_to_the_end
    assert told(stage) == []
