"""`resync` through real Kafka: everybody as they are now, beside the service, after a kill, and no Delete beyond
the budget."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from stream_sync.sandbox.faults import Faults
from stream_sync.sandbox.server import Sandbox
from stream_sync.sandbox.warehouse import Warehouse
from tests.e2e.people_table import People, person
from tests.e2e.service import service, until
from tests.rig.client import Kafka, Outgoing


def forget(people: People) -> None:
    """The destination loses everybody, as a restored account would."""
    people.sandbox.workspace("braze", people.prefix).people.clear()


def keep_config(people: People, name: str = "config.yaml") -> Path:
    path = people.folder / name
    path.write_text(json.dumps(people.config))
    return path


async def test_everybody_is_sent_as_they_are_now_beside_the_running_service_and_after_a_kill(
    kafka: Kafka, prefix: str, tmp_path: Path
) -> None:
    async with Sandbox() as sandbox:
        people = People(kafka, prefix, sandbox, tmp_path, count=300)
        people.activation["outcomes"] = "on"
        people.config["destinations"]["braze"]["track_batch"] = 5
        people.config["destinations"]["braze"]["rate_limit"] = "100/s"
        async with service(people.config, tmp_path):
            await until(lambda: people.found == people.expected, "the lane has delivered everybody")
            forget(people)
            sandbox.workspace("braze", prefix).faults = Faults(latency=0.05)
            process = await start(people, "--all")
            await until(lambda: len(people.found) > 60, "some are there again")
            process.kill()
            await process.wait()
            for number in range(0, 300, 10):
                people.update(number, name=f"Changed {number}", tier="silver")

            resynced = await people.command("resync", "--all", "--share=100%")

            assert resynced.status == 0, resynced
            assert "delivered" in resynced.out
            assert "goes on where a resync like this one was ended" in resynced.err
            assert int(resynced.out.split()[0]) <= 250, "the first 50 rows are not sent again"
            await until(lambda: people.found == people.expected, "everybody is there, as they are now")
        told = [json.loads(message.value() or b"") for message in kafka.read_all(f"{prefix}.everyone.outcomes")]
        assert {one["outcome"] for one in told} == {"delivered"}
        assert {one.get("by") for one in told} == {None, "resync"}


async def start(people: People, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "stream_sync", "resync", "-c", str(people.folder / "config.yaml"),
        "--activation", "everyone", *arguments,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, env=dict(os.environ),
    )  # fmt: skip


async def test_one_attribute_of_everybody_and_what_cannot_be_seen(kafka: Kafka, prefix: str, tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        people = People(kafka, prefix, sandbox, tmp_path, count=6)
        await people.catch_up()
        people.activation["attributes"] = {"tier": "tier", "shout": "upper(name)"}
        keep_config(people)

        resynced = await people.command("resync", "--attributes=shout")

        assert resynced.status == 0, resynced
        workspace = sandbox.workspace("braze", prefix)
        assert {one["shout"] for one in workspace.people.values()} == {f"NAME {number}" for number in range(6)}
        wrong = await people.command("resync", "--attributes=shuot")
        assert wrong.status == 2
        assert "did you mean 'shout'" in wrong.err
        kafka.delete_records(people.topic)
        people.update(1, name="Later")
        forget(people)
        seen = await people.command("resync", "--all")
        assert "rows without a change since then are not seen" in seen.err
        assert people.found.keys() == {"p1"}


async def test_a_topic_that_is_not_there_is_told_from_an_empty_one(kafka: Kafka, prefix: str, tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        people = People(kafka, prefix, sandbox, tmp_path)
        keep_config(people)
        empty = await asyncio.gather(people.command("resync", "--all"), people.command("explain", "--id=p1"))
        people.config["sources"]["people"]["topic"] = f"{prefix}.no-such"
        keep_config(people)

        ended = await asyncio.gather(people.command("resync", "--all"), people.command("explain", "--id=p1"))

    assert [(one.status, one.out.split("\n")[0][:16]) for one in empty] == [
        (0, "0 rows, nothing "),
        (0, "No record: the t"),
    ]
    for one in ended:
        assert (one.status, one.out) == (1, "")
        assert one.err.startswith(f"failed: topic '{prefix}.no-such' does not exist or may not be read: create it")
        assert len(one.err.splitlines()) == 1, one.err


async def test_who_left_by_an_edited_where_is_deleted_within_the_budget(
    kafka: Kafka, prefix: str, tmp_path: Path
) -> None:
    async with Sandbox() as sandbox:
        people = People(kafka, prefix, sandbox, tmp_path, count=10)
        await people.catch_up()
        old = keep_config(people, "old.yaml")
        for number in range(4):
            people.update(number, tier="none")
        (created,) = Warehouse(people.table.table, []).insert(person(0), 0.0)
        kafka.produce(people.topic, [Outgoing(b'{"id": "p0", "version": 2}', created.value)])
        people.activation["where"] = "tier <> 'none'"
        people.activation["deletes"]["max"] = 2
        keep_config(people)

        planned = await people.command("resync", f"--exits={old}", "--dry-run")
        assert "3  would be deleted" in planned.out, planned
        withheld = await people.command("resync", f"--exits={old}")
        assert withheld.status == 1, withheld
        assert "3 people would be" in withheld.err
        assert len(people.found) == 10
        people.activation["deletes"]["max"] = 3
        keep_config(people)
        resynced = await people.command("resync", f"--exits={old}")

        assert resynced.status == 0, resynced
        assert people.found.keys() == {"p0", *(f"p{number}" for number in range(4, 10))}
