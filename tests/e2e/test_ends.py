"""How a run ends: in order on a signal, at once on a second one, and at any moment by a kill; nothing is ever lost."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from confluent_kafka import Consumer, ConsumerGroupState
from confluent_kafka.admin import AdminClient

from stream_sync.sandbox.faults import NONE, Faults
from tests.e2e.service import SHORT_SESSION, until
from tests.e2e.stage import Stage
from tests.rig.client import LIMIT

ENDS = (signal.SIGKILL, signal.SIGTERM) * 3


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_in_order_and_the_next_run_repeats_no_more_than_was_in_flight(
    stage: Stage, signum: signal.Signals
) -> None:
    stage.create(2)
    stage.activation["batch"]["max_records"] = 5
    stage.braze["in_flight"] = in_flight = 3
    stage.write(stage.table.inserts(200))
    stage.workspace.faults = Faults(latency=0.1)
    async with stage.process() as running:
        await until(lambda: len(stage.people) >= 20, "some people are there")
        running.process.send_signal(signum)
        assert await running.ended() == 0, running.log
    done = set(stage.people)
    first = len(stage.requests())
    assert all(entry.status == 201 for entry in stage.requests()), "what was in flight was finished"
    assert len(done) < 200

    stage.workspace.faults = NONE
    await stage.catch_up()

    assert stage.wrong == []
    repeated = [who for entry in stage.requests()[first:] for who in entry.people if who in done]
    assert len(repeated) <= in_flight * 5
    assert stage.is_committed_to_the_end


async def test_a_request_that_hangs_is_given_up_in_time_and_sent_by_the_next_run(stage: Stage) -> None:
    stage.create()
    stage.config["shutdown_timeout"] = "1s"
    stage.write(stage.table.inserts(3))
    stage.workspace.faults = Faults(latency=60)
    async with stage.process() as running:
        await until(lambda: len(stage.journal.entries) > 0, "a request hangs")
        running.process.send_signal(signal.SIGTERM)
        assert await running.ended() == 0, running.log
        (entry,) = stage.journal.entries
        assert time.monotonic() - entry.arrived < 28, "the request itself would take 30 s"
    assert stage.committed in ({}, {0: 0})

    stage.workspace.faults = NONE
    await stage.catch_up()

    assert stage.wrong == []


async def test_a_second_signal_ends_at_once(stage: Stage) -> None:
    """With a status of its own; after the first one it would end with 0 when the request did."""
    stage.create()
    stage.write(stage.table.insert("ann"))
    stage.workspace.faults = Faults(latency=60)
    async with stage.process() as running:
        await until(lambda: len(stage.journal.entries) > 0, "a request hangs")
        running.process.send_signal(signal.SIGTERM)
        await until(lambda: "stopping" in running.log, "the first signal was taken")
        running.process.send_signal(signal.SIGTERM)
        assert await running.ended() == 130


async def test_a_process_ended_at_any_moment_loses_nothing(stage: Stage) -> None:
    dice = random.Random(4)
    table = stage.table
    stage.create(2)
    stage.config["kafka"] |= SHORT_SESSION
    stage.activation["batch"]["max_records"] = 5
    stage.braze["in_flight"] = 2
    stage.workspace.faults = Faults(latency=0.03)
    stage.write(table.inserts(60))
    for how in ENDS:
        alive = sorted(table.rows)
        stage.write(*(table.update(who, score=dice.randrange(100)) for who in dice.sample(alive, 25)))
        stage.write(*(table.delete(who) for who in dice.sample(alive, 3)))
        stage.write(table.inserts(3, start=dice.randrange(1000, 9000)))
        before = len(stage.journal.entries)
        async with stage.process() as running:
            wanted = before + dice.randrange(1, 15)
            await until(
                lambda wanted=wanted: len(stage.journal.entries) >= wanted or stage.wrong == [],  # type: ignore[misc]
                "so many requests, or all that there are",
            )
            running.process.send_signal(how)
            assert await running.ended() == (0 if how is signal.SIGTERM else -signal.SIGKILL), running.log

    await stage.catch_up()

    assert stage.wrong == []
    assert stage.is_committed_to_the_end


@asynccontextmanager
async def somebody_who_never_rejoins(stage: Stage) -> AsyncIterator[None]:
    """A member that lets the group wait: it joined once and polls no more, but its heart beats."""
    properties = {
        "bootstrap.servers": stage.kafka.bootstrap,
        "group.id": stage.group,
        "partition.assignment.strategy": "cooperative-sticky",
    }
    member = Consumer(properties)
    try:
        member.subscribe([stage.topic])
        await until(lambda: member.poll(0.05) is not None or bool(member.assignment()), "it is a member")
        yield
    finally:
        await asyncio.to_thread(member.close)


async def test_a_stop_while_joining_is_quick(stage: Stage) -> None:
    stage.create()
    admin = AdminClient({"bootstrap.servers": stage.kafka.bootstrap})

    def is_waiting() -> bool:
        group = admin.describe_consumer_groups([stage.group])[stage.group].result(LIMIT)
        return bool(group.state == ConsumerGroupState.PREPARING_REBALANCING)

    async with somebody_who_never_rejoins(stage), stage.inside() as running:
        await until(is_waiting, "the service joins")
        started = time.monotonic()
        result = await running.stop()
        assert time.monotonic() - started < 60, "the group itself would wait for 300 s"
        assert not result.halted


async def test_a_stop_while_the_topic_is_missing_is_quick(stage: Stage) -> None:
    async with stage.inside() as running:
        await until(lambda: running.is_halted, "the topic is missed")
        started = time.monotonic()
        await running.stop()
        assert time.monotonic() - started < 30, "it looks again after 60 s"


async def test_a_topic_that_comes_later_is_found(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream_sync.delivery.rest.PROBE_SECONDS", 0.2)
    async with stage.inside() as running:
        await until(lambda: running.is_halted, "the topic is missed")
        assert not running.is_polling, "or the process is restarted, with all its other lanes"
        stage.create()
        stage.write(stage.table.insert("ann"))
        await until(lambda: stage.wrong == [], "its people are there")
        assert running.is_polling
