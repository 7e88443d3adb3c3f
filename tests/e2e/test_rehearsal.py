"""`preview` and `plan` on real Kafka: what they say is what `run` then does, and they do nothing themselves."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from tests.e2e.service import LIMIT
from tests.e2e.stage import ACTIVATION, Stage
from tests.rig.client import Outgoing

TRACK = "/users/track"
DAY = 86_400
WHERE = "tier = 'gold' and score >= 10"


class Ended(NamedTuple):
    status: int
    out: str
    err: str


async def command(*arguments: str) -> Ended:
    """Runs `stream-sync ARGUMENTS` to its end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "stream_sync", *arguments,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), LIMIT)
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


def config_of(stage: Stage, name: str, **activation: Any) -> str:
    """A config file: the stage's, with these settings of its activation."""
    path: Path = stage.folder / name
    edited = {**stage.activation, **activation}
    path.write_text(json.dumps({**stage.config, "activations": {ACTIVATION: edited}}))
    return str(path)


def write_history(stage: Stage) -> None:
    """Of everything something: people who enter, stay, leave, come back, and a record that nobody can read."""
    table = stage.table
    table.is_member = lambda row: row["tier"] == "gold" and row["score"] >= 10
    stage.create(partitions=2)
    people = [table.insert(f"p{n}", name=f"Secret {n}", tier="gold", score=n * 5) for n in range(8)]
    long_ago = round((time.time() - 2 * DAY) * 1000)
    stage.kafka.produce(stage.topic, [Outgoing(r.key, r.value, r.headers, timestamp=long_ago) for r in people[0]])
    stage.write(
        *people[1:],
        table.update("p7", name="Secret again"),
        table.update("p6", tier="silver"),
        table.update("p1", score=50),
        table.update("p5", score=26),
        table.update("p5"),
        table.delete("p4"),
        table.delete("p3"),
        table.insert("p3", name="Secret 3", tier="gold", score=15),
    )
    stage.kafka.produce(stage.topic, [Outgoing(b'{"id":"p2"}', b'{"op":', (), 0)])


async def test_a_preview_is_what_is_then_sent(stage: Stage) -> None:
    stage.activation["where"] = WHERE
    write_history(stage)
    path = config_of(stage, "preview.json")

    asking = ("preview", "-c", path, "--activation", ACTIVATION, "--limit", "100")
    hidden = await command(*asking)

    assert hidden.status == 0, hidden.err
    assert "Secret" not in hidden.out + hidden.err
    for words in (
        "outside of the segment, since score >= 10 is false",
        "in the segment as external_id, since tier = 'gold' is true and score >= 10 is true",
        "outside of the segment, since tier = 'gold' is false",
        "update of external_id, what changed: name, version",
        "delete of external_id once 0.3 s went by without a write",
        "dead letter  ",
        '{"attributes":[{"name":"<text>","version":"<number>","external_id":"<text>"}]}',
    ):
        assert words in hidden.out, hidden.out
    assert (stage.people, stage.requests(), stage.committed) == ({}, [], {})

    await stage.catch_up()
    stage.write(stage.table.update("p5", score=99), stage.table.update("p7", name="Secret at last"))
    foreseen = await command(*asking, "--json", "--show-values")
    before = len(stage.requests())
    await stage.catch_up()

    said = [
        person
        for record in json.loads(foreseen.out)["records"]
        for intent in record.get("intents", ())
        for request in intent["requests"]
        if request["path"] == TRACK
        for person in request["body"]["attributes"]
    ]
    sent = [person for entry in stage.requests()[before:] for person in entry.rows]
    assert len(sent) == 2
    assert [person for person in sent if person not in said] == []


async def test_a_plan_counts_what_run_then_does(stage: Stage) -> None:
    stage.activation["where"] = WHERE
    write_history(stage)
    new = config_of(stage, "new.json")
    old = config_of(stage, "old.json", where="tier = 'gold'", attributes=["name", "score", "version"])

    told = await command("plan", "-c", new, "--against", old, "--json")
    words = await command("plan", "-c", new, "--against", old, "--since", "1d")
    nobody_touched = (stage.people, stage.requests(), stage.committed) == ({}, [], {})
    running = await stage.catch_up()

    assert told.status == words.status == 0, told.err + words.err
    assert nobody_touched
    plan = json.loads(told.out)
    found = plan["activations"][ACTIVATION]["new"]
    for kind, name in (("insert", "inserts"), ("update", "updates"), ("delete", "deletes")):
        assert found[name] == running.metric("intents_total", kind=kind) > 0, name
    assert found["unchanged"] == running.metric("unchanged_total") == 1
    (code,) = found["dead_letters"]
    assert found["dead_letters"][code] == running.metric("dead_letters_total", code=code) == 1
    assert found["updates_by_name"] == {"version": 2, "name": 1, "score": 1}
    assert found["people"] == 7  # p2 to p7, and p1 later
    assert (found["delete_budget"]["most"], found["delete_budget"]["cancelled"]) == (3, 0)
    assert found["delete_budget"]["gone"] == 2
    # Rows of gold that score less than 10: p0, and p1 before it got 50.
    assert plan["activations"][ACTIVATION]["segment"] == {"leave": 1, "enter": 0, "more": False}
    (source,) = plan["sources"]
    assert source["records"] == sum(stage.kafka.end_offsets(stage.topic).values())
    assert source["before_images"] == {"changes": 7, "without": 0, "partial": 0, "key_only": 0}
    total = source["records"]
    assert f"{stage.topic}: {total - 1} records" in words.out, words.out
    for line in ("where: tier = 'gold' -> " + WHERE, "tier added", "3 deletes counted"):
        assert line in words.out, words.out
    assert "Secret" not in told.out + words.out + words.err
