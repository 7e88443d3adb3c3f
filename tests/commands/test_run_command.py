"""What `stream-sync run` says where it cannot run, and its exit status however it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from stream_sync.app import Result
from stream_sync.commands.run import _tell
from stream_sync.sandbox.broker import Broker
from stream_sync.wiring import RunOptions
from tests.commands.test_cli import GOOD, stream_sync

LIMIT = 90.0
"""Seconds, for a slow machine under load."""


def config(folder: Path, bootstrap: str, admin: str = "{port: 0}") -> Path:
    path = folder / "acme.yaml"
    path.write_text(GOOD.replace("localhost:9092", bootstrap) + f"admin: {admin}\n", encoding="utf-8")
    return path


@contextmanager
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        yield somebody.getsockname()[1]


def test_an_admin_port_that_is_taken_is_told_in_one_line(tmp_path: Path) -> None:
    with taken() as port:
        done = stream_sync("run", "-c", str(config(tmp_path, "localhost:9", f"{{port: {port}}}")))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert f"failed: cannot listen on the admin address 127.0.0.1:{port} (" in done.stderr
    assert "address already in use" in done.stderr


def test_a_stop_is_no_failure(tmp_path: Path) -> None:
    with Broker({"wh.marts.customers": 1}) as broker:
        command = [sys.executable, "-m", "stream_sync", "run", "-c", str(config(tmp_path, broker.bootstrap))]
        log = tmp_path / "log"
        with (
            log.open("w") as out,
            subprocess.Popen(command, stderr=out, env={**os.environ, "BRAZE_API_KEY": "hidden"}) as process,
        ):
            try:
                deadline = time.monotonic() + LIMIT
                while "partitions_assigned" not in log.read_text():
                    assert time.monotonic() < deadline, log.read_text()
                    time.sleep(0.05)
                process.send_signal(signal.SIGTERM)
                assert process.wait(LIMIT) == 0, log.read_text()
            finally:
                process.kill()


def opened(fifo: Path) -> int:
    """For writing, when somebody reads it."""
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        with suppress(OSError):
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        time.sleep(0.02)
    raise AssertionError("nobody reads it")


def test_a_sigterm_is_heard_before_the_service_runs(tmp_path: Path) -> None:
    """As it must be: the first process of a container hears nothing that it has no handler for."""
    fifo = tmp_path / "acme.yaml"
    os.mkfifo(fifo)
    with subprocess.Popen([sys.executable, "-m", "stream_sync", "run", "-c", str(fifo)]) as process:
        try:
            writer = opened(fifo)
            process.send_signal(signal.SIGTERM)
            assert process.wait(LIMIT) == 143
            os.close(writer)
        finally:
            process.kill()


HALTED = {"gold": "types_missing"}


@pytest.mark.parametrize(
    ("result", "until_caught_up", "status"),
    [
        (Result({}), True, 0),
        (Result(HALTED), True, 3),
        (Result({}, timed_out=True), True, 1),
        (Result({}, stopped=True), True, 1),
        (Result(HALTED, stopped=True), True, 1),
        (Result({}, stopped=True), False, 0),
        (Result(HALTED, stopped=True), False, 0),
    ],
)
def test_the_exit_status(result: Result, until_caught_up: bool, status: int, capfd: pytest.CaptureFixture[str]) -> None:
    assert _tell(result, RunOptions(until_caught_up=until_caught_up)) == status
    assert ("activation gold is halted: types_missing" in capfd.readouterr().err) is bool(result.halted)
