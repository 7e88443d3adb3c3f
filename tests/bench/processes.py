"""Child processes: some are measured to their end, some serve meanwhile.

Invariants:
- A measured process's CPU time is that of all its threads, from its start to its end; its peak memory is the kernel's.
- That peak counts from the size of the process that started it, so this one stays small: whatever holds the changes or
  the people is a child as well.
- No child outlives its `with` block or its limit.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

import msgspec

LOOK_SECONDS = 0.01
STOP_SECONDS = 10.0
START_SECONDS = 30.0
_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024


class BenchError(Exception):
    """A run that cannot count; the message says why."""


class Measured(msgspec.Struct, frozen=True):
    """One run of one process. Times in seconds, `peak` in bytes."""

    wall: float
    cpu: float
    peak: int
    first: float | None = None
    """From the start until `arrived` said yes."""


def measure(
    command: Sequence[str],
    log: Path,
    environment: Mapping[str, str] | None = None,
    arrived: Callable[[], bool] | None = None,
    limit: float = 600.0,
) -> Measured:
    """Runs the command to its end, its output into `log`. Raises BenchError for an exit status that is not 0."""
    first: float | None = None
    with log.open("wb") as output:
        began = time.monotonic()
        child = _start(command, environment, output)
        try:
            while True:
                pid, status, usage = os.wait4(child.pid, os.WNOHANG)
                wall = time.monotonic() - began
                if pid:
                    child.returncode = os.waitstatus_to_exitcode(status)
                    break
                if wall > limit:
                    raise BenchError(f"not done after {limit:.0f} s:\n{_end_of(log)}")
                if arrived is not None and first is None and arrived():
                    first = time.monotonic() - began
                time.sleep(LOOK_SECONDS)
        finally:
            _stop(child)
    if child.returncode != 0:
        raise BenchError(f"ended with {child.returncode}:\n{_end_of(log)}")
    return Measured(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * _MAXRSS_UNIT, first)


def run_to_end(command: Sequence[str]) -> None:
    """Raises BenchError with what the command said where it fails."""
    run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise BenchError(run.stderr.strip() or f"{command[2]} ended with {run.returncode}")


@contextlib.contextmanager
def serving(command: Sequence[str], log: Path) -> Iterator[str]:
    """Runs a server, which says its address in its first lines; gives that address."""
    with log.open("wb") as output:
        child = _start(command, {"PYTHONUNBUFFERED": "1"}, output)
        try:
            yield _address(child, log)
        finally:
            _stop(child)


def _address(child: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while (found := re.search(r" on (http://\S+)", log.read_text())) is None:
        if child.poll() is not None or time.monotonic() > deadline:
            raise BenchError(f"{child.args!r} did not start:\n{_end_of(log)}")
        time.sleep(LOOK_SECONDS)
    return found[1]


def _start(command: Sequence[str], environment: Mapping[str, str] | None, output: IO[bytes]) -> subprocess.Popen[bytes]:
    variables = {**os.environ, **(environment or {})}
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=variables)


def _stop(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-3000:]
