"""1 → 3 → 1 processes of one group on twelve partitions, under load: nothing is lost or goes back, the limit holds."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Sequence
from typing import Self

import pytest

from tests.e2e.load import Load
from tests.e2e.members import Member, Members
from tests.e2e.service import until
from tests.e2e.stage import ACTIVATION, Stage

PARTITIONS = 12
MOST, WINDOW = 30, 1.0
"""Requests in any so many seconds: below what the table changes."""
ENOUGH = 25
"""Requests of a process that show that it takes its part."""
LOOK_SECONDS = 0.01
LIMIT = 120.0
"""Seconds: three processes start at once, perhaps on a crowded machine."""


@pytest.fixture
async def members(stage: Stage) -> AsyncIterator[Members]:
    stage.config["kafka"] |= {"session.timeout.ms": 6000, "heartbeat.interval.ms": 200}
    stage.braze["rate_limit"] = f"{MOST}/{WINDOW:g}s"
    stage.activation["batch"] = {"max_records": 1, "max_wait": "10ms"}
    async with Members(stage.folder, stage.config, {ACTIVATION: stage.journal}) as members:
        yield members


async def test_processes_join_and_leave_and_the_destination_sees_one_sender_in_order_within_its_limit(
    stage: Stage, members: Members
) -> None:
    stage.create(PARTITIONS)
    load = Load(stage, partitions=PARTITIONS, people=90)
    first = await members.join()
    async with Late() as late, load.running():
        await each_sends(stage, [first])
        others = [await members.join(), await members.join()]
        await each_sends(stage, [first, *others])
        for member in others:
            member.signal(signal.SIGTERM)
        assert [await member.ended() for member in others] == [0, 0]
        alone = len(stage.journal.entries)
        await each_sends(stage, [first])

    await until(lambda: stage.wrong == [], "all are as the table says", LIMIT)
    await until(lambda: stage.is_committed_to_the_end, "all is committed", LIMIT)
    assert {entry.who for entry in stage.journal.entries[alone:]} == {first.key}
    times = [entry.arrived for entry in stage.requests()]
    assert most_within(times, WINDOW) <= MOST * (1 + late.most / WINDOW)
    assert len(times) >= 5 * ENOUGH
    assert stage.letters(stage.dead_letters) == []
    # That nothing was lost, sent out of order or sent twice at once is the oracle's to say, when the stage ends.


async def each_sends(stage: Stage, members: Sequence[Member]) -> None:
    """Waits until each of them has sent ENOUGH from now on."""
    since = len(stage.journal.entries)

    def sent() -> bool:
        senders = [entry.who for entry in stage.journal.entries[since:]]
        return all(senders.count(member.key) >= ENOUGH for member in members)

    await until(sent, f"{len(members)} processes send", LIMIT)


def most_within(times: Sequence[float], window: float) -> int:
    """The largest number of these times, which are in order, in any closed window."""
    most, first = 0, 0
    for last, time in enumerate(times):
        while time - times[first] > window:
            first += 1
        most = max(most, last - first + 1)
    return most


class Late:
    """How late this process was at worst: what it could not look at meanwhile arrived together, for it."""

    def __init__(self) -> None:
        self.most = 0.0

    async def __aenter__(self) -> Self:
        self._looking = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self._looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._looking

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            await asyncio.sleep(LOOK_SECONDS)
            self.most = max(self.most, loop.time() - began)
