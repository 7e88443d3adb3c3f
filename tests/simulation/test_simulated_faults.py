"""Whatever happens in whatever order: nothing lost, nothing out of order, nobody twice in flight, nobody deleted beyond
the budget. Whole lanes in virtual time; each seed is another course of events."""

from __future__ import annotations

import asyncio

import pytest

from tests.simulation.world import World, simulate

PEOPLE = 40
MOST, PER = 8, 600.0
"""The delete budget of some storms."""


async def storm(world: World, *, seconds: float, deletes: bool) -> None:
    """Rows change while pods come, go and die, commits are refused, and the destination fails."""
    random = world.random
    world.inserts(PEOPLE)
    world.start()
    end = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < end:
        for _ in range(random.randrange(30)):
            who = f"p{random.randrange(PEOPLE)}"
            if deletes and who in world.rows and random.random() < 0.1:
                world.delete(who)
            else:
                world.write(who, score=random.randrange(8))
        if random.random() < 0.2:
            world.topic.gap(random.randrange(len(world.topic.logs)), random.randint(1, 3))
        await asyncio.sleep(random.random() * 0.5)
        await _something_happens(world)
    world.account.is_down = False
    world.account.failing = world.account.throttling = 0.0
    for group in world.groups.values():
        group.refuse_commits = 0.0
    if not world.pods:
        world.start()
    await world.settled()


async def _something_happens(world: World) -> None:
    random, account = world.random, world.account
    pod = random.choice(world.pods) if world.pods else None
    match random.randrange(8):
        case 0 if len(world.pods) < 3:
            world.start()
        case 1 if pod is not None and len(world.pods) > 1:
            await pod.stop(random.random() * 2)
        case 2 if pod is not None:
            pod.die()
        case 3 if pod is not None:
            pod.lose_everything()
        case 4:
            for group in world.groups.values():
                group.share_out()
        case 5:
            account.is_down = not account.is_down
        case 6:
            account.failing, account.throttling = random.choice([(0.0, 0.0), (0.2, 0.1), (0.5, 0.0)])
        case 7:
            for group in world.groups.values():
                group.refuse_commits = random.choice([0.0, 0.0, 0.5])
        case _:
            pass


@pytest.mark.parametrize("seed", range(4))
def test_a_storm_loses_nothing_and_turns_nothing_round(seed: int) -> None:
    world = World(seed)
    simulate(world, lambda world: storm(world, seconds=40.0, deletes=seed % 2 == 0))
    assert world.wrong == []


@pytest.mark.parametrize("seed", range(1))
def test_a_storm_deletes_nobody_beyond_the_budget(seed: int) -> None:
    world = World(seed, max=MOST, per=PER)
    simulate(world, lambda world: storm(world, seconds=40.0, deletes=True))
    assert world.wrong == []
    assert world.most_deleted_within(PER) <= MOST
    assert len(world.account.deleted) + len(world.letters["lane0"].held) > MOST


def test_a_stop_commits_what_is_settled_though_a_request_takes_all_of_its_time() -> None:
    async def course(world: World) -> None:
        pod = world.start()
        world.inserts(5)
        await world.settled()
        group, (log,) = pod.members[0].group, world.topic.logs
        group.refuse_commits = 1.0
        world.write("p0", score=1)
        await world.until(lambda: world.account.people["p0"].get("score") == 1, "it is delivered")
        await world.until(lambda: world.account.calls[-1].ended is not None, "it is answered")
        world.account.latency = 1000.0
        world.write("p1", score=1)
        await world.until(lambda: world.account.calls[-1].ended is None, "the next one is under way")
        group.refuse_commits = 0.0
        await pod.stop(budget=0.3)
        assert group.committed[0].position == len(log) - 1
        world.account.latency = 0.1
        world.account.forget_order()
        world.start()
        await world.settled()

    world = World(6, partitions=1)
    simulate(world, course)
    assert world.wrong == []


def test_a_lane_whose_commits_are_refused_waits_and_goes_on_when_they_are_taken() -> None:
    async def course(world: World) -> None:
        pod = world.start()
        world.inserts(5)
        await world.settled()
        pod.members[0].group.refuse_commits = 1.0
        world.write("p0", score=1)
        await asyncio.sleep(5 * pod.members[0].session_timeout)
        world.write("p0", score=2)
        await asyncio.sleep(5)
        assert world.account.people["p0"]["score"] == 1, "somebody else may own the row"
        pod.members[0].group.refuse_commits = 0.0
        await world.settled(10.0)

    world = World(7, partitions=1)
    simulate(world, course)
    assert world.wrong == []
