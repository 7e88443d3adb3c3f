from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_sync.config.values import Rate
from stream_sync.contract.virtual_time import run
from stream_sync.sinks.pace import Pace, bucket

RATES = st.builds(Rate, st.integers(1, 60), st.sampled_from((0.5, 1.0, 3.0, 60.0)))
SHARES = st.sampled_from((1.0, 0.5, 1 / 3, 0.1, 0.01))


def most_in_a_window(starts: Sequence[float], seconds: float) -> int:
    """The most starts in any closed window, short by a rounding error."""
    length = seconds * (1 - 1e-7)
    most = first = 0
    for last, start in enumerate(starts):
        while starts[first] < start - length:
            first += 1
        most = max(most, last - first + 1)
    return most


async def starts_of(pace: Pace, count: int, at_once: int = 4) -> list[float]:
    """When `count` requests start that all want to start now."""
    loop = asyncio.get_running_loop()
    starts: list[float] = []

    async def sender() -> None:
        while len(starts) < count:
            await pace.acquire()
            starts.append(loop.time())

    await asyncio.gather(*(sender() for _ in range(at_once)))
    return starts


@given(RATES, SHARES)
@settings(max_examples=60, deadline=None)
def test_no_window_holds_more_than_the_share(rate: Rate, share: float) -> None:
    starts = run(starts_of(Pace(rate, share), 3 * rate.count + 5))
    assert most_in_a_window(starts, rate.seconds) <= max(1, int(rate.count * share + 1e-9))


@given(RATES, st.lists(st.tuples(SHARES, st.floats(0, 2), st.booleans()), max_size=6))
@settings(max_examples=60, deadline=None)
def test_a_changed_share_or_a_hold_opens_no_window_again(rate: Rate, changes: list[tuple[float, float, bool]]) -> None:
    async def scenario() -> list[float]:
        pace = Pace(rate)
        sending = asyncio.create_task(starts_of(pace, 3 * rate.count + 5))
        for share, windows, held in changes:
            await asyncio.sleep(windows * rate.seconds)
            pace.set_share(share)
            if held:
                pace.hold(windows * rate.seconds / 2)
        return await sending

    assert most_in_a_window(run(scenario()), rate.seconds) <= rate.count


@pytest.mark.parametrize(("rate", "least"), [(Rate(3000, 3.0), 0.97), (Rate(25, 1.0), 0.95), (Rate(1, 1.0), 0.99)])
def test_what_flows_is_nearly_the_whole_rate(rate: Rate, least: float) -> None:
    count = 4 * rate.count
    starts = run(starts_of(Pace(rate), count))
    assert (count - 1) / starts[count - 1] * rate.seconds / rate.count >= least


def test_a_share_below_one_request_stretches_the_window() -> None:
    starts = run(starts_of(Pace(Rate(1, 1.0), 0.25), 3))
    assert starts[1] - starts[0] == pytest.approx(4.0, rel=0.01)


def test_the_formula_of_the_design() -> None:
    burst, period = bucket(Rate(3000, 3.0))
    assert period == pytest.approx(burst * 3.0 / (3000 - burst))


@pytest.mark.parametrize("share", [0.0, -1.0, 1.1])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        bucket(Rate(10, 1.0), share)


def test_nothing_starts_before_a_hold_is_over_and_a_shorter_one_changes_nothing() -> None:
    async def scenario() -> list[float]:
        pace = Pace(Rate(100, 1.0))
        pace.hold(30)
        pace.hold(5)
        return await starts_of(pace, 3)

    assert run(scenario())[0] == pytest.approx(30, abs=0.001)


def test_a_larger_share_is_used_at_once_by_who_waits() -> None:
    async def scenario() -> float:
        pace = Pace(Rate(10, 1.0), 0.01)
        await pace.acquire()
        waiting = asyncio.create_task(starts_of(pace, 1, at_once=1))
        await asyncio.sleep(0.5)
        pace.set_share(1.0)
        return (await waiting)[0]

    assert run(scenario()) < 2


def test_a_cancelled_wait_takes_nothing_and_blocks_nobody() -> None:
    async def scenario() -> list[float]:
        pace = Pace(Rate(1, 1.0))
        await pace.acquire()
        waiting = asyncio.create_task(pace.acquire())
        await asyncio.sleep(0.1)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        return await starts_of(pace, 1)

    assert run(scenario())[0] == pytest.approx(1.0, rel=0.01)


def test_it_says_whether_somebody_waits() -> None:
    async def ask() -> list[bool]:
        pace = Pace(Rate(1, 60.0))
        before = pace.is_awaited
        await pace.acquire()
        taken = pace.is_awaited
        waiting = asyncio.ensure_future(pace.acquire())
        await asyncio.sleep(1)
        during = pace.is_awaited
        await waiting
        return [before, taken, during, pace.is_awaited]

    assert run(ask()) == [False, False, True, False]
