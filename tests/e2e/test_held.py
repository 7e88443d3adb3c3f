"""Held deletes through real Kafka: a release deletes exactly who is still gone, a discard nobody; the latch opens."""

from __future__ import annotations

import json
import re
import urllib.request
from pathlib import Path

from stream_sync.sandbox.server import Sandbox
from tests.e2e.people_table import People, person
from tests.e2e.service import LIMIT, Running, service, until
from tests.rig.client import Kafka, Outgoing


async def emptied(kafka: Kafka, prefix: str, sandbox: Sandbox, folder: Path) -> People:
    """Twenty people of whom twelve were deleted although three a time may be."""
    people = People(kafka, prefix, sandbox, folder, count=20)
    people.activation["deletes"]["max"] = 3
    await people.catch_up()
    for number in range(12):
        people.delete(number)
    await people.catch_up_with_too_many_deletes()
    assert len(people.found) == 20
    return people


def _held(running: Running) -> int | None:
    """What the lane believes is held; None before it has looked."""
    address = re.search(r"http://127\.0\.0\.1:\d+", running.log)
    if address is None:
        return None
    with urllib.request.urlopen(f"{address[0]}/metrics", timeout=LIMIT) as answer:  # noqa: S310  our own address
        found = re.search(rb"^stream_sync_held_deletes\{.*\} (\d+)", answer.read(), re.MULTILINE)
    return None if found is None else int(found[1])


async def test_a_release_deletes_exactly_who_is_still_gone_and_the_latch_opens(
    kafka: Kafka, prefix: str, tmp_path: Path
) -> None:
    async with Sandbox() as sandbox:
        people = await emptied(kafka, prefix, sandbox, tmp_path)
        for number in range(5):
            people.insert(number, name="Back again")
        await people.catch_up()

        listed = json.loads((await people.command("held", "list", "--json")).out)
        assert listed["held"] == 12
        planned = await people.command("held", "release", "--dry-run")
        assert "7  people are still to be deleted" in planned.out, planned
        assert "5  superseded" in planned.out
        assert len(people.found) == 20
        unasked = await people.command("held", "release")
        assert unasked.status == 2
        assert "--yes" in unasked.err
        people.config["admin"] = {"host": "127.0.0.1", "port": 0}
        async with service(people.config, tmp_path) as running:
            await until(lambda: _held(running) == 12, "the lane knows what is held")
            released = await people.command("held", "release", "--yes")

            assert released.status == 0, released
            assert "7 deleted, 12 of 12 held deletes released" in released.out
            assert released.err == ""
            assert people.found == people.expected
            assert kafka.read_all(people.held) == []
            people.delete(19)  # and the lane looks at the latch at once, not after ten seconds
            await until(lambda: people.found == people.expected, "deletes flow again")
            await until(lambda: _held(running) == 0, "the latch is open")
        assert "nothing is held" in (await people.command("held", "release", "--yes")).out


async def test_a_discard_deletes_nobody_and_the_latch_opens(kafka: Kafka, prefix: str, tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        people = await emptied(kafka, prefix, sandbox, tmp_path)

        assert (await people.command("held", "discard")).status == 2
        discarded = await people.command("held", "discard", "--yes")

        assert discarded.status == 0, discarded
        assert "12 held deletes discarded" in discarded.out
        assert "0 held deletes" in (await people.command("held", "list")).out
        people.delete(19)
        await people.catch_up()
        assert people.found.keys() == {person(number)["id"] for number in range(19)}


async def test_a_person_who_lives_on_under_another_key_is_not_deleted(
    kafka: Kafka, prefix: str, tmp_path: Path
) -> None:
    async with Sandbox() as sandbox:
        people = await emptied(kafka, prefix, sandbox, tmp_path)
        gone = [person(number) for number in range(12)]
        for row in gone[:10]:
            (created,) = people.table.insert(row, 0.0)
            key = json.dumps({"schema_version": 2, "id": row["id"]}).encode()
            kafka.produce(people.topic, [Outgoing(key, created.value)])
        await people.catch_up()

        released = await people.command("held", "release", "--yes")

        assert "2 deleted" in released.out, released
        assert people.found == people.expected


async def test_where_the_source_no_longer_tells_nobody_is_deleted(kafka: Kafka, prefix: str, tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        people = await emptied(kafka, prefix, sandbox, tmp_path)
        kafka.delete_records(people.topic)

        released = await people.command("held", "release", "--yes")

        assert released.status == 0
        assert "12  superseded_or_expired" in released.out, released
        assert len(people.found) == 20
