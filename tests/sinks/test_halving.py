from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from stream_sync.model import DELIVERED, Halt, Outcome, Rejected, Retry
from stream_sync.sinks.halving import settle

BAD = Rejected("bad", "bad")


@given(st.lists(st.booleans(), max_size=80))
async def test_only_the_bad_ones_are_rejected_however_many(people: list[bool]) -> None:
    async def attempt(part: Sequence[bool]) -> list[Outcome | None]:
        if all(part):
            return [DELIVERED] * len(part)
        return [BAD] if len(part) == 1 else [None] * len(part)

    assert await settle(people, attempt) == [DELIVERED if good else BAD for good in people]


async def test_one_bad_person_of_75_costs_a_dozen_requests() -> None:
    sizes: list[int] = []

    async def attempt(part: Sequence[int]) -> list[Outcome | None]:
        sizes.append(len(part))
        if 7 not in part:
            return [DELIVERED] * len(part)
        return [BAD] if len(part) == 1 else [None] * len(part)

    await settle(range(75), attempt)
    assert len(sizes) <= 15


async def test_those_who_are_left_undecided_by_an_answer_about_others_are_sent_together() -> None:
    parts: list[Sequence[int]] = []

    async def attempt(part: Sequence[int]) -> list[Outcome | None]:
        parts.append(part)
        return [BAD if person == 1 else None for person in part] if 1 in part else [DELIVERED] * len(part)

    assert await settle([0, 1, 2], attempt) == [DELIVERED, BAD, DELIVERED]
    assert list(parts[1]) == [0, 2]


async def test_what_was_decided_stays_and_the_rest_waits() -> None:
    stops: list[Outcome] = [Retry("server_error"), Halt("stop")]
    for stop in stops:
        sent = 0

        async def attempt(part: Sequence[int], stop: Outcome = stop) -> list[Outcome | None]:
            nonlocal sent
            sent += 1
            if sent == 1:
                return [None] * len(part)
            return [DELIVERED] * len(part) if sent == 2 else [stop] * len(part)

        assert await settle(range(4), attempt) == [DELIVERED, DELIVERED, stop, stop]
        assert sent == 3


async def test_nobody_is_no_request() -> None:
    async def attempt(part: Sequence[int]) -> list[Outcome | None]:
        raise AssertionError

    assert await settle([], attempt) == []
