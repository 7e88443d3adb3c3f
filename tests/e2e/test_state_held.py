"""Parked exits from a segment that only the state knew: a release deletes them also where it was lost since, and
refuses where it has another state than the service."""

from __future__ import annotations

from pathlib import Path

from stream_sync.sandbox.server import Sandbox
from tests.e2e.people_table import People
from tests.rig.client import Kafka


async def test_a_release_deletes_whom_the_state_knew_and_only_with_the_service_s_state(
    kafka: Kafka, prefix: str, tmp_path: Path
) -> None:
    async with Sandbox() as sandbox:
        people = People(kafka, prefix, sandbox, tmp_path, count=6)
        people.config["sources"]["people"]["before"] = "key"
        people.config["state"] = {"url": f"sqlite://{tmp_path}/state.db"}
        people.activation["where"] = "tier = 'gold'"
        people.activation["deletes"]["max"] = 2
        people.update(5, tier="none")
        await people.catch_up()
        assert people.found.keys() == {"p0", "p1", "p2", "p3", "p4"}
        for number in range(3):
            people.update(number, tier="none")
        people.update(5, name="Never in it")
        people.delete(3)
        await people.catch_up_with_too_many_deletes()
        assert len(people.found) == 5, "four are more than two"
        people.update(0, tier="gold")

        path = tmp_path / "config.yaml"
        own = path.read_text()
        path.write_text(own.replace("state.db", "another.db"))
        refused = await people.command("held", "release", "--yes")
        assert refused.status == 1
        assert "another.db cannot be used: No such file" in refused.err
        path.write_text(own)
        lose_state(tmp_path)
        people.update(4, name="Known to the new one")
        await people.catch_up()
        released = await people.command("held", "release", "--yes")
        assert "3 deleted, 4 of 4 held deletes released" in released.out, released
        assert people.found.keys() == {"p0", "p4"}


def lose_state(folder: Path) -> None:
    for file in folder.glob("state.db*"):
        file.unlink()
