"""Where a lane begins, what it makes of what it missed, how it shares partitions: nothing lost, nothing overtaken."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest

from stream_sync.sandbox.faults import NONE, Faults
from tests.e2e.service import until
from tests.e2e.stage import ACTIVATION, Inside, Stage
from tests.oracle.history import VERSION


def rows(stage: Stage, who: str) -> list[dict[str, Any]]:
    """What was written of a person, request by request."""
    own = ("external_id", VERSION)
    return [
        {name: value for name, value in row.items() if name not in own}
        for entry in stage.requests()
        for row in entry.rows
        if row["external_id"] == who
    ]


async def test_at_a_first_start_updates_are_whole_and_later_ones_carry_what_changed(stage: Stage) -> None:
    table = stage.table
    table.insert("ann", name="Ann")  # before the connector's time
    stage.create()
    stage.write(table.update("ann", score=1))
    await stage.catch_up()
    stage.write(table.update("ann", score=2))

    await stage.catch_up()

    assert rows(stage, "ann") == [{"name": "Ann", "tier": None, "score": 1}, {"score": 2}]


async def test_from_start_updates_are_whole_once_more(stage: Stage) -> None:
    table = stage.table
    stage.create()
    stage.write(table.insert("ann", name="Ann"))
    await stage.catch_up()
    stage.write(table.update("ann", score=1), table.insert("bob"))
    await stage.catch_up()
    stage.workspace.clear()

    await stage.catch_up(from_start=True)

    assert stage.wrong == []
    assert rows(stage, "ann") == [{"name": "Ann", "tier": None, "score": 1}]


@pytest.mark.parametrize("again", [False, True], ids=["first start", "--from-start"])
async def test_an_early_delete_waits_for_the_end_of_that_moment(stage: Stage, again: bool) -> None:
    """Who left and came back long ago is not deleted on the way."""
    stage.activation["deletes"]["after"] = "1ms"
    stage.create()
    table = stage.table
    back_and_forth = [table.insert("ann"), table.delete("ann"), table.insert("ann", name="Ann")]
    for_good = [table.insert("bob"), table.delete("bob")]
    between = table.inserts(3000)
    if again:
        await stage.catch_up()
    stage.write(*back_and_forth[:2], *for_good, between, back_and_forth[2])

    await stage.catch_up(from_start=again)

    assert stage.wrong == []
    assert stage.deleted == ["bob"]


async def test_lost_offsets_halt_until_the_gap_is_accepted_and_then_updates_are_whole(stage: Stage) -> None:
    table = stage.table
    stage.create()
    stage.write(table.insert("ann", name="Ann"), table.insert("bob", name="Bob"))
    await stage.catch_up()
    stage.write(table.update("ann", score=1), table.update("ann", tier="gold"))
    stage.kafka.delete_records(stage.topic, {0: 3})

    running = await stage.run("--until-caught-up")

    assert running.process.returncode == 3, running.log
    assert f"activation {ACTIVATION} is halted: offset_lost" in running.log
    assert "1 records" in running.log
    assert stage.committed == {0: 2}
    assert rows(stage, "ann") == [{"name": "Ann", "tier": None, "score": 0}]

    await stage.catch_up(accept_gap=True)

    assert stage.wrong == []
    assert rows(stage, "ann")[1:] == [{"name": "Ann", "tier": "gold", "score": 1}]
    assert stage.is_committed_to_the_end
    await stage.catch_up()


def refused(running: Inside) -> float:
    """How many requests the destination refused for the key."""
    return running.metric("requests_total", destination="braze", endpoint="users_track", status="401")


@pytest.mark.parametrize("accept", [False, True])
async def test_what_retention_takes_while_the_lane_waits_is_not_skipped_in_silence(
    stage: Stage, accept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream_sync.delivery.rest.PROBE_SECONDS", 0.3)
    table = stage.table
    stage.create(2)
    stage.write(table.insert("ann", name="Ann"), partition=0)
    stage.write(table.insert("bob", name="Bob"), partition=1)
    async with stage.inside(accept_gap=accept) as running:
        await until(lambda: stage.wrong == [], "both are there")
        stage.workspace.faults = Faults(refuse_key=True)
        stage.write(table.update("ann", score=1), partition=0)
        await until(lambda: running.is_halted, "the lane waits for a key")
        await until(lambda: refused(running) >= 3, "it takes no records any more, and probes")
        for score in range(10, 20):
            stage.write(table.update("ann", score=score), partition=0)
        stage.write(table.update("ann", tier="gold"), table.update("ann", tier="tin"), partition=0)
        stage.write(table.update("bob", score=2), partition=1)
        stage.kafka.delete_records(stage.topic, {0: 13})
        stage.workspace.faults = NONE
        if accept:
            await until(lambda: stage.wrong == [], "what is there is delivered")
            assert rows(stage, "ann")[-1] == {"name": "Ann", "tier": "tin", "score": 19}
            return
        await until(lambda: "offset_lost" in running.halts, "the loss is noticed")
    assert stage.committed[0] < 13
    async with stage.inside(until_caught_up=True) as again:
        assert (await again.ended()).halted == {ACTIVATION: "offset_lost"}


async def test_another_mapping_is_told_and_another_destination_halts(stage: Stage) -> None:
    table = stage.table
    stage.create()
    stage.write(table.insert("ann", name="Ann"))
    await stage.catch_up()
    stage.activation["attributes"] = ["name", "score"]
    stage.write(table.update("ann", score=1))
    stage.activation["warnings"] = {"escalate": {"mapping_changed": "halt"}}
    for _ in range(2):  # a restart alone changes nothing
        async with stage.inside(until_caught_up=True) as halted:
            assert (await halted.ended()).halted == {ACTIVATION: "mapping_changed"}
    del stage.activation["warnings"]
    running = await stage.catch_up()
    assert running.metric("warnings_total", code="mapping_changed") == 1
    running = await stage.catch_up()
    assert running.metric("warnings_total", code="mapping_changed") == 0

    stage.braze["url"] = stage.oracle.address("another")
    stage.write(table.update("ann"), table.update("ann", score=2))  # the first asks for nothing, as the config is now
    async with stage.inside(until_caught_up=True) as halted:
        assert (await halted.ended()).halted == {ACTIVATION: "route_changed"}

    assert stage.oracle.account("another").people == {}
    assert stage.committed == {0: 2}


async def test_another_source_halts(stage: Stage) -> None:
    stage.create()
    stage.write(stage.table.insert("ann", name="Ann"))
    await stage.catch_up()
    other = f"{stage.topic}.anew"
    stage.kafka.create_topic(other, 1, {})
    stage.source["topic"] = other
    async with stage.inside(until_caught_up=True) as halted:
        assert (await halted.ended()).halted == {ACTIVATION: "route_changed"}


async def test_another_destination_halts_though_there_is_nothing_new(stage: Stage) -> None:
    stage.create()
    stage.write(stage.table.insert("ann"))
    await stage.catch_up()
    stage.braze["url"] = stage.oracle.address("another")

    async with stage.inside(until_caught_up=True) as halted:
        assert (await halted.ended()).halted == {ACTIVATION: "route_changed"}


async def test_partitions_that_are_added_are_read_from_their_first_record(stage: Stage) -> None:
    table = stage.table
    stage.create(1)
    stage.write(table.insert("ann"), partition=0)
    async with stage.inside() as running:
        await until(lambda: stage.wrong == [], "the first is there")
        stage.add_partitions(3)
        stage.write(table.insert("bob"), partition=1)
        stage.write(table.insert("cat"), partition=2)
        await until(lambda: stage.wrong == [], "those of the new partitions are there")
        await until(lambda: stage.is_committed_to_the_end, "all is committed")
        assert running.metric("dead_letters_total", code="no_key") == 0


def scores(stage: Stage) -> dict[str, list[int]]:
    """What was written of each person's score, in the order of arrival."""
    found: dict[str, list[int]] = {}
    for entry in stage.requests():
        for row in entry.rows:
            found.setdefault(row["external_id"], []).append(row["score"])
    return found


async def test_members_that_come_and_go_lose_nothing_and_overtake_nothing(stage: Stage) -> None:
    table = stage.table
    stage.create(4)
    stage.activation["batch"] = {"max_records": 5, "max_wait": "5ms"}
    stage.workspace.faults = Faults(latency=0.02)
    score = 0

    async def change_all() -> None:
        nonlocal score
        score += 1
        before = len(stage.journal.entries)
        stage.write(*(table.update(f"p{n}", score=score) for n in range(30)))
        await until(lambda: len(stage.journal.entries) > before + 3, "changes flow")

    stage.write(table.inserts(30))
    async with contextlib.AsyncExitStack() as both:
        one = await both.enter_async_context(stage.inside())
        await until(lambda: len(stage.people) == 30, "all are there")
        await change_all()
        async with stage.inside() as two:
            while two.metric("records_total", result="routed") < 30:
                await change_all()
            assert one.metric("rebalances_total") >= 2
        for _ in range(3):
            await change_all()
        await until(lambda: stage.wrong == [], "all are as the table says")
        await until(lambda: stage.is_committed_to_the_end, "all is committed")

    for who, written in scores(stage).items():
        assert written == sorted(written), f"{who} went back"
    assert stage.journal.overlaps == []
    assert json.dumps(stage.letters(stage.dead_letters)) == "[]"
