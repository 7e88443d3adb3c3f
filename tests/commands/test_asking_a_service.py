"""`status`, `pause` and `resume` of a service that runs: whom they ask, and how a lane is shown."""

from __future__ import annotations

import asyncio
import io
import json
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from stream_sync import cli
from stream_sync.commands import running
from stream_sync.delivery.standing import LaneStatus
from tests.admin.served import CONFIG, TOKEN, Site, site


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who answers is this very process, which may stand still for a while."""
    monkeypatch.setattr(running, "TIMEOUT", 60.0)


async def command(folder: Path, site: Site, *words: str, name: str = "acme") -> tuple[int, str, str]:
    """Exit status, stdout and stderr of a command with a config of this name and an activation more than is served."""
    path = folder / "asking.yaml"
    activations = dict.fromkeys(("gold", "silver"), CONFIG["activations"]["gold"])
    admin = {"port": 0, "console": "write", "token": TOKEN}
    path.write_text(json.dumps({**CONFIG, "name": name, "activations": activations, "admin": admin}))
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        status = await asyncio.to_thread(cli.main, [*words, "-c", str(path), "--url", site.url])
    return status, out.getvalue(), err.getvalue()


@pytest.mark.parametrize("verb", ["status", "pause", "resume"])
async def test_another_service_is_refused_and_told_nothing(tmp_path: Path, verb: str) -> None:
    async with site(tmp_path) as console:
        before = dict(console.service.lanes)
        status, out, err = await command(tmp_path, console, verb, name="other")
        assert (status, out, console.service.lanes) == (1, "", before)
        assert f"the service at {console.url} is 'acme', not 'other' as the config's `name` says: see" in err


async def test_an_activation_that_the_process_does_not_run_is_no_empty_table(tmp_path: Path) -> None:
    async with site(tmp_path) as console:
        status, out, err = await command(tmp_path, console, "status", "--activation", "silver")
        assert (status, out) == (1, "")
        assert "that process does not run silver, but: gold; with several processes, say which" in err
        status, out, _ = await command(tmp_path, console, "status")
        assert (status, [line.split()[0] for line in out.splitlines()]) == (0, ["activation", "gold"])


async def test_of_all_activations_those_are_paused_that_the_process_runs(tmp_path: Path) -> None:
    async with site(tmp_path) as console:
        status, out, err = await command(tmp_path, console, "pause", "--activation", "gold", "--activation", "silver")
        assert (status, out, console.service.lanes["gold"].is_paused) == (1, "", False)
        assert "does not run silver, but: gold" in err
        status, out, _ = await command(tmp_path, console, "pause")
        assert (status, console.service.lanes["gold"].is_paused) == (0, True)
        assert out.startswith("gold: paused, was ")


async def test_a_paused_lane_that_is_halted_as_well_is_shown_as_both(tmp_path: Path) -> None:
    async with site(tmp_path) as console:
        console.service.lanes["gold"] = LaneStatus("halted", "offset_lost", is_paused=True, next_run=None)
        _, out, _ = await command(tmp_path, console, "status")
        assert "halted (offset_lost), paused" in out
        console.service.pause("gold")
        _, out, _ = await command(tmp_path, console, "status")
        assert "paused (by_request)  " in out
