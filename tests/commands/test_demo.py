"""`stream-sync demo` as a newcomer meets it: it shows, checks, and ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from stream_sync.config.load import load
from stream_sync.sandbox.demo_config import LANES, config_text
from stream_sync.sandbox.server import VENDORS

LIMIT = 300
"""Seconds, for a slow machine under load."""


@contextmanager
def demo(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The demo running, with `folder` for its temporary files."""
    environ: Mapping[str, str] = {**os.environ, "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "stream_sync", "demo", *arguments]
    with subprocess.Popen(
        command, env=environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """What it says, up to the line that has `text`."""
    assert process.stdout is not None
    said = ""
    limit = threading.Timer(LIMIT, process.kill)  # a demo that says nothing more would be waited for
    limit.start()
    try:
        for line in process.stdout:
            said += line
            if text in line:
                return said
    finally:
        limit.cancel()
    raise AssertionError(f"it ended without saying {text!r}: {said}")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "demo.yaml"
    addresses = {lane.workspace: f"http://127.0.0.1:8900/{lane.vendor}/{lane.workspace}" for lane in LANES}
    text = config_text("127.0.0.1:9092", addresses)
    path.write_text(text, encoding="utf-8")
    return path


def test_its_config_is_without_a_flaw(config: Path) -> None:
    loaded = load(config, {})
    assert loaded.warnings == ()
    read = loaded.config
    found = [(name, each.mode, each.destination) for name, each in read.activations.items()]
    assert found == [(lane.activation, lane.mode, lane.workspace) for lane in LANES]
    assert {name: each.type for name, each in read.destinations.items()} == {
        lane.workspace: lane.vendor for lane in LANES
    }


def test_it_shows_every_destination_there_is_and_one_table_feeds_them() -> None:
    assert {lane.vendor for lane in LANES} == set(VENDORS)


def test_it_ends_by_itself_with_a_check_that_holds(tmp_path: Path) -> None:
    with demo(tmp_path, "--seconds", "2") as process:
        said, complaints = process.communicate(timeout=LIMIT)
    assert (process.returncode, complaints) == (0, ""), said
    assert len(re.findall(r"^OK  ", said, re.MULTILINE)) == 4
    assert re.findall(r"DEAD LETTER  cus_\d+ of (\S+), (\w+)", said) == [
        ("gold-members", "email_bad_format"),
        ("platinum-club", "invalid_email_address"),
        ("support-desk", "invalid_data"),
    ]
    assert "everything is delivered" in said
    (folder,) = tmp_path.iterdir()
    assert str(folder / "demo.yaml") in said
    assert load(folder / "demo.yaml", {}).warnings == ()
    (kafka,) = re.findall(r"its Kafka stays for 10 minutes \(process (\d+)\)", said)
    try:
        commands = re.findall(r"(?:stream-sync|stream_sync) ((?:explain|plan|preview) -c .*)$", said, re.MULTILINE)
        assert len(commands) == 3, said
        for command in commands:
            typed = [sys.executable, "-m", "stream_sync", *command.split()]
            told = subprocess.run(typed, capture_output=True, text=True, timeout=LIMIT, check=False)
            assert told.returncode == 0, told.stderr
            assert re.search(r"request  |leave  |^Refused: .*dead letter", told.stdout, re.MULTILINE), told.stdout
    finally:
        os.kill(int(kafka), signal.SIGKILL)


def test_ctrl_c_ends_it_quietly_and_leaves_nothing(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        read_until(process, "rows change")
        process.send_signal(signal.SIGINT)
        said, complaints = process.communicate(timeout=LIMIT)
    assert (process.returncode, complaints) == (130, "stopped\n"), said
    assert list(tmp_path.iterdir()) == []


def test_it_keeps_going_until_ctrl_c(tmp_path: Path) -> None:
    with demo(tmp_path, "--seconds", "0.5", "--keep-going") as process:
        said = read_until(process, "until Ctrl-C")
        (folder,) = tmp_path.iterdir()
        assert re.search(r"http://127\.0\.0\.1:\d+", said)
        assert str(folder) in said
        commands = re.findall(r"(?:stream-sync|stream_sync) (explain|plan|preview) -c .*$", said, re.MULTILINE)
        assert sorted(commands) == ["explain", "plan", "preview"], said
        process.send_signal(signal.SIGTERM)
        _, complaints = process.communicate(timeout=LIMIT)
    assert process.returncode == 0
    assert complaints.startswith("stopped")
    assert folder.exists()
