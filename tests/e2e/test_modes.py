"""What each sync mode may do to people, seen from the destination; and what a compacted topic asks for."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.service import until
from tests.e2e.stage import Stage
from tests.oracle.history import VERSION


def fill(stage: Stage, **people: dict[str, Any]) -> None:
    """People who are there before, and who are not all of the service's making."""
    for who, values in people.items():
        stage.workspace.people[who] = {"external_id": who, **values}


def as_mode(stage: Stage, mode: str) -> None:
    stage.activation["mode"] = mode
    if mode != "mirror":
        del stage.activation["deletes"]


async def test_an_update_never_creates_and_never_deletes(stage: Stage) -> None:
    as_mode(stage, "update")
    fill(stage, ann={"own": 1}, cat={"own": 2})
    table = stage.table
    stage.create(2)
    stage.write(table.insert("ann", name="Ann"), table.insert("bob"), table.insert("cat"))
    await stage.catch_up()
    stage.write(table.update("bob", score=1), table.update("ann", score=1), table.delete("cat"), table.truncate())

    await stage.catch_up()

    assert stage.people == {"ann": {"own": 1, "name": "Ann", "score": 1}, "cat": {"own": 2, "score": 0}}


async def test_an_upsert_creates_and_never_deletes(stage: Stage) -> None:
    as_mode(stage, "upsert")
    stage.activation["where"] = "score < 10"
    fill(stage, ann={"own": 1})
    table = stage.table
    stage.create(2)
    stage.write(table.insert("ann", name="Ann"), table.insert("bob"), table.insert("cat"), table.insert("dan"))
    await stage.catch_up()
    stage.write(table.delete("bob"), table.update("cat", score=11), table.rename("dan", "eve"), table.truncate())

    await stage.catch_up()

    assert set(stage.people) == {"ann", "bob", "cat", "dan", "eve"}
    assert stage.people["ann"] == {"own": 1, "name": "Ann", "score": 0}
    assert stage.requests("/users/delete") == []


@pytest.mark.parametrize("nulls", ["skip", "unset"])
async def test_empty_values_never_wipe_unless_asked_to(stage: Stage, nulls: str) -> None:
    as_mode(stage, "upsert")
    stage.activation["nulls"] = nulls
    fill(stage, ann={"name": "Ann", "tier": "gold"})
    table = stage.table
    stage.create()
    stage.write(table.insert("ann", name=None, tier="gold"))
    await stage.catch_up()
    stage.write(table.update("ann", tier=None, score=3))

    await stage.catch_up()

    kept = {"name": "Ann", "tier": "gold"} if nulls == "skip" else {}
    assert stage.people["ann"] == {**kept, "score": 3}


def sent(stage: Stage) -> list[dict[str, Any]]:
    """The values of the people in the last requests, newest last."""
    own = ("external_id", "_update_existing_only", VERSION)
    return [{k: v for k, v in row.items() if k not in own} for entry in stage.requests() for row in entry.rows]


@pytest.mark.parametrize("send", ["changed", "whole"])
async def test_an_update_carries_what_changed_or_the_whole_row(stage: Stage, send: str) -> None:
    stage.activation["send"] = send
    table = stage.table
    stage.create()
    stage.write(table.insert("ann", name="Ann"))
    await stage.catch_up()
    stage.write(table.update("ann", score=1))
    await stage.catch_up()
    stage.write(table.update("ann"))  # nothing of it

    await stage.catch_up()

    whole = {"name": "Ann", "tier": None, "score": 1}
    assert sent(stage)[1:] == [{"score": 1} if send == "changed" else whole]


async def test_from_a_compacted_topic_every_update_is_whole_even_one_that_looks_unchanged(stage: Stage) -> None:
    table = stage.table
    stage.create(cleanup_policy="compact")
    stage.write(table.insert("ann", name="Ann"))
    await stage.catch_up()
    table.update("ann", score=1)  # compaction took it

    stage.write(table.update("ann"))
    await stage.catch_up()

    assert sent(stage)[1:] == [{"name": "Ann", "tier": None, "score": 1}]
    assert stage.wrong == []


async def test_a_person_is_never_in_two_requests_and_the_vendor_s_pause_is_kept(stage: Stage) -> None:
    table = stage.table
    stage.braze["spacing"] = "150ms"
    stage.activation["batch"] = {"max_records": 2, "max_wait": "1ms"}
    stage.create(2)
    stage.write(table.inserts(6))
    async with stage.inside():
        for score in range(1, 9):
            before = len(stage.journal.entries)
            stage.write(*(table.update(f"p{n}", score=score) for n in range(6)))
            await until(lambda before=before: len(stage.journal.entries) > before, "it goes on")  # type: ignore[misc]
        await until(lambda: stage.wrong == [], "all are as the table says")

    assert stage.journal.overlaps == []
    gap = stage.journal.gap()
    assert gap is not None
    assert gap >= 0.149
