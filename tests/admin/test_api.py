"""The API says what its document says, lets only who may change anything, and shows nobody's data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types of its own

from stream_sync.admin.lanes import Standing
from stream_sync.admin.routes import ROUTES
from tests.admin.served import site


async def test_a_lane_is_told_as_the_metrics_have_it(tmp_path: Path) -> None:
    async with site(tmp_path) as console:
        console.standings["gold"] = Standing("halted", "unauthorized")
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
