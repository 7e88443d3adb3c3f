"""The API says what its document says, lets only who may change anything, and shows nobody's data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types of its own

from stream_sync.admin import access
from stream_sync.admin.routes import ROUTES
from stream_sync.delivery.standing import LaneStatus
from tests.admin.served import TOKEN, site

REPLAY = "/api/activations/gold/letters/replay"


async def test_a_lane_is_told_as_the_metrics_have_it(tmp_path: Path) -> None:
    async with site(tmp_path) as console:
        console.service.lanes["gold"] = LaneStatus("halted", "unauthorized", is_paused=False, next_run=None)
        console.lane.lag(1200)
        console.lane.pending(75)
        console.lane.outcomes("delivered", 10)
        console.lane.dead_letter("email_bad_format", 2)
        console.lane.dead_letter("no_key")
        console.lane.limited_by("rate_limit")
        console.lane.held_deletes(4)

        status, answer, _ = await console.ask("/api/lanes")

    assert status == 200
    assert (answer["name"], answer["version"], answer["console"]) == ("acme", "1.2.3", "write")
    [lane] = answer["lanes"]
    told = {name: lane[name] for name in ("activation", "topic", "destination", "mode", "state", "reason", "lag")}
    assert told == {
        "activation": "gold",
        "topic": "wh.people",
        "destination": "braze",
        "mode": "update",
        "state": "halted",
        "reason": "unauthorized",
        "lag": 1200,
    }
    assert (lane["pending"], lane["held"], lane["dead_letters"], lane["open_letters"]) == (75, 4, 3, None)
    assert lane["outcomes"] == {"delivered": 10}
    assert lane["limits"] == {
        "rate_limit": "3000/3s",
        "limited_by": "rate_limit",
        "requests_per_second": 0.0,
        "destination_down": False,
    }


async def test_every_answer_tells_a_browser_to_keep_and_to_load_nothing(tmp_path: Path) -> None:
    async with site(tmp_path) as console:
        for path in ("/api/lanes", "/healthz", "/metrics", "/api/none", "/none"):
            headers = (await console.ask(path))[2] if path.startswith("/api") else await console.headers(path)
            assert headers["Cache-Control"] == "no-store", path
            assert "default-src 'none'" in headers["Content-Security-Policy"], path
            assert headers["X-Content-Type-Options"] == "nosniff", path


async def test_a_page_whose_name_leads_here_learns_nothing(tmp_path: Path) -> None:
    async with site(tmp_path) as console:
        assert (await console.ask("/api/lanes", Host="elsewhere.example"))[0] == 403
        assert (await console.ask("/api/lanes", Host="localhost:1234"))[0] == 200


@pytest.mark.parametrize("headers", [{"Sec_Fetch_Site": "cross-site"}, {"Origin": "https://elsewhere.example"}])
async def test_a_page_of_another_site_learns_nothing(tmp_path: Path, headers: dict[str, str]) -> None:
    async with site(tmp_path) as console:
        status, answer, _ = await console.ask("/api/lanes", **headers)

    assert status == 403
    assert "another site" in answer["error"]


async def test_there_is_no_api_where_the_console_is_off(tmp_path: Path) -> None:
    async with site(tmp_path, console="read") as console:
        assert (await console.ask("/api/lanes"))[0] == 200
        assert (await console.ask("/api/lanes", "POST"))[0] == 405


async def test_letters_are_listed_by_code_and_place(tmp_path: Path) -> None:
    async with site(tmp_path) as console:
        _, every, _ = await console.ask("/api/activations/gold/letters")
        _, some, _ = await console.ask("/api/activations/gold/letters?code=no_key&limit=1")
        console.letters.reachable = False
        status, problem, _ = await console.ask("/api/activations/gold/held")

    assert (every["total"], every["codes"]) == (2, {"email_bad_format": 1, "no_key": 1})
    assert [(letter["partition"], letter["offset"]) for letter in some["letters"]] == [(0, 4)]
    assert status == 503
    assert "see that Kafka runs" in problem["error"]


@pytest.mark.parametrize(
    ("path", "status", "gist"),
    [
        ("/api/activations/nobody/letters", 404, "there are: gold"),
        ("/api/activations/gold/letters?limit=0", 400, "from 1 to 200"),
        ("/api/activations/gold/letters?limit=x", 400, "from 1 to 200"),
        ("/api/nothing", 404, ""),
    ],
)
async def test_what_cannot_be_meant_is_told(tmp_path: Path, path: str, status: int, gist: str) -> None:
    async with site(tmp_path) as console:
        found, problem, _ = await console.ask(path)

    assert found == status
    assert gist in problem["error"]


async def test_the_document_is_true_of_every_answer(tmp_path: Path) -> None:
    async with site(tmp_path) as console:
        _, document, _ = await console.ask("/api/openapi.json")
        answers = {path: await console.ask(path.replace("{activation}", "gold")) for path in gets(document)}

    assert {route.path for route in ROUTES} == set(document["paths"])
    for path, (status, answer, _) in answers.items():
        of = document["paths"][path]["get"]["responses"][str(status)]["content"]["application/json"]["schema"]
        Draft202012Validator({**of, "components": document["components"]}).validate(answer)


def gets(document: Any) -> list[str]:
    return [path for path, operations in document["paths"].items() if "get" in operations]


async def test_only_who_shows_the_token_changes_anything(tmp_path: Path) -> None:
    async with site(tmp_path) as console:
        for token in (None, "", "x" * 26, TOKEN[:-1], f"{TOKEN}x", "ø"):
            status, problem, headers = await console.ask(REPLAY, "POST", token=token)
            assert (status, headers.get("WWW-Authenticate")) == (401, "Bearer")
            assert TOKEN not in problem["error"]
        assert console.work.asked == []
        status, job, _ = await console.ask(REPLAY, "POST", token=TOKEN, body={"dry_run": True})

    assert (status, job["state"], job["planned"]) == (202, "done", {"writes": 2, "deletes": 1})
    assert console.said == [
        ("console_refused", {"address": "127.0.0.1"}),
        ("console_change", {"what": "replay", "activation": "gold", "address": "127.0.0.1"}),
    ]
    assert [(activation, action) for activation, action, _ in console.work.asked] == [("gold", "replay")]


@pytest.mark.parametrize("headers", [{"Sec_Fetch_Site": "cross-site"}, {"Origin": "https://elsewhere.example"}])
async def test_a_page_of_another_site_changes_nothing_even_with_the_token(
    tmp_path: Path, headers: dict[str, str]
) -> None:
    async with site(tmp_path) as console:
        assert (await console.ask(REPLAY, "POST", token=TOKEN, **headers))[0] == 403
        own = console.url
        assert (await console.ask(REPLAY, "POST", token=TOKEN, Origin=own))[0] == 202

    assert len(console.work.asked) == 1


async def test_a_console_that_only_reads_changes_nothing(tmp_path: Path) -> None:
    async with site(tmp_path, console="read") as console:
        status, problem, _ = await console.ask(REPLAY, "POST", token=TOKEN)

    assert status == 403
    assert "`console: write`" in problem["error"]
    assert console.work.asked == []


async def test_a_token_of_a_file_can_be_changed_while_the_service_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "READ_AGAIN_SECONDS", 0.0)
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    async with site(tmp_path, token="${file:token}") as console:
        assert (await console.ask(REPLAY, "POST", token=TOKEN))[0] == 202
        (tmp_path / "token").write_text("another-token-of-this-test")
        assert (await console.ask(REPLAY, "POST", token=TOKEN))[0] == 401
        assert (await console.ask(REPLAY, "POST", token="another-token-of-this-test"))[0] == 202

    assert console.changed == ["another-token-of-this-test"]


@pytest.mark.parametrize(
    ("path", "body", "status", "gist"),
    [
        ("held/release", {}, 400, "`agreed` is missing"),
        ("held/discard", {"agreed": 3, "code": "x"}, 400, "leave the filters out"),
        ("held/discard", {"agreed": -1}, 400, "$.agreed"),
        ("letters/replay", {"agree": 1}, 400, "agree"),
        ("letters/replay", b"{", 400, "is not what /api/openapi.json says"),
        ("letters/replay", b"[" * 10_000, 400, ""),
        ("letters/replay", b" " * 20_000, 413, ""),
    ],
)
async def test_what_cannot_be_meant_is_not_done(
    tmp_path: Path, path: str, body: object, status: int, gist: str
) -> None:
    async with site(tmp_path) as console:
        found, problem, _ = await console.ask(f"/api/activations/gold/{path}", "POST", token=TOKEN, body=body)

    assert found == status
    assert gist in problem["error"]
    assert console.work.asked == []


async def test_one_job_at_a_time_is_told_and_can_be_stopped(tmp_path: Path) -> None:
    async with site(tmp_path) as console:
        await console.ask("/api/activations/gold/held/release", "POST", token=TOKEN, body={"agreed": 2})
        console.work.busy = True
        busy, problem, _ = await console.ask(REPLAY, "POST", token=TOKEN)
        _, listed, _ = await console.ask("/api/jobs")
        stopped, _, _ = await console.ask("/api/jobs/1/stop", "POST", token=TOKEN)
        none, _, _ = await console.ask("/api/jobs/77/stop", "POST", token=TOKEN)

    assert (busy, stopped, none) == (409, 200, 404)
    assert "under way" in problem["error"]
    assert [(job["id"], job["action"]) for job in listed["jobs"]] == [(1, "release")]


async def test_a_lane_is_paused_and_resumed(tmp_path: Path) -> None:
    async with site(tmp_path) as console:
        refused, _, _ = await console.ask("/api/activations/gold/pause", "POST")
        paused = await console.ask("/api/activations/gold/pause", "POST", token=TOKEN)
        shown = (await console.ask("/api/lanes"))[1]["lanes"][0]
        resumed = await console.ask("/api/activations/gold/resume", "POST", token=TOKEN)
        nobody, _, _ = await console.ask("/api/activations/nobody/pause", "POST", token=TOKEN)

    assert (refused, nobody) == (401, 404)
    assert paused[:2] == (200, {"activation": "gold", "state": "paused", "paused": True})
    assert (shown["state"], shown["reason"], shown["paused"]) == ("paused", "by_request", True)
    assert resumed[:2] == (200, {"activation": "gold", "state": "running", "paused": False})


def test_the_page_tells_every_endpoint() -> None:
    page = (Path(__file__).parents[2] / "docs" / "console.md").read_text(encoding="utf-8")
    shortened = page.replace("`POST …/", "`POST /api/activations/{activation}/").replace(
        "`/resume`", "`POST /api/activations/{activation}/resume`"
    )
    assert [route.path for route in ROUTES if f"`{route.method} {route.path}" not in shortened] == []
