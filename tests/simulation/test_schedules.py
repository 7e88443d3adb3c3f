"""Lanes with a schedule, and paused ones, in virtual time: when they write, and above all when they delete."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import pytest

from stream_sync.schedule import Between, Continuous, Every, Manual, Schedule
from tests.simulation.world import STARTED, Pod, World, simulate

HOUR = 600.0
"""Of the schedules here: short enough for a quick simulation."""


def world_with(schedule: Schedule, **deletes: Any) -> World:
    world = World(3, **deletes)
    world.activation = world.activation.model_copy(update={"schedule": schedule})
    world.poll_seconds = 1.0
    return world


def calls_within(world: World, start: float, end: float) -> int:
    return sum(start <= call.started < end for call in world.account.calls)


def state(pod: Pod) -> str:
    return next(
        each
        for each in ("running", "waiting", "paused", "halted")
        if pod.metric("lane_state", activation="lane0", state=each)
    )


def test_a_run_sends_each_person_once_and_what_comes_after_it_waits_in_kafka_for_the_next() -> None:
    async def course(world: World) -> None:
        world.inserts(100)
        for score in range(10):
            for each in range(100):
                world.write(f"p{each}", score=score)
        pod = world.start()
        await world.settled(60.0)
        assert sum(len(call.people) for call in world.account.calls) == 100, "merged to the newest"
        await asyncio.sleep(2.0)
        assert state(pod) == "waiting"
        assert pod.metric("limited_by", activation="lane0", by="schedule") == 1
        world.write("p1", score=99)
        await asyncio.sleep(HOUR - 120)
        assert calls_within(world, 120.0, HOUR) == 0
        assert pod.metric("lag_records", activation="lane0") == 1
        assert pod.metric("pending_intents", activation="lane0") == 0
        await asyncio.sleep(240)
        assert world.wrong == []
        assert world.groups["lane0"].is_at_the_end
        assert pod.metric("rebalances_total", activation="lane0") == 1, "it kept its membership"

    simulate(world_with(Every(HOUR)), course)


def test_a_restart_neither_repeats_a_run_nor_forgets_one_that_was_missed() -> None:
    async def course(world: World) -> None:
        world.inserts(10)
        pod = world.start()
        await world.settled(60.0)
        await pod.stop()
        world.write("p1", score=1)
        pod = world.start()
        await asyncio.sleep(HOUR / 2)
        assert calls_within(world, 60.0, HOUR) == 0
        await pod.stop()
        await asyncio.sleep(5 * HOUR)
        before = len(world.account.calls)
        world.start()
        await world.settled(60.0)
        await asyncio.sleep(HOUR / 4)
        assert len(world.account.calls) == before + 1, "five ticks were missed: one run"
        assert world.wrong == []

    simulate(world_with(Every(HOUR)), course)


def test_a_delete_follows_its_tick_and_never_comes_between_runs() -> None:
    async def course(world: World) -> None:
        world.inserts(5)
        world.start()
        await world.settled(60.0)
        world.delete("p1")
        await asyncio.sleep(HOUR - 100)
        assert world.account.deleted == []
        await asyncio.sleep(200)
        assert [who for _, who in world.account.deleted] == ["p1"]
        at = world.account.deleted[0][0]
        assert HOUR + 60.0 <= at < HOUR + 90.0, "a minute after it was decided, which ends its run"
        assert world.wrong == []

    simulate(world_with(Every(HOUR), after=60.0), course)


def test_a_write_that_came_after_the_run_took_its_delete_cancels_it() -> None:
    async def course(world: World) -> None:
        world.inserts(5)
        world.start()
        await world.settled(60.0)
        world.delete("p1")
        await asyncio.sleep(HOUR - asyncio.get_running_loop().time() + 20.0)
        world.write("p1", score=7)
        await world.settled(300.0)
        assert world.account.deleted == []
        assert world.wrong == []

    simulate(world_with(Every(HOUR), after=60.0), course)


def test_a_delete_that_waits_longer_than_the_interval_is_not_lost_and_not_early() -> None:
    async def course(world: World) -> None:
        world.inserts(5)
        world.start()
        await world.settled(60.0)
        world.delete("p1")
        world.write("p2", score=2)
        await asyncio.sleep(200.0)
        assert world.account.people["p2"]["score"] == 2
        assert world.account.deleted == []
        await world.settled(600.0)
        at, who = world.account.deleted[0]
        assert who == "p1"
        assert 330.0 <= at < 420.0
        assert world.wrong == []

    simulate(world_with(Every(60.0), after=300.0), course)


def test_a_window_that_closes_holds_what_is_left_and_its_deletes_until_it_opens_again() -> None:
    assert STARTED % 86_400 == (22 * 60 + 13) * 60 + 20, "the simulation begins at 22:13:20"

    async def course(world: World) -> None:
        world.inserts(5)
        pod = world.start()
        await world.settled(10.0)
        world.delete("p1")
        world.delete("p2")
        await asyncio.sleep(60.0)
        assert state(pod) == "waiting", "it closed at 22:14, before their minute was over"
        world.write("p2", score=9)
        world.write("p3", score=9)
        await asyncio.sleep(320.0)
        assert world.account.people["p3"]["score"] == 0
        assert world.account.deleted == []
        await world.settled(60.0)
        assert [who for _, who in world.account.deleted] == ["p1"], "p2 came back while it was closed"
        assert world.wrong == []

    simulate(world_with(Between(22 * 60 + 20, 22 * 60 + 14), after=60.0), course)


def test_manual_takes_nothing_by_itself_and_leaves_all_partitions_to_the_run_that_somebody_starts() -> None:
    async def course(world: World) -> None:
        world.inserts(5)
        pod = world.start()
        await asyncio.sleep(HOUR)
        assert world.account.calls == []
        assert state(pod) == "waiting"
        assert pod.lanes[0].status.next_run is None
        assert pod.lanes[0].polled_at is None, "its consumer is not waited for"
        assert pod.metric("lag_records", activation="lane0") == 5
        assert world.groups["lane0"].members == []
        by_hand = world.run_by_hand()
        await asyncio.wait_for(asyncio.wait(by_hand.runs), 30.0)
        await by_hand.stop()
        assert world.groups["lane0"].is_at_the_end
        assert world.wrong == []
        await asyncio.sleep(20.0)
        assert pod.metric("lag_records", activation="lane0") == 0
        pod.lanes[0].pause()
        await asyncio.sleep(2.0)
        assert (state(pod), pod.lanes[0].status.reason) == ("paused", "by_request")
        await pod.stop()

    simulate(world_with(Manual()), course)


def test_a_run_by_hand_beside_a_service_that_rests_says_what_it_waits_for_and_ends_with_its_next_run() -> None:
    async def course(world: World) -> None:
        world.inserts(20)
        world.start()
        await world.settled(60.0)
        for each in range(20):
            world.write(f"p{each}", score=1)
        by_hand = world.run_by_hand()
        await asyncio.sleep(20.0)
        assert "partitions_elsewhere" not in by_hand.logged
        await asyncio.sleep(HOUR / 2)
        assert by_hand.logged.count("partitions_elsewhere") == 1
        assert not world.groups["lane0"].is_at_the_end
        await asyncio.wait_for(asyncio.wait(by_hand.runs), HOUR)
        await by_hand.stop()
        assert world.groups["lane0"].is_at_the_end
        assert world.wrong == []

    simulate(world_with(Every(HOUR)), course)


def test_a_paused_lane_sends_nothing_and_a_delete_that_was_due_meanwhile_is_cancelled_by_what_came() -> None:
    async def course(world: World) -> None:
        world.inserts(5)
        pod = world.start()
        await world.settled(60.0)
        world.delete("p1")
        world.delete("p2")
        await asyncio.sleep(3.0)
        pod.lanes[0].pause()
        await asyncio.sleep(3.0)
        paused_at = asyncio.get_running_loop().time()
        world.write("p1", score=5)
        await asyncio.sleep(HOUR)
        assert calls_within(world, paused_at, 2 * HOUR) == 0
        assert state(pod) == "paused"
        assert pod.lanes[0].status.is_paused
        assert pod.metric("lag_records", activation="lane0") == 1
        pod.lanes[0].resume()
        await world.settled(60.0)
        assert [who for _, who in world.account.deleted] == ["p2"]
        assert world.wrong == []
        assert pod.metric("rebalances_total", activation="lane0") == 1

    simulate(world_with(World().activation.schedule, after=60.0), course)


def test_two_pods_share_a_run_and_a_partition_that_moves_is_run_once() -> None:
    async def course(world: World) -> None:
        world.inserts(50)
        world.start()
        await world.settled(60.0)
        world.start()
        for each in range(50):
            world.write(f"p{each}", score=1)
        await asyncio.sleep(HOUR / 2)
        assert calls_within(world, 120.0, HOUR / 2) == 0
        await world.settled(HOUR)
        assert world.wrong == []
        world.pods[0].die()
        for each in range(50):
            world.write(f"p{each}", score=2)
        await world.settled(2 * HOUR)
        assert world.wrong == []

    simulate(world_with(Every(HOUR)), course)


@pytest.mark.parametrize("seed", [0, 2])
def test_whatever_happens_between_and_in_the_runs_nothing_is_lost_or_deleted_by_mistake(seed: int) -> None:
    async def course(world: World) -> None:
        dice, people = world.random, [f"p{number}" for number in range(40)]
        world.start()
        for _ in range(30):
            await asyncio.sleep(dice.uniform(1.0, 40.0))
            for who in dice.sample(people, dice.randrange(1, 12)):
                if who in world.rows and dice.random() < 0.3:
                    world.delete(who)
                else:
                    world.write(who, score=dice.randrange(100))
            pod = dice.choice(world.pods)
            match dice.randrange(8):
                case 0:
                    pod.die()
                    world.start()
                case 1 if len(world.pods) < 3:
                    world.start()
                case 2 if len(world.pods) > 1:
                    await pod.stop()
                case 3:
                    pod.lanes[0].pause()
                case 4 | 5:
                    for each in world.pods:
                        each.lanes[0].resume()
        for each in world.pods:
            each.lanes[0].resume()
        await world.settled(3 * HOUR)
        assert world.wrong == []

    world = World(seed, after=dice_of(seed).choice([2.0, 30.0, 200.0]))
    schedule = dice_of(seed).choice([Every(60.0), Every(15.0), Continuous()])
    world.activation = world.activation.model_copy(update={"schedule": schedule})
    simulate(world, course)


def dice_of(seed: int) -> Random:
    return Random(seed)
