"""A destination that is down, fails now and then, or cannot bear one person: asked little, forgotten never. Whole
lanes, in virtual time."""

from __future__ import annotations

import asyncio
import gc
import itertools
from collections.abc import Sequence

import pytest

from stream_sync.config.values import Rate
from tests.simulation.account import Call
from tests.simulation.world import Pod, World, simulate

HOUR = 3600.0


async def keep_changing(world: World, seconds: float, people: int, pause: float) -> None:
    """Rows change one after the other."""
    end = asyncio.get_running_loop().time() + seconds
    for number in itertools.count():
        if asyncio.get_running_loop().time() >= end:
            return
        world.write(f"p{number % people}", score=number)
        await asyncio.sleep(pause)


def overlapping(calls: Sequence[Call]) -> int:
    """How many of them began before the one before had its answer."""
    return sum(one.ended is None or other.started < one.ended for one, other in itertools.pairwise(calls))


def size_of(pod: Pod) -> dict[str, int]:
    """What a process holds that could grow."""
    timers = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
    return {
        "people": sum(len(lane._backlog) for lane in pod.lanes),
        "unsettled": sum(each.unsettled for member in pod.members for each in member.assigned.values()),
        "busy": len(pod.destination.people.busy),
        "tasks": len(asyncio.all_tasks()),
        "timers": sum(not timer.cancelled() for timer in timers),
    }


def test_an_hour_s_outage_costs_no_memory_and_two_hundred_requests() -> None:
    async def course(world: World) -> None:
        world.inserts(500)
        pod = world.start()
        await world.settled()
        before = len(world.account.calls)
        world.account.is_down = True
        changing = asyncio.ensure_future(keep_changing(world, HOUR, 500, pause=3.0))
        await asyncio.sleep(HOUR / 4)
        early = size_of(pod)
        await asyncio.sleep(HOUR / 2)
        gc.collect()
        late = size_of(pod)
        await changing
        down = world.account.calls[before:]
        first_answer = min(call.ended for call in down if call.ended is not None)
        probes = [call for call in down if call.started > first_answer]
        assert overlapping(probes) == 0, "one request at a time"
        assert 60 <= len(probes) <= 250, "each after a wait of half a minute in the mean"
        waits = sorted(other.started - one.started for one, other in itertools.pairwise(probes[10:]))
        assert waits[0] < 10
        assert waits[-1] > 40, "full jitter: anything up to a minute"
        assert late["people"] <= 2 * 500
        assert late["unsettled"] <= early["unsettled"] + 2 * HOUR / 2 / 3, "an offset a change is all that is added"
        for what in ("busy", "tasks", "timers"):
            assert late[what] <= early[what] + 20, f"{what} are let go of"
        assert pod.metric("destination_down", destination="strict") == 1
        assert all(pod.metric("rebalances_total", activation=name) == 1 for name in world.names)
        world.account.is_down = False
        await world.settled(limit=120.0)
        assert pod.metric("destination_down", destination="strict") == 0

    world = World(1, activations=2)
    world.poll_seconds = 2.0
    simulate(world, course)
    assert world.wrong == []


def test_a_backlog_of_any_length_is_left_in_kafka_while_the_destination_is_down() -> None:
    async def course(world: World) -> None:
        world.most_people = 200
        world.account.is_down = True
        world.inserts(5_000)
        pod = world.start()
        await asyncio.sleep(600)
        assert size_of(pod)["people"] <= 200 + 500
        assert size_of(pod)["unsettled"] <= 200 + 500
        world.account.is_down = False
        await world.settled()

    world = World(2)
    simulate(world, course)
    assert world.wrong == []


def test_without_an_outage_few_requests_are_repetitions() -> None:
    """Each failed request is repeated as it was, not by the row: no storm."""

    async def course(world: World) -> None:
        world.inserts(400)
        world.start()
        await world.settled()
        world.account.calls.clear()
        world.account.failing = 0.1
        await keep_changing(world, 120, 400, pause=0.1)
        world.account.failing = 0.0
        await world.settled()

    world = World(3)
    simulate(world, course)
    calls = world.account.calls
    done = sum(call.result == "done" for call in calls)
    assert len(calls) > 100
    assert (len(calls) - done) / len(calls) <= 0.2
    assert world.wrong == []


@pytest.mark.parametrize("others", [0, 19])
def test_one_whom_the_destination_cannot_bear_is_left_alone(others: int) -> None:
    """Every request with them gets a 5xx. All others are delivered within a minute."""

    async def course(world: World) -> None:
        world.account.poison = {"p0"}
        world.inserts(1 + others)
        world.start()
        await world.until(lambda: len(world.account.people) == others, "everybody else is there", 60.0)
        await asyncio.sleep(300)
        assert not world.letters["lane0"].dead, "while nobody else is asked, it may be the destination's fault"
        await keep_changing(world, 120, 1 + others, pause=1.0) if others else None

    world = World(4)
    simulate(world, course)
    assert world.account.wrong == []
    assert [code for _, code in world.letters["lane0"].dead[:1]] == (["destination_error"] if others else [])


def test_the_lanes_of_a_destination_share_its_limit_and_so_do_pods_by_their_partitions() -> None:
    async def course(world: World) -> None:
        world.inserts(600)
        world.start()
        await asyncio.sleep(30)
        world.start()
        world.start()
        await asyncio.sleep(10)
        changed = asyncio.get_running_loop().time()
        for number in range(600):
            world.write(f"p{number}", score=number)
        await world.settled()
        calls = sorted(call.started for call in world.account.calls)
        assert most_within([at for at in calls if at < 30], 1.0) <= 10
        assert most_within([at for at in calls if at > changed], 1.0) <= 10

    world = World(5, partitions=6, activations=3)
    world.limits = world.limits.__class__(writes=4, in_flight=8)
    world.rate = Rate(10, 1.0)
    simulate(world, course)
    assert world.wrong == []


def most_within(starts: Sequence[float], seconds: float) -> int:
    return max(sum(start <= other < start + seconds for other in starts) for start in starts)
