"""What a call of a sink began is finished, however many requests that takes, while the partition is surely ours."""

from __future__ import annotations

import asyncio
import gc
import random
import weakref
from collections.abc import Sequence

import pytest
from prometheus_client import CollectorRegistry

from stream_sync.delivery import leave
from stream_sync.delivery.coalesce import Backlog
from stream_sync.delivery.destination import Destination
from stream_sync.delivery.dispatch import Dispatch
from stream_sync.delivery.outcomes import Outcomes
from stream_sync.delivery.pending import Pending
from stream_sync.delivery.settings import LaneSettings
from stream_sync.model import DELIVERED, Intent, Mode, Outcome
from stream_sync.observability.metrics import Metrics
from stream_sync.sinks.base import Limits
from tests.delivery.parts import Ack, Told, intent
from tests.delivery.test_outcomes import Letters
from tests.simulation.account import Account, StrictSink

LIMIT = 60.0
"""Seconds, of a machine that may stand still for ten."""


class Steps(StrictSink):
    """Two requests a person, as where somebody is created and then gets their data."""

    def __init__(self) -> None:
        super().__init__(Account(random.Random(0)), Limits(75, 50, 1, 0.0))
        self.made = 0
        self.first = asyncio.Event()
        self.answer = asyncio.Event()

    async def send(self, intents: Sequence[Intent], mode: Mode) -> list[Outcome]:
        leave.check()
        self.made = 1
        self.first.set()
        async with asyncio.timeout(60.0):  # as of a request: the loop keeps such a timer for a while
            await self.answer.wait()
        leave.check()
        self.made = 2
        return [DELIVERED] * len(intents)


class Sending:
    """A dispatch with one person under way, between the two requests."""

    def __init__(self) -> None:
        registry = Metrics(CollectorRegistry())
        self.may_send = self.may_go_on = True
        self.sink, self.ack = Steps(), Ack()
        destination = Destination("braze", self.sink, registry.destination("braze"), random.random)
        self.backlog = Backlog(destination.people, 0.0, lambda _pending: None)
        metrics = registry.lane("gold")
        outcomes = Outcomes(
            self.backlog, destination.gate, Letters(), metrics, 10, lambda *_, **__: None, lambda *_, **__: None
        )
        self.dispatch = Dispatch(
            self.backlog,
            destination,
            outcomes,
            metrics,
            LaneSettings(name="gold", mode="upsert", max_wait=0.0),
            None,
            lambda: self.may_send,
            lambda *_, **__: None,
            lambda: self.may_go_on,
        )
        self.ack.give_out(1)
        self.backlog.add(Pending(intent("insert"), self.ack, [1], Told(0, 1), None, None, 0.0))

    async def begin(self) -> asyncio.Task[None]:
        running = asyncio.create_task(self.dispatch.run())
        self.dispatch.wake()
        await asyncio.wait_for(self.sink.first.wait(), LIMIT)
        return running


@pytest.mark.parametrize("why", ["stopped", "revoked", "lost", "not polled"])
async def test_a_call_that_started_is_finished_unless_its_partition_may_be_anothers(why: str) -> None:
    sending = Sending()
    running = await sending.begin()
    sending.may_send = False
    sending.ack.revoked = why in ("revoked", "lost")
    sending.may_go_on = why != "not polled"
    ending = sending.dispatch.let_go(LIMIT) if why == "revoked" else sending.dispatch.finish(LIMIT)
    if why == "lost":  # nobody asks a lane for what is lost
        ending.close()
        ending = asyncio.sleep(0)
    ended = asyncio.create_task(ending)
    await asyncio.sleep(0)
    sending.sink.answer.set()
    await asyncio.wait_for(ended, LIMIT)
    while sending.dispatch.is_sending:  # noqa: ASYNC110  a turn for it to end in
        await asyncio.sleep(0)
    is_finished = why in ("stopped", "revoked")
    assert sending.sink.made == (2 if is_finished else 1)
    assert (not sending.ack.owed) == is_finished
    assert len(sending.backlog) == (why == "not polled"), "what is lost is another's"
    running.cancel()


async def test_what_must_not_be_sent_when_its_turn_comes_goes_back() -> None:
    sending = Sending()
    running = asyncio.create_task(sending.dispatch.run())
    sending.dispatch.wake()
    while not sending.dispatch.is_sending:
        await asyncio.sleep(0)
        sending.may_send = not sending.dispatch.is_sending
    await asyncio.sleep(0)
    assert (sending.sink.made, len(sending.backlog)) == (0, 1)
    running.cancel()


@pytest.mark.parametrize("is_answered", [True, False])
async def test_what_was_sent_leaves_the_memory_without_the_garbage_collector(is_answered: bool) -> None:
    sending = Sending()
    (pending,) = sending.backlog
    record = weakref.ref(pending.record)
    del pending
    gc.disable()
    try:
        running = await sending.begin()
        if is_answered:
            sending.sink.answer.set()
        else:
            sending.ack.revoked = True
        await asyncio.wait_for(sending.dispatch.finish(LIMIT if is_answered else 0.0), LIMIT)
        running.cancel()
        await asyncio.wait((running,))
        assert record() is None
    finally:
        gc.enable()
