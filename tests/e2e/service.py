"""The service as its users run it: a process with a config file, against real Kafka and a sandbox.

Every wait has a limit; a process that a test leaves is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

LIMIT = 120.0
"""Seconds."""
LONG_SESSION = {"session.timeout.ms": 30_000, "heartbeat.interval.ms": 500}
"""Of a member that nobody kills: where the machine stands still for some seconds it keeps its partitions, so that what
it delivered and had not committed does not come twice."""
SHORT_SESSION = {"session.timeout.ms": 1000, "heartbeat.interval.ms": 200}
"""Of a member that is killed: the next one waits for its partitions until the session is over."""


class Running:
    """One process of `stream-sync run`."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def log(self) -> str:
        """What it wrote so far, stdout and stderr."""
        return self._log.read_text()

    async def ended(self, limit: float = LIMIT) -> int:
        """Its exit status; fails the test where it does not end in time."""
        try:
            return await asyncio.wait_for(self.process.wait(), limit)
        except TimeoutError:
            raise AssertionError(f"the service did not end within {limit} s:\n{self.log}") from None


@contextlib.asynccontextmanager
async def service(
    config: Mapping[str, Any], folder: Path, *arguments: str, environ: Mapping[str, str] | None = None
) -> AsyncIterator[Running]:
    """Runs `stream-sync run` with this config; kills it at the end if it still runs."""
    path, log = folder / "config.yaml", folder / f"service-{time.monotonic_ns()}.log"
    path.write_text(json.dumps(config))  # JSON is YAML
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "stream_sync", "run", "-c", str(path), *arguments,
            stdout=output, stderr=output, env={**os.environ, **(environ or {})},
        )  # fmt: skip
    try:
        yield Running(process, log)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def run(config: Mapping[str, Any], folder: Path, *arguments: str) -> Running:
    """Runs the service to its end."""
    async with service(config, folder, *arguments) as running:
        await running.ended()
        return running


async def until(condition: Callable[[], bool | Awaitable[bool]], what: str, limit: float = LIMIT) -> None:
    """Waits for a condition."""
    deadline = time.monotonic() + limit
    while True:
        found = condition()
        if found if isinstance(found, bool) else await found:
            return
        assert time.monotonic() < deadline, f"not within {limit} s: {what}"
        await asyncio.sleep(0.02)
