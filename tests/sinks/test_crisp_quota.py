from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from multidict import CIMultiDict

from stream_sync.contract.virtual_time import run
from stream_sync.model import DELIVERED, Intent, Outcome, Throttled
from stream_sync.sinks.crisp import Crisp, Settings
from stream_sync.sinks.crisp_quota import PROBE_EVERY, SPENT_AFTER, Quota
from stream_sync.sinks.http import Failure, Http, Method, Reply
from stream_sync.sinks.pace import Pace


def waits(quota: Quota, now: float, count: int) -> list[tuple[str, float]]:
    """What so many refusals say, each after the wait of the one before."""
    found: list[tuple[str, float]] = []
    for _ in range(count):
        throttled = quota.refused(now, None)
        assert throttled.after is not None
        found.append((throttled.reason, round(throttled.after)))
        now += throttled.after
    return found


def test_waits_grow_and_after_five_minutes_the_quota_of_the_day_is_spent() -> None:
    short = [("rate_limited", seconds) for seconds in (5, 5, 10, 20, 40, 60, 60, 60, 60)]
    assert waits(Quota(), 1000.0, 12) == [*short, *[("quota_spent", 900)] * 3]


def test_one_request_that_is_taken_ends_it() -> None:
    quota = Quota()
    waits(quota, 0.0, 12)
    quota.taken(4000.0)
    assert not quota.is_refusing
    assert waits(quota, 5000.0, 2) == [("rate_limited", 5)] * 2


def test_the_answer_to_a_request_from_before_ends_no_wait() -> None:
    quota = Quota()
    quota.refused(0.0, 6.0)
    quota.taken(0.5)
    assert quota.still_refused(1.0) == Throttled("rate_limited", 5.0)
    quota.taken(6.0)
    assert not quota.is_refusing


def test_refusals_of_requests_that_were_under_way_together_count_as_one() -> None:
    quota = Quota()
    assert [quota.refused(now, None).after for now in (0.0, 0.01, 0.02)] == [5.0, 5.0, 5.0]
    assert quota.refused(0.03, None) == Throttled("rate_limited", 5.0)


def test_a_longer_wait_that_was_asked_for_holds_for_all() -> None:
    quota = Quota()
    assert quota.refused(0.0, 120.0) == Throttled("rate_limited", 120.0)
    assert quota.refused(1.0, None) == Throttled("rate_limited", 119.0)
    assert quota.still_refused(100.0) == Throttled("rate_limited", 20.0)
    assert quota.still_refused(120.0) is None


def test_a_refusal_long_after_the_last_is_a_new_one() -> None:
    quota = Quota()
    quota.refused(0.0, None)
    assert quota.refused(10_000.0, None) == Throttled("rate_limited", 5.0)


class Spent(Http):
    """Refuses until a moment, in virtual time."""

    def __init__(self, until: float) -> None:
        super().__init__("http://localhost", dict, lambda *_: None)
        self._until = until
        self.asked: list[float] = []

    async def request(
        self, method: Method, path: str, *, endpoint: str, body: bytes | None = None, pace: Pace
    ) -> Reply | Failure:
        await pace.acquire()
        now = asyncio.get_running_loop().time()
        self.asked.append(now)
        await asyncio.sleep(0.1)
        headers: Mapping[str, str] = CIMultiDict()
        if now < self._until:
            return Reply(429, headers, b"<html>slow down")
        return Reply(200, headers, b'{"error":false,"reason":"updated","data":{}}')


SETTINGS: dict[str, Any] = {"type": "crisp", "website_id": "w", "identifier": "i", "key": "k", "tier": "plugin"}


def test_a_spent_quota_is_asked_for_every_quarter_of_an_hour_and_nobody_is_rejected() -> None:
    hours = 3 * 3600.0

    async def lane(sink: Crisp, person: str) -> Outcome:
        while True:
            (outcome,) = await sink.send([Intent("insert", person, "email", {"data.x": 1})], "upsert")
            if not isinstance(outcome, Throttled):
                return outcome
            assert outcome.after is not None
            await asyncio.sleep(outcome.after)

    async def main() -> tuple[Spent, list[Outcome]]:
        http = Spent(until=hours)
        sink = Crisp(Settings.model_validate(SETTINGS), http)
        return http, await asyncio.gather(*(lane(sink, f"p{number}@x.se") for number in range(8)))

    http, outcomes = run(main())
    assert outcomes == [DELIVERED] * 8
    spent = [at for at in http.asked if SPENT_AFTER + 60 < at < hours]
    assert len(spent) <= hours / PROBE_EVERY + 1
    assert len(http.asked) < 8 + 10 + len(spent) + 8
    assert max(http.asked) < hours + PROBE_EVERY + 5
