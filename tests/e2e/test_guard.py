"""The guard of a mirror's deletes: nobody is deleted who should not be, whatever the table, a crash or a loss does."""

from __future__ import annotations

from typing import Any

import pytest

from stream_sync.sandbox.faults import NONE, Faults
from tests.e2e.service import SHORT_SESSION, until
from tests.e2e.stage import ACTIVATION, Stage

MOST = 5
NEVER = "1h"
"""Longer than any test: what is to be parked, or to be cancelled, is so however late a part of it is read."""


def guarded(stage: Stage, **deletes: Any) -> None:
    stage.activation["deletes"] = {"after": "300ms", "max": MOST, "per": "1h", **deletes}


def held(stage: Stage) -> list[bytes | None]:
    return sorted((record.key() or b"" for record in stage.letters(stage.held)), key=str)


def tried_or_parked(stage: Stage) -> int:
    return len(stage.requests("/users/delete")) + stage.count(stage.held)


async def settled(stage: Stage) -> None:
    await until(lambda: stage.is_committed_to_the_end, "all is settled and committed")


async def test_an_emptied_table_deletes_nobody_and_a_restart_deletes_nobody_either(stage: Stage) -> None:
    guarded(stage, after=NEVER)
    table = stage.table
    stage.create(2)
    stage.write(table.inserts(30))
    await stage.catch_up()
    gone = [table.delete(f"p{n}") for n in range(20)]
    stage.write(*gone)
    async with stage.inside() as running:
        await settled(stage)
        assert running.metric("warnings_total", code="deletes_held") >= 1
    assert held(stage) == sorted((each[0].key for each in gone), key=str)
    assert stage.requests("/users/delete") == []

    stage.write(table.delete("p20"), table.update("p21", score=5))
    async with stage.inside() as running:
        await settled(stage)
        await until(lambda: running.metric("held_deletes") >= 20, "the latch is shown")

    assert len(held(stage)) == 21
    assert stage.requests("/users/delete") == []
    assert len(stage.people) == 30
    assert stage.people["p21"]["score"] == 5


async def test_deletes_within_the_budget_are_sent_once_each_and_later_ones_still_count_them(stage: Stage) -> None:
    guarded(stage)
    table = stage.table
    stage.create(2)
    stage.write(table.inserts(20))
    await stage.catch_up()
    stage.write(*(table.delete(f"p{n}") for n in range(MOST)))
    await stage.catch_up()
    assert sorted(stage.deleted) == [f"p{n}" for n in range(MOST)]
    assert stage.wrong == []

    stage.write(table.delete("p9"))
    await stage.catch_up()

    assert len(stage.deleted) == MOST
    assert held(stage) == [b'{"id":"p9"}']


@pytest.mark.parametrize("most", [1000, MOST], ids=["within the budget", "beyond it"])
@pytest.mark.parametrize("order", ["row by row", "all deletes first"])
async def test_a_refresh_that_deletes_and_inserts_every_row_deletes_nobody(stage: Stage, order: str, most: int) -> None:
    guarded(stage, max=most, after=NEVER)
    table = stage.table
    stage.create(2)
    stage.write(table.inserts(30))
    await stage.catch_up()
    people = [f"p{n}" for n in range(30)]
    if order == "row by row":
        refresh = [change for who in people for change in (table.delete(who), table.insert(who, name=f"New {who}"))]
    else:
        refresh = [table.delete(who) for who in people] + [table.insert(who, name=f"New {who}") for who in people]
    stage.write(*refresh)

    await stage.catch_up()

    assert stage.requests("/users/delete") == []
    assert stage.wrong == []


async def test_a_crash_loop_deletes_nobody_beyond_the_budget(stage: Stage) -> None:
    guarded(stage, after="50ms")
    stage.config["kafka"] |= SHORT_SESSION
    table = stage.table
    stage.create(2)
    stage.write(table.inserts(40))
    await stage.catch_up()
    for start in (0, 3, 6, 9):
        stage.workspace.faults = Faults(latency=0.2)
        stage.write(*(table.delete(f"p{n}") for n in range(start, start + 3)))
        before = tried_or_parked(stage)
        async with stage.process() as running:
            await until(lambda before=before: tried_or_parked(stage) > before, "it deletes or parks")  # type: ignore[misc]
            running.process.kill()
            await running.ended()
    stage.workspace.faults = NONE

    await stage.catch_up()

    assert len(set(stage.deleted)) <= MOST
    assert set(stage.people) >= set(table.rows)
    parked_now = {record.decode()[7:-2] for record in held(stage) if record}
    assert set(stage.people) - set(table.rows) <= parked_now


async def test_where_parked_deletes_would_expire_the_lane_halts_and_deletes_nobody(stage: Stage) -> None:
    guarded(stage, after=NEVER, max=1)
    stage.create()
    stage.kafka.create_topic(stage.held, 1, {"retention.ms": "600000"})
    stage.write(stage.table.inserts(3))
    await stage.catch_up()
    stage.write(stage.table.delete("p0"), stage.table.delete("p1"))

    async with stage.inside(until_caught_up=True) as running:
        result = await running.ended()

    assert result.halted == {ACTIVATION: "held_topic_expires"}
    assert len(stage.people) == 3
    assert held(stage) == []
    stage.kafka.configure_topic(stage.held, {"retention.ms": "-1"})
    await stage.catch_up()
    assert len(held(stage)) == 2


async def test_a_truncate_deletes_nobody(stage: Stage) -> None:
    table = stage.table
    stage.create()
    stage.write(table.inserts(3))
    await stage.catch_up()
    stage.write(table.truncate())

    running = await stage.catch_up()

    assert len(stage.people) == 3
    assert running.metric("warnings_total", code="truncate_ignored") == 1


async def test_the_old_identifier_is_deleted_only_after_the_new_one_was_accepted(stage: Stage) -> None:
    stage.activation["identifier"] = {"external_id": "name"}
    stage.activation["attributes"] = ["score"]
    table = stage.table
    table.identify = lambda row: row["name"]
    stage.create()
    stage.write(table.insert("1", name="ann"), table.insert("2", name="bob"))
    await stage.catch_up()
    stage.workspace.faults = Faults(latency=0.1, reject=("bert",))
    stage.write(table.update("1", name="anna"), table.update("2", name="bert"))

    await stage.catch_up()

    insert = next(entry for entry in stage.requests() if "anna" in entry.people)
    (delete,) = stage.requests("/users/delete")
    assert insert.answered is not None
    assert delete.arrived > insert.answered
    assert set(stage.people) == {"anna", "bob"}, "bert was refused, so bob stays"


async def test_the_same_person_under_two_spellings_is_not_deleted(stage: Stage) -> None:
    stage.activation["identifier"] = {"external_id": "lower(name)"}
    table = stage.table
    table.identify = lambda row: row["name"].strip().lower()
    stage.create()
    stage.write(table.insert("1", name="Ann"))
    await stage.catch_up()
    stage.write(table.update("1", name=" ANN "))

    await stage.catch_up()

    assert stage.requests("/users/delete") == []
    assert stage.people["ann"]["name"] == " ANN "


async def test_a_changed_key_moves_the_person(stage: Stage) -> None:
    table = stage.table
    stage.create(3)
    stage.write(table.insert("ann", name="Ann"))
    await stage.catch_up()
    stage.write(table.rename("ann", "anna"))

    await stage.catch_up()

    assert stage.wrong == []
    assert stage.deleted == ["ann"]


async def test_who_comes_back_in_time_is_not_deleted_and_whoever_does_not_is(stage: Stage) -> None:
    guarded(stage, after=NEVER)
    table = stage.table
    stage.create()
    stage.write(table.inserts(3))
    async with stage.inside() as running:
        await until(lambda: stage.wrong == [], "all are there")
        stage.write(table.delete("p0"), table.delete("p1"))
        await until(lambda: running.metric("intents_total", kind="delete") == 2, "both are gone")
        stage.write(table.insert("p0", name="Back"))
        await until(lambda: stage.people["p0"].get("name") == "Back", "who came back is there")
        await until(lambda: stage.committed == {0: 5}, "only the other one is waited for")
    assert stage.deleted == []
    guarded(stage, after="1ms")

    await stage.catch_up()

    assert stage.wrong == []
    assert stage.deleted == ["p1"]


async def test_who_comes_back_after_the_delete_is_written_after_the_same_wait(stage: Stage) -> None:
    guarded(stage, after="700ms")
    table = stage.table
    stage.create()
    stage.write(table.insert("ann"))
    async with stage.inside():
        await until(lambda: stage.wrong == [], "ann is there")
        stage.write(table.delete("ann"))
        await until(lambda: stage.deleted == ["ann"], "ann is deleted")
        stage.write(table.insert("ann", name="Ann"))
        await until(lambda: stage.wrong == [], "ann is back")

    (delete,) = stage.requests("/users/delete")
    assert stage.requests()[-1].arrived - (delete.answered or 0) >= 0.69


async def test_leaving_the_segment_deletes_and_never_having_been_in_it_does_not(stage: Stage) -> None:
    stage.activation["where"] = "tier = 'gold'"
    table = stage.table
    table.is_member = lambda row: row["tier"] == "gold"
    stage.create(2)
    stage.write(table.insert("in", tier="gold"), table.insert("out", tier="tin"), table.insert("null"))
    await stage.catch_up()
    stage.write(table.update("in", tier="tin"), table.update("out", score=1), table.delete("out"), table.delete("null"))

    await stage.catch_up()

    assert stage.deleted == ["in"]
    assert stage.people == {}


async def test_partitions_added_while_running_do_not_add_to_the_budget(stage: Stage) -> None:
    guarded(stage, after=NEVER)
    table = stage.table
    stage.create(1)
    stage.write(table.inserts(40))
    async with stage.inside() as running:
        await until(lambda: stage.wrong == [], "all are there")
        stage.add_partitions(4)
        await until(lambda: running.metric("rebalances_total") >= 2, "they are seen")
        stage.write(*(table.delete(f"p{n}") for n in range(2 * MOST)))
        await until(lambda: stage.count(stage.held) == 2 * MOST, "they are parked")

    assert stage.requests("/users/delete") == []
