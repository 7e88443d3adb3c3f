"""The last-delivered state on real Kafka: of a source that shows no row before, only changed values are sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis

from stream_sync.state.attachment import NOTHING_SENT
from tests.e2e.service import SHORT_SESSION, until
from tests.e2e.stage import Stage
from tests.oracle.history import VERSION
from tests.rig.jars import MissingToolError
from tests.rig.redis_server import NoRedisError, RedisServer


def with_state(stage: Stage, url: str) -> None:
    stage.source["before"] = "key"
    stage.config["state"] = {"url": url}
    stage.activation["attributes"].remove(VERSION)


def sent(stage: Stage) -> list[dict[str, Any]]:
    return [row for entry in stage.requests() for row in entry.rows]


def names_the_state(stage: Stage) -> bool:
    """Whether every partition's commit does."""
    metadata = stage.kafka.committed_metadata(stage.group, stage.topic)
    lineages = [json.loads(text).get("l", NOTHING_SENT) for text in metadata.values()]
    return len(lineages) == len(stage.kafka.partitions(stage.topic)) and NOTHING_SENT not in lineages


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
    stage.table.is_member = lambda row: row["score"] > 0
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


async def test_a_kill_loses_nothing_of_it_that_is_believed_and_a_delete_erases(stage: Stage, redis_url: str) -> None:
    with_state(stage, redis_url)
    stage.config["kafka"] |= SHORT_SESSION
    stage.activation["batch"] = {"max_records": 2, "max_wait": "1ms"}
    table = stage.table
    stage.create(2)
    with redis.Redis.from_url(redis_url) as kept:
        others = kept.dbsize()
        stage.write(table.inserts(40))
        async with stage.process() as running:
            await until(lambda: names_the_state(stage), "it is committed what the state was")
            stage.write(*(table.update(f"p{n}", score=n) for n in range(40)))
            running.process.kill()
            await running.ended()
        before = len(sent(stage))
        assert (await stage.run("--until-caught-up")).process.returncode == 0
        assert stage.wrong == []
        assert [row for row in sent(stage)[before:] if row.keys() == {"external_id", "score"}], "some were known"
        assert kept.dbsize() - others in (40, 41), "one for each person, and the store's own"
        stage.write(table.delete("p1"), table.update("p2", name="Nobody Else"))
        assert (await stage.run("--until-caught-up")).process.returncode == 0
        assert stage.wrong == []
        assert kept.dbsize() - others in (39, 40)
        for key in kept.scan_iter():
            fields = kept.hgetall(key)
            assert b"p2" not in key + b"".join(fields)  # of two bytes there may be some in a digest
            told = key + b"".join(name + value for name, value in fields.items())
            assert not [word for word in (b"Nobody", b"external_id") if word in told]


async def test_while_it_is_away_nothing_is_sent_and_a_server_that_started_anew_is_not_believed(stage: Stage) -> None:
    try:
        server = RedisServer()
    except (NoRedisError, MissingToolError) as error:
        pytest.skip(str(error))
    with server:
        with_state(stage, server.url)
        table = stage.table
        stage.create()
        stage.write(table.insert("ann", name="Ann"))
        await stage.catch_up()
        async with stage.inside() as running:
            await until(lambda: running.metric("lane_state", state="running") == 1, "it runs")
            server.kill()
            stage.write(table.update("ann", score=1))
            away = lambda: running.metric("warnings_total", code="state_unavailable") > 0  # noqa: E731  asked again
            await until(away, "it is told")
            await until(lambda: running.metric("limited_by", by="destination") == 1, "the processor is not blamed")
            assert len(sent(stage)) == 1
            server.start()
            await until(lambda: stage.is_committed_to_the_end, "it goes on")
        assert sent(stage)[1:] == [{"external_id": "ann", "name": "Ann", "tier": None, "score": 1}]
        assert running.metric("warnings_total", code="state_forgotten") > 0
