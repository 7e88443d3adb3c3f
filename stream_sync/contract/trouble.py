"""What must happen when the vendor, the network or this process fails: nothing is lost, nothing is guessed, nobody is
rejected for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal

import pytest

from stream_sync.contract.people import needs_creation, needs_deletes
from stream_sync.contract.renames import needs_renames
from stream_sync.contract.subject import Subject
from stream_sync.contract.trial import Trial, trial
from stream_sync.contract.virtual_time import in_virtual_time
from stream_sync.model import DELIVERED, Halt, Intent, Outcome, Retry, Throttled

FOREVER = 1e6
"""Seconds: longer than anybody waits for an answer."""
PASSING: tuple[dict[str, Any], ...] = (
    {"error": 1},
    {"error": 1, "error_status": 500},
    {"error": 1, "error_status": 502, "html": True},
    {"error": 1, "error_status": 504},
    {"status": 408},
    {"reset": 1},
    {"junk": 1},
    {"latency": FOREVER, "reset": 1},
)
AMBIGUOUS: tuple[dict[str, Any], ...] = (
    {"reset": 1},
    {"lose_answer": 1},
    {"latency": FOREVER},
    {"latency": FOREVER, "reset": 1},
    {"junk": 1},
    {"error": 1},
)
"""Done or not: who asked cannot know."""
FOR_A_PERSON: tuple[dict[str, Any], ...] = (
    {"status": 401},
    {"status": 402},
    {"status": 403},
    {"status": 403, "html": True},
    {"status": 404, "html": True},
    {"redirect": 1},
    {"refuse_key": True},
)
_MOST_REQUESTS = 6
"""Which requests of one write are hit, one after the other; a sink that needs more for a person is a strange one."""


class TroubleContract:
    """To be mixed into `SinkContract`."""

    @in_virtual_time
    async def test_what_passes_is_tried_again_until_everybody_has_it(self, subject: Subject) -> None:
        for knobs in PASSING:
            async with trial(subject) as tried, _deleting(tried) as deletes:
                tried.fault(**knobs)
                intents = [tried.write(f"p{number}") for number in range(3)]
                for outcome in await tried.send(*intents, *deletes):
                    assert isinstance(outcome, Retry), f"{knobs}: {outcome}"
                    assert outcome.reason, "a retry says why"
                assert tried.held("p0") is None, knobs
                tried.fault()
                assert await tried.deliver(*intents, *deletes) == [DELIVERED] * (3 + len(deletes))
                assert tried.held("p1") == {0: 1}

    @in_virtual_time
    async def test_every_way_to_say_that_it_is_too_much_is_understood(self, subject: Subject) -> None:
        for faults, wait in subject.limited:
            async with trial(subject) as tried, _deleting(tried) as deletes:
                tried.limit(faults)
                intents = [tried.write(f"p{number}") for number in range(3)]
                began = time.time()
                outcomes = await tried.send(*intents[:1], *deletes)
                took = time.time() - began
                for outcome in outcomes:
                    assert isinstance(outcome, Throttled), f"{faults}: {outcome}"
                    if wait is not None:
                        assert outcome.after is not None, f"{faults}: the vendor said how long"
                        assert wait - 2 - took < outcome.after < wait + 2, f"{faults}: {outcome}"
                assert tried.held("p0") is None
                tried.fault()
                assert await tried.deliver(*intents, *deletes) == [DELIVERED] * (3 + len(deletes))

    @in_virtual_time
    async def test_a_limit_that_lasts_rejects_nobody(self, subject: Subject) -> None:
        async with trial(subject) as tried:
            tried.limit(subject.limited[0].faults)
            delivery = asyncio.create_task(tried.deliver(tried.write("a"), tried.write("b")))
            await asyncio.sleep(120)
            assert not delivery.done()
            assert tried.workspace.counts["requests"] <= 240, "the vendor is not asked all the time"
            tried.fault()
            assert await delivery == [DELIVERED] * 2

    @pytest.mark.parametrize("kind", ["insert", "update"])
    @in_virtual_time
    async def test_after_an_answer_that_never_came_there_is_one_person_with_the_right_values(
        self, subject: Subject, kind: Literal["insert", "update"]
    ) -> None:
        changed = [1] if kind == "update" else None
        expected = {0: "x", 1: "y"} if kind == "insert" or subject.tells_unknown else {1: "y"}
        for knobs in AMBIGUOUS:
            for request in range(_MOST_REQUESTS):
                async with trial(subject) as tried:
                    needs_creation(tried)
                    intent = tried.write("a", {0: "x", 1: "y"}, kind=kind, changed=changed)
                    (outcome,) = await _hit(tried, request, knobs, intent)
                    if len(tried.told) <= request:
                        assert outcome == DELIVERED
                        break
                    assert outcome == DELIVERED or isinstance(outcome, Retry), f"{knobs}, {request}: {outcome}"
                    assert await tried.deliver(intent) == [DELIVERED]
                    assert tried.held("a") == expected, f"{knobs}, {request}"
                    assert len(tried.workspace.people) == 1, f"{knobs}, {request}: one person, not two"

    @in_virtual_time
    async def test_after_an_answer_that_never_came_who_is_renamed_is_one_person(self, subject: Subject) -> None:
        needs_renames(subject)
        for knobs in AMBIGUOUS:
            for request in range(_MOST_REQUESTS):
                async with trial(subject) as tried:
                    await tried.deliver(tried.write("old", {0: "kept", 1: "was"}))
                    begun, intent = len(tried.told), tried.rename("old", "new", {1: "is"})
                    (outcome,) = await _hit(tried, request, knobs, intent)
                    if len(tried.told) <= begun + request:
                        assert outcome == DELIVERED
                        break
                    assert isinstance(outcome, Retry), f"{knobs}, {request}: {outcome}"
                    assert await tried.deliver(intent) == [DELIVERED]
                    assert tried.held("new") == {0: "kept", 1: "is"}, f"{knobs}, {request}"
                    assert len(tried.workspace.people) == 1, f"{knobs}, {request}: one person, not two"

    @in_virtual_time
    async def test_after_an_answer_that_never_came_a_deleted_person_is_gone(self, subject: Subject) -> None:
        needs_deletes(subject.sink())
        for knobs in AMBIGUOUS:
            async with trial(subject) as tried:
                await tried.make("a")
                (outcome,) = await _hit(tried, 0, knobs, tried.delete("a"))
                assert isinstance(outcome, Retry), f"{knobs}: {outcome}"
                assert await tried.deliver(tried.delete("a")) == [DELIVERED]
                assert not tried.workspace.people

    @in_virtual_time
    async def test_through_a_storm_everybody_ends_as_their_last_row_says(self, subject: Subject) -> None:
        for seed in range(2):
            async with trial(subject) as tried:
                storm = {"error": 0.15, "throttle": 0.1, "reset": 0.1, "lose_answer": 0.15, "junk": 0.05}
                tried.fault(**storm, seed=seed, latency=0.05, jitter=0.2)
                texts = [f"p{number}" for number in range(12)]
                for turn in range(3):
                    rows = {text: {0: turn, 1: text} for text in texts}
                    outcomes = await tried.deliver(*(tried.write(text, rows[text]) for text in texts))
                    assert outcomes == [DELIVERED] * len(texts)
                assert {text: tried.held(text) for text in texts} == rows
                assert len(tried.workspace.people) == len(texts)

    @in_virtual_time
    async def test_what_a_person_must_mend_halts_and_is_good_afterwards(self, subject: Subject) -> None:
        for knobs in FOR_A_PERSON:
            async with trial(subject) as tried, _deleting(tried) as deletes:
                tried.fault(**knobs)
                outcomes = await tried.send(tried.write("a"), *deletes)
                assert all(isinstance(outcome, Halt) for outcome in outcomes), f"{knobs}: {outcomes}"
                assert isinstance(halt := await tried.sink.probe(), Halt), f"{knobs}: {halt}"
                assert len(halt.reason) > 20, "a halt says what to check"
                assert tried.held("a") is None
                tried.fault()
                assert await tried.sink.probe() == DELIVERED
                assert await tried.deliver(tried.write("a"), *deletes) == [DELIVERED] * (1 + len(deletes))

    @in_virtual_time
    async def test_a_wrong_key_halts(self, subject: Subject) -> None:
        async with trial(subject, secret="canary-of-yesterday") as tried:  # noqa: S106  # made up, and wrong
            (outcome,) = await tried.send(tried.write("a"))
            assert isinstance(outcome, Halt)
            assert isinstance(await tried.sink.probe(), Halt)
            assert not tried.workspace.people

    @in_virtual_time
    async def test_a_probe_changes_nothing_and_says_what_is_the_matter(self, subject: Subject) -> None:
        async with trial(subject) as tried:
            assert await tried.sink.probe() == DELIVERED
            assert not tried.workspace.people
            for knobs in PASSING:
                tried.fault(**knobs)
                assert isinstance(outcome := await tried.sink.probe(), Retry | Halt), f"{knobs}: {outcome}"
            tried.limit(subject.limited[0].faults)
            assert isinstance(await tried.sink.probe(), Throttled)

    @in_virtual_time
    async def test_who_is_cancelled_in_mid_request_stops_at_once_and_leaves_nothing_behind(
        self, subject: Subject
    ) -> None:
        for request in range(_MOST_REQUESTS):
            async with trial(subject) as tried:
                sending = asyncio.create_task(_hit(tried, request, {"latency": FOREVER}, tried.write("a", {0: "old"})))
                await _until(lambda: sending.done() or _is_waiting(tried))  # noqa: B023  # called in this round only
                if sending.done():
                    break
                asked = tried.workspace.counts["requests"]
                sending.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await sending
                await asyncio.sleep(900)
                assert tried.workspace.counts["requests"] == asked, "nothing is asked on behalf of nobody"
                tried.fault()
                assert await tried.deliver(tried.write("a", {0: "new"}), tried.write("b")) == [DELIVERED] * 2
                assert tried.held("a") == {0: "new"}

    @in_virtual_time
    async def test_the_rate_limit_holds_in_every_window_and_so_does_a_share_of_it(self, subject: Subject) -> None:
        async with trial(subject, rate_limit="10/1s") as tried:
            await _one_by_one(tried, 25)
            assert _most_within(tried, 0.99) <= 10
            tried.sink.set_share(0.5)
            await asyncio.sleep(5)
            before = len(_arrivals(tried))
            await _one_by_one(tried, 15)
            assert _most_within(tried, 0.99, before) <= 5


async def _hit(tried: Trial, request: int, knobs: dict[str, Any], intent: Intent) -> list[Outcome]:
    """Sends while the knobs hit one request, counted from 0, and all that come after it."""
    tried.fault()
    begun = len(tried.told)
    if request == 0:
        tried.fault(**knobs)
    sending = asyncio.ensure_future(tried.send(intent))
    try:
        await _until(lambda: sending.done() or len(tried.told) >= begun + request)
        if not sending.done() and request:
            tried.fault(**knobs)
        return await sending
    finally:
        sending.cancel()
        if sending.done():
            tried.fault()


@asynccontextmanager
async def _deleting(tried: Trial) -> AsyncIterator[list[Intent]]:
    """Deletes of somebody who is there, where the destination has deletes."""
    if "mirror" not in tried.sink.modes:
        yield []
    else:
        await tried.make("leaves")
        yield [tried.delete("leaves")]


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  # conditions of any kind, and time costs nothing
        await asyncio.sleep(0.001)


def _is_waiting(tried: Trial) -> bool:
    """Whether a request is under way that nobody will answer."""
    return tried.workspace.faults.latency == FOREVER and any(asked.status is None for asked in tried.workspace.log)


async def _one_by_one(tried: Trial, people: int) -> None:
    """A request for each of them at least, all wanted at once."""
    intents = [tried.write(f"p{number}") for number in range(people)]
    outcomes = await asyncio.gather(*(tried.sink.send([intent], tried.mode) for intent in intents))
    assert outcomes == [[DELIVERED]] * people


def _arrivals(tried: Trial) -> list[float]:
    journal = tried.workspace.journal
    assert journal is not None
    return [entry.arrived for entry in journal.entries]


def _most_within(tried: Trial, seconds: float, start: int = 0) -> int:
    arrivals = sorted(_arrivals(tried)[start:])
    assert arrivals, "requests have come"
    return max(sum(first <= one <= first + seconds for one in arrivals) for first in arrivals)
