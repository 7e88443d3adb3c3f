"""Ids of contacts that are remembered, and requests that wait for each other."""

from __future__ import annotations

import asyncio
import random
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from stream_sync.contract.virtual_time import run
from stream_sync.sinks.voyado_ids import Ids
from stream_sync.sinks.voyado_turns import Divide, Turns


def test_an_id_is_believed_until_its_time_is_over() -> None:
    ids = Ids(lifetime=600, most=10)
    ids.put("a@x", "C1", now=0)
    assert ids.get("a@x", 599.9) == "C1"
    assert ids.addresses("c1", 599.9) == {"a@x"}
    assert ids.addresses("c1", 600) == frozenset()
    assert ids.get("a@x", 600) is None
    assert len(ids) == 0


def test_the_oldest_makes_room() -> None:
    ids = Ids(lifetime=600, most=2)
    for number in range(3):
        ids.put(f"{number}@x", f"c{number}", now=number)
    assert [ids.get(f"{number}@x", 3) for number in range(3)] == [None, "c1", "c2"]


@given(st.lists(st.tuples(st.sampled_from(["put", "forget", "contact"]), st.integers(0, 3), st.integers(0, 2))))
def test_both_ways_of_asking_agree(steps: list[tuple[str, int, int]]) -> None:
    ids, expected = Ids(lifetime=1, most=100), dict[str, str]()
    for step, number, contact in steps:
        address, contact_id = f"{number}@x", f"c{contact}"
        if step == "put":
            ids.put(address, contact_id, now=0)
            expected[address] = contact_id
        elif step == "forget":
            ids.forget(address)
            expected.pop(address, None)
        else:
            ids.forget_contact(contact_id.upper())
            expected = {known: one for known, one in expected.items() if one != contact_id}
    assert {address: ids.get(address, 0) for address in expected} == expected
    assert len(ids) == len(expected)
    for contact in range(3):
        assert ids.addresses(f"c{contact}", 0) == {known for known, one in expected.items() if one == f"c{contact}"}


def test_turns_are_taken_alone_and_nobody_waits_in_a_ring() -> None:
    async def main() -> None:
        turns, holders, dice = Turns(), dict[str, int](), random.Random(1)

        async def work(number: int) -> None:
            keys = dice.sample("abcd", dice.randint(1, 3))
            async with turns.all_of(keys):
                for key in keys:
                    assert key not in holders
                    holders[key] = number
                await asyncio.sleep(dice.random())
                for key in keys:
                    del holders[key]

        await asyncio.gather(*(work(number) for number in range(100)))
        assert len(turns) == 0

    run(main())


def test_two_sides_are_never_under_way_together_and_neither_waits_for_ever() -> None:
    async def main() -> None:
        divide, dice = Divide(), random.Random(2)
        under_way: dict[str, int] = {"look": 0, "write": 0}
        most = 0

        async def cross(side: Literal["look", "write"]) -> None:
            nonlocal most
            await asyncio.sleep(dice.random() * 50)
            async with divide.on(side):
                under_way[side] += 1
                try:
                    most = max(most, under_way[side])
                    assert not (under_way["look"] and under_way["write"])
                    await asyncio.sleep(dice.random())
                finally:
                    under_way[side] -= 1

        tasks = [asyncio.create_task(cross(dice.choice(("look", "write")))) for _ in range(300)]
        await asyncio.sleep(10)
        cancelled = sum(task.cancel() for task in dice.sample(tasks, 100))
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(result).__name__ for result in results if result is not None] == ["CancelledError"] * cancelled
        assert cancelled
        assert most > 1
        assert divide._under_way == {"look": 0, "write": 0}

    run(main())
