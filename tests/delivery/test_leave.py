"""A request that waited for its turn starts only where what it is about may still be sent."""

from __future__ import annotations

import asyncio

import pytest

from stream_sync.config.values import Rate
from stream_sync.delivery import leave
from stream_sync.sinks.http import Http
from stream_sync.sinks.pace import Pace
from tests.sinks.rude_server import answering, response, rude_server


async def test_what_may_not_be_sent_any_more_ends_the_whole_call_and_reaches_nobody() -> None:
    asked: list[int] = []
    may = True

    async with rude_server(answering(response("200 OK"))) as url:
        http = Http(url, dict, lambda *_: asked.append(1))
        http.before_start = leave.check
        pace = Pace(Rate(2, 0.2))

        async def one(name: str) -> None:
            await http.request("POST", f"/{name}", endpoint="x", body=b"{}", pace=pace)

        async def call() -> None:
            nonlocal may
            with leave.given(lambda: may):
                await one("a")
                may = False
                await asyncio.gather(one("b"), one("c"))

        with pytest.raises(asyncio.CancelledError):
            await asyncio.create_task(call())
        await http.close()

    assert len(asked) == 1


async def test_who_was_given_no_leave_needs_none() -> None:
    leave.check()
