"""`explain` through real Kafka: every record of a row, what became of it, and why, in words; and the topic it knows it
from."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

from stream_sync.sandbox.faults import Faults
from stream_sync.sandbox.server import Sandbox
from tests.e2e.people_table import People, person
from tests.e2e.service import service, until
from tests.rig.client import Kafka

SEGMENT = "tier <> 'none'"


def outcomes(people: People) -> list[dict[str, Any]]:
    topic = f"{people.prefix}.everyone.outcomes"
    if topic not in people.kafka.topics():
        return []
    return [json.loads(message.value() or b"") for message in people.kafka.read_all(topic)]


async def last_line(people: People, *arguments: str) -> str:
    ended = await people.command("explain", *arguments)
    assert ended.status == 0, ended
    return ended.out.splitlines()[-1]


async def test_every_record_of_a_row_is_explained_with_what_became_of_it(
    kafka: Kafka, prefix: str, tmp_path: Path
) -> None:
    async with Sandbox() as sandbox:
        people = People(kafka, prefix, sandbox, tmp_path, count=8)
        people.activation.update({"outcomes": "on", "where": SEGMENT})
        people.activation["attributes"] = {"tier": "tier", "initial": "upper(substring(name, 1, 1))"}
        sandbox.workspace("braze", prefix).faults = Faults(reject=("p2",))
        people.update(5, tier="silver")
        await people.catch_up()
        people.update(1, name="Nina")
        people.update(1, name="Norah")
        people.update(3, tier="none")
        people.activation["fields"] = {"email": "email"}
        await people.catch_up()

        told = outcomes(people)
        assert {one["outcome"] for one in told} == {"delivered", "rejected"}
        assert sum(len(one["offsets"]) for one in told if one["outcome"] == "delivered") == 9
        assert {(one["endpoint"], one["status"]) for one in told} == {("users_track", 201), ("users_delete", 201)}
        assert len({one["person"] for one in told}) == 8
        assert not any(word in json.dumps(told) for word in ("Name", "example.com", "p1", "p3"))

        unchanged = await people.command("explain", "--key=p1")
        assert unchanged.out.splitlines()[-1] == ("Not sent: initial unchanged after upper(substring(name, 1, 1))"), (
            unchanged
        )
        assert "delivered at" in unchanged.out
        assert "users_track answered 201" in unchanged.out
        assert not any(word in unchanged.out for word in ("Norah", "example.com", '"p1"'))
        assert (await last_line(people, "--key=p5")).startswith(
            "Delivered: Update of the whole row, sent as Insert, merged with other records; insert delivered at "
        )
        gone = await people.command("explain", "--id=p3", "--json", "--show-values")
        found = json.loads(gone.out)
        assert [record["op"] for record in found["records"]] == ["r", "u"]
        assert found["records"][1]["is"] == "outside of the segment: tier <> 'none' is false"
        assert found["records"][0]["identifiers"] == ["external_id p3"]
        assert found["answer"].startswith("Delivered: Delete; delete delivered at ")
        refused = await last_line(people, "--key=id=p2")
        assert refused.startswith(
            "Refused: Insert of the whole row; insert rejected (blacklisted_external_user_id) at "
        )
        assert re.search(r"dead letter [01]/0, blacklisted_external_user_id, open$", refused)
        people.update(4, tier="silver")
        assert (await last_line(people, "--key=p4", "--since=1h")).startswith("Waiting: Update of tier; not settled")


async def test_without_outcomes_delivery_is_unknown_and_a_topic_that_takes_none_disturbs_nobody(
    kafka: Kafka, prefix: str, tmp_path: Path
) -> None:
    async with Sandbox() as sandbox:
        people = People(kafka, prefix, sandbox, tmp_path, count=5)
        people.activation["outcomes"] = "on"
        kafka.create_topic(f"{prefix}.everyone.outcomes", 1, {"max.message.bytes": "10"})
        async with service(people.config, tmp_path) as running:
            await until(lambda: "outcome_not_told" in running.log, "the warning is told")
            people.update(1, name="Changed since")
            await until(lambda: people.found == people.expected, "the lane goes on")
            running.process.terminate()
            assert await running.ended() == 0
        assert outcomes(people) == []
        people.activation.pop("outcomes")
        people.update(1, name=f"Now {time.time()}")
        await people.catch_up()

        assert (await last_line(people, f"--id={person(1)['id']}")) == (
            "Decided, delivery unknown: Update of first_name; `outcomes: on` would tell"
        )
