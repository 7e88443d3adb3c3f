"""When an activation runs, as its operator sees it: a schedule, a pause, and the commands that tell and ask."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import re
import time
from contextlib import redirect_stderr, redirect_stdout
from datetime import datetime
from typing import Any, NamedTuple

import pytest
from confluent_kafka import Consumer, TopicPartition

from stream_sync import cli
from stream_sync.kafka.progress import Progress
from tests.e2e.service import LIMIT, Running, until
from tests.e2e.stage import ACTIVATION, Stage

TOKEN = "made-up-token-of-this-test"


@pytest.fixture(autouse=True)
def patient_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that stands still is no service that does not answer."""
    monkeypatch.setattr("stream_sync.commands.running.TIMEOUT", LIMIT)


class Done(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    err: str


def with_console(stage: Stage) -> None:
    stage.config["admin"] = {"port": 0, "console": "write", "token": TOKEN}


async def address(running: Running) -> str:
    """Of the service's console."""
    await until(lambda: "admin_listening" in running.log, "the console listens")
    found = re.search(r"http://127.0.0.1:[0-9]+", running.log)
    assert found is not None
    return found[0]


async def command(stage: Stage, *words: str) -> Done:
    """In this process: starting one takes longer than the lanes wait."""
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        status = await asyncio.to_thread(cli.main, [*words, "-c", str(stage.folder / "config.yaml")])
    return Done(status, out.getvalue(), err.getvalue())


async def lanes(stage: Stage, url: str) -> dict[str, dict[str, Any]]:
    done = await command(stage, "status", "--json", "--url", url)
    assert done.status == 0, done.err
    return {found["activation"]: found for found in json.loads(done.out)["lanes"]}


async def lane(stage: Stage, url: str) -> dict[str, Any]:
    return (await lanes(stage, url))[ACTIVATION]


async def test_between_its_runs_a_lane_waits_and_a_run_sends_each_person_once_and_then_who_left(stage: Stage) -> None:
    stage.activation["schedule"] = {"every": "4s"}
    stage.activation["deletes"]["after"] = "500ms"
    with_console(stage)
    table = stage.table
    stage.create(2)
    stage.write(table.inserts(20))
    async with stage.process() as running:
        url = await address(running)
        await until(lambda: stage.is_committed_to_the_end, "the first run is over")
        scores = itertools.count(1)
        before, due = 0, ""

        async def changes_wait() -> bool:
            """For the next run; False where it took them before anybody could look."""
            nonlocal before, due
            before = len(stage.requests())
            stage.write(*(table.update("p1", score=next(scores)) for _ in range(5)))
            found = await lane(stage, url)
            due = found["next_run"]
            return is_between_runs(found) and len(stage.requests()) == before

        await until(changes_wait, "it waits for its next run")
        stage.write(table.delete("p2"))
        await until(lambda: shows_that_it_waits(stage, url), "people are shown so, too")
        await until(lambda: stage.wrong == [], "the next runs are over")

        (sent,) = stage.requests()[before:]
        assert sent.people == ["p1"]
        assert sent.arrived + time.time() - time.monotonic() >= datetime.fromisoformat(due).timestamp()
        assert stage.deleted == ["p2"]
        assert running.log.count("partitions_assigned") == 1


async def test_a_manual_activation_is_run_by_hand_beside_the_service_and_sends_each_person_once(stage: Stage) -> None:
    stage.activation["schedule"] = "manual"
    with_console(stage)
    stage.create(2)
    stage.write(stage.table.inserts(3), *(stage.table.update("p1", score=score) for score in range(1, 6)))
    async with stage.process() as running:
        url = await address(running)

        async def waits_for_a_run() -> bool:
            found = await lane(stage, url)
            told = found["state"], found["reason"], found["lag"], found["next_run"]
            return told == ("waiting", "schedule", 8, None)

        await until(waits_for_a_run, "it waits, and what waits for it is counted")
        assert stage.requests() == []
        await stage.catch_up()
        assert sorted(who for entry in stage.requests() for who in entry.people) == ["p0", "p1", "p2"]
        assert stage.wrong == []
        assert stage.is_committed_to_the_end
        assert "partitions_assigned" not in running.log
        running.process.terminate()
        assert await running.ended() == 0


async def test_an_open_window_and_a_cron_that_was_missed_send_and_what_is_not_due_waits(stage: Stage) -> None:
    hour = time.gmtime().tm_hour
    stage.activation["schedule"] = {"cron": "0 7 * * *"}
    beside = {
        "open": {"between": clock_times(hour - 2, hour + 3)},
        "closed": {"between": clock_times(hour + 3, hour - 2)},
        "leap-day": {"cron": "0 0 29 2 *"},
    }
    name = f"{stage.config['name']}-others"
    others = stage.oracle.account(name)
    stage.config["destinations"]["others"] = {**stage.braze, "url": stage.oracle.address(name)}
    upsert = {key: value for key, value in stage.activation.items() if key != "deletes"} | {"mode": "upsert"}
    for activation, schedule in beside.items():
        stage.config["activations"][activation] = {**upsert, "destination": "others", "schedule": schedule}
    with_console(stage)
    stage.create()
    stage.write(stage.table.inserts(5))
    ran_two_days_ago(stage)
    async with stage.process() as running:
        url = await address(running)
        await until(lambda: len(stage.people) == len(others.people) == 5, "the cron's run and the window's are over")
        await until(lambda: all_stand_as(stage, url, *beside), "the others wait")
        shown = await lanes(stage, url)
        assert shown["leap-day"]["next_run"].endswith("-02-29T00:00:00Z")
        assert shown["closed"]["next_run"].endswith(f"T{(hour + 3) % 24:02}:00:00Z")
        done = {each: f"{stage.config['name']}.{each}" for each in beside}
        await until(lambda: stage.kafka.committed(done["open"], stage.topic) == {0: 5}, "the window's is committed")
        assert {stage.kafka.committed(done[each], stage.topic).get(0, 0) for each in ("closed", "leap-day")} == {0}
        assert sorted(who for entry in others.journal.entries for who in entry.people) == sorted(others.people)


def clock_times(start: int, end: int) -> str:
    """A window between two hours of the day."""
    return f"{start % 24:02}:00-{end % 24:02}:00"


def ran_two_days_ago(stage: Stage) -> None:
    """What a service that was stopped then has left in the activation's group."""
    ran = Progress(ran=int(time.time()) - 2 * 86_400)
    member = Consumer({"bootstrap.servers": stage.kafka.bootstrap, "group.id": stage.group})
    member.commit(offsets=[TopicPartition(stage.topic, 0, 0, ran.encode())], asynchronous=False)
    member.close()


async def all_stand_as(stage: Stage, url: str, *beside: str) -> bool:
    """The first of those beside works, all others wait for their schedule."""
    found = await lanes(stage, url)
    waiting = [name for name, each in found.items() if (each["state"], each["reason"]) == ("waiting", "schedule")]
    return sorted(waiting) == sorted({ACTIVATION, *beside[1:]}) and found[beside[0]]["state"] == "running"


async def test_a_paused_activation_takes_and_sends_nothing_until_it_is_resumed(stage: Stage) -> None:
    stage.activation["paused"] = True
    with_console(stage)
    table = stage.table
    stage.create()
    stage.write(table.inserts(5))
    left_out = await stage.run("--until-caught-up")
    assert (left_out.process.returncode, "paused_not_run" in left_out.log) == (0, True)
    async with stage.process() as running:
        url = await address(running)
        await until(lambda: "partitions_assigned" in running.log, "it has its partitions")
        paused = await lane(stage, url)
        assert (paused["state"], paused["reason"], paused["paused"]) == ("paused", "by_request", True)
        assert stage.requests() == []

        resumed = await command(stage, "resume", "--activation", ACTIVATION, "--url", url)
        assert (resumed.status, resumed.out.startswith(f"{ACTIVATION}: not paused")) == (0, True), resumed
        await until(lambda: stage.is_committed_to_the_end, "all is delivered")
        again = await command(stage, "pause", "--url", url)
        assert again.out.startswith(f"{ACTIVATION}: paused")
        await until(lambda: is_paused(stage, url, lag=0), "it takes no more")
        before = len(stage.requests())
        stage.write(table.update("p1", score=9))
        await until(lambda: is_paused(stage, url, lag=1), "the backlog in Kafka is told")
        assert len(stage.requests()) == before
        await command(stage, "resume", "--url", url)
        await until(lambda: stage.wrong == [], "it goes on")


def is_between_runs(found: dict[str, Any]) -> bool:
    told = found["state"], found["reason"], found["limits"]["limited_by"]
    return told == ("waiting", "schedule", "schedule") and found["next_run"] is not None


async def shows_that_it_waits(stage: Stage, url: str) -> bool:
    return "waiting (schedule)" in (await command(stage, "status", "--url", url)).out


async def is_paused(stage: Stage, url: str, *, lag: int) -> bool:
    found = await lane(stage, url)
    return (found["state"], found["lag"]) == ("paused", lag)


async def test_whom_nobody_can_ask_is_said_in_words(stage: Stage) -> None:
    (stage.folder / "config.yaml").write_text(json.dumps(stage.config))
    off = await command(stage, "status")
    assert (off.status, "admin" in off.err) == (2, True)
    nobody = await command(stage, "pause", "--url", "http://127.0.0.1:1")
    assert (nobody.status, "no service answers at http://127.0.0.1:1" in nobody.err) == (1, True)
    unknown = await command(stage, "resume", "--activation", "everybody", "--url", "http://127.0.0.1:1")
    assert (unknown.status, f"did you mean '{ACTIVATION}'" in unknown.err) == (2, True)
