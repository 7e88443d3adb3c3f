"""What all simulated vendors share: workspaces, knobs, limits, the journal, and what there is to look at."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
import pytest

from stream_sync.config.values import Rate
from stream_sync.sandbox.faults import Dice, Faults
from stream_sync.sandbox.server import Sandbox
from stream_sync.sandbox.throttling import Window
from stream_sync.sandbox.workspace import Journal

HEADERS = {"Authorization": "Bearer k"}


@asynccontextmanager
async def served(**options: Any) -> AsyncIterator[tuple[Sandbox, aiohttp.ClientSession]]:
    async with Sandbox(**options) as sandbox, aiohttp.ClientSession(sandbox.url, headers=HEADERS) as session:
        yield sandbox, session


async def track(session: aiohttp.ClientSession, workspace: str, *people: str, **values: Any) -> int:
    """The status, 0 where the connection was cut."""
    rows = [{"external_id": person, **values} for person in people]
    try:
        async with session.post(f"/braze/{workspace}/users/track", json={"attributes": rows}) as response:
            await response.read()
            return response.status
    except aiohttp.ClientError:
        return 0


async def seen(session: aiohttp.ClientSession, path: str) -> Any:
    async with session.get(path) as response:
        return await response.json()


async def test_each_workspace_has_its_own_people_and_comes_with_its_first_request() -> None:
    async with served() as (sandbox, session):
        assert await track(session, "one", "a", "b") == 201
        assert await track(session, "two", "c") == 201
        assert [(each.name, len(each.people)) for each in sandbox.workspaces()] == [("one", 2), ("two", 1)]
        assert sandbox.address("braze", "one") == f"{sandbox.url}/braze/one"
        with pytest.raises(KeyError):
            sandbox.workspace("nobody", "one")


async def test_people_are_shown_in_pages_and_one_by_one() -> None:
    async with served() as (_, session):
        await track(session, "w", *(f"p{number}" for number in range(5)), tier="gold")
        reply = await seen(session, "/sandbox/braze/w/people?from=3&limit=1")
        assert (reply["total"], [person["external_id"] for person in reply["people"]]) == (5, ["p3"])
        assert (await seen(session, "/sandbox/braze/w/people/p4"))["custom_attributes"] == {"tier": "gold"}
        assert (await session.get("/sandbox/braze/w/people/nobody")).status == 404
        assert (await session.get("/sandbox/braze/other/people")).status == 404
        assert (await session.get("/nowhere")).status == 404
        assert (await seen(session, "/sandbox"))[0]["people"] == 5
        log = await seen(session, "/sandbox/braze/w/requests")
        assert [(asked["path"], asked["people"], asked["status"]) for asked in log] == [("/users/track", 5, 201)]
        assert (await session.delete("/sandbox/braze/w")).status == 200
        assert (await seen(session, "/sandbox/braze/w/people"))["total"] == 0


async def test_knobs_are_set_and_set_back_while_it_runs() -> None:
    async with served() as (sandbox, session):
        await track(session, "w", "a")
        async with session.post("/sandbox/faults", json={"error": 1.0}) as response:
            assert (await response.json())["error"] == 1.0
        async with session.post("/sandbox/braze/w/faults", json={"error_status": 502}) as response:
            assert response.status == 200
        assert await track(session, "w", "b") == 502
        assert await track(session, "new", "b") == 503
        await session.delete("/sandbox/faults")
        assert await track(session, "w", "b") == 201
        assert sandbox.faults == Faults()


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"latencyy": 1}', b'{"error": "much"}', b'{"throttle_headers": "x"}'])
async def test_a_knob_that_is_none_is_refused_with_those_there_are(body: bytes) -> None:
    async with served() as (_, session):
        json_type = {"Content-Type": "application/json"}
        async with session.post("/sandbox/faults", data=body, headers=json_type) as response:
            assert response.status == 400
            assert "latency" in (await response.json())["knobs"]
        async with session.post("/sandbox/faults", data=body) as response:
            assert response.status == 415


@pytest.mark.parametrize(
    ("faults", "status", "written"),
    [
        (Faults(error=1), 503, False),
        (Faults(status=404), 404, False),
        (Faults(throttle=1), 429, False),
        (Faults(junk=1), 200, False),
        (Faults(reset=1), 0, False),
        (Faults(lose_answer=1), 0, True),
        (Faults(latency=0.01, jitter=0.01), 201, True),
        (Faults(drip=0.0001), 201, True),
    ],
)
async def test_what_each_fault_does(faults: Faults, status: int, written: bool) -> None:
    async with served(faults=faults) as (sandbox, session):
        assert await track(session, "w", "a") == status
        assert bool(sandbox.workspace("braze", "w").people) == written


async def test_what_was_answered_may_be_done_later() -> None:
    async with served(faults=Faults(apply_within=0.05)) as (sandbox, session):
        workspace = sandbox.workspace("braze", "w")
        assert await track(session, "w", "a") == 201
        async with asyncio.timeout(60):
            while not workspace.people:  # noqa: ASYNC110  # a dict tells nobody
                await asyncio.sleep(0.005)
        assert not workspace.coming


def test_the_same_seed_gives_the_same_faults() -> None:
    def steps(seed: int) -> list[str | None]:
        dice = Dice(Faults(seed=seed, error=0.3, reset=0.3))
        return [dice.step() for _ in range(50)]

    assert steps(1) == steps(1) != steps(2)


async def test_above_the_limit_the_answer_is_429_and_says_how_long() -> None:
    async with served(rate_limit=Rate(2, 60.0)) as (_, session):
        assert [await track(session, "w", "a") for _ in range(3)] == [201, 201, 429]
        async with session.post("/braze/w/users/track", json={}) as response:
            assert 0 < int(response.headers["X-Ratelimit-Retry-After"]) <= 60
        assert await track(session, "other", "a") == 201


def test_a_window_slides() -> None:
    window = Window(Rate(2, 1.0))
    assert [window.take(at) for at in (0.0, 0.5, 0.9, 1.0, 1.4, 1.5)] == [True, True, False, True, False, True]


def test_the_journal_notices_one_person_in_two_requests_at_once_and_the_shortest_gap() -> None:
    journal = Journal()
    first = journal.begin("/x", ["a", "b"], [], 0.0)
    second = journal.begin("/x", ["b"], [], 1.0)
    journal.end(first, 201, 2.0)
    journal.end(second, 201, 3.0)
    assert [(overlap.person, overlap.first, overlap.second) for overlap in journal.overlaps] == [("b", 0, 1)]
    journal.end(journal.begin("/x", ["a"], [], 2.5), 201, 4.0)
    assert len(journal.overlaps) == 1
    assert journal.gap() == -1.0


async def test_the_journal_has_every_request_in_order() -> None:
    async with served(journal=True) as (_, session):
        await track(session, "w", "a", n=1)
        await track(session, "w", "b")
        reply = await seen(session, "/sandbox/braze/w/journal?from=0&limit=1")
        assert (reply["total"], reply["overlaps"]) == (2, [])
        assert reply["entries"][0]["rows"] == [{"external_id": "a", "n": 1}]
        assert reply["entries"][0]["done"] is True


async def test_pages_escape_what_they_show_and_load_nothing() -> None:
    async with served() as (_, session):
        evil = "<script>alert(1)</script>"
        await track(session, "w<b>", evil, **{evil: evil})
        for path in ("/", "/sandbox/braze/w%3Cb%3E/page", "/sandbox/braze/w%3Cb%3E/page?find=%22%3E%3Cscript"):
            async with session.get(path) as response:
                text = await response.text()
                assert "default-src 'none'" in response.headers["Content-Security-Policy"]
            assert "<script" not in text
            assert not re.search(r"(src|href)=.?(https?:)?//", text)
        async with session.get("/sandbox/braze/w%3Cb%3E/page?find=nobody") as response:
            assert "Nobody here" in await response.text()


def test_the_command_prints_its_address_serves_and_ends_cleanly() -> None:
    line = [sys.executable, "-m", "stream_sync", "sandbox", "--port", "0", "--journal", "--fault", "error=0.5"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            assert re.fullmatch(r"Sandbox on http://127\.0\.0\.1:\d+\n", process.stdout.readline())
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
            assert process.stderr.read() == ""
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--fault", "latencyy=1"], "not a knob"),
        (["--fault", "error=much"], "Expected"),
        (["--port", "99999"], "not a port"),
        (["--rate-limit", "fast"], "rate"),
        (["--key", "x"], "WORKSPACE=KEY"),
    ],
)
def test_a_wrong_argument_says_what_would_be_right(arguments: list[str], says: str) -> None:
    line = [sys.executable, "-m", "stream_sync", "sandbox", "--port", "0", *arguments]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode in (1, 2)
    assert says in done.stderr


def test_knobs_are_json() -> None:
    assert msgspec.convert(msgspec.to_builtins(Faults(reject=("a",))), Faults) == Faults(reject=("a",))
