"""Members of the lanes' consumer groups: processes of the service that are started, stopped, frozen and killed.

Invariants:
- Each process has an API key of its own, so that the oracle knows who sent what.
- A process that ends without being told to, or with another status than its end has, is a finding.
- Its log says when it came to own which partitions; that is all that is believed of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, Self

from tests.oracle.journal import Journal

END_LIMIT = 60.0
"""Seconds: the service's own shutdown_timeout, and what a crowded machine adds."""
SESSION = 1.5
"""Seconds: what these tests give a member of a group."""
CANARY = "canary"
"""In every API key and every person's name: nowhere in a log."""
SUSPECT = re.compile(r"Traceback|sink_failed|lane_not_finished|letter_failed|this is a defect|cimpl|Assertion")
"""What no log of the service holds, whatever its surroundings do."""


class Owned(NamedTuple):
    """A process came to own partitions of an activation's source."""

    activation: str
    at: float
    partitions: tuple[int, ...]


class Member:
    """One process of `stream-sync run`."""

    def __init__(self, name: str, folder: Path, config: Mapping[str, Any]) -> None:
        self.key = f"{CANARY}-key-of-{name}"
        self.log = folder / f"{name}.log"
        self._path = folder / f"{name}.yaml"
        self._path.write_text(json.dumps(with_key(config, self.key)))  # JSON is YAML
        self._process: asyncio.subprocess.Process | None = None
        self._told = False
        self.peak_kb = 0

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def has_joined(self) -> bool:
        """Whether it owns, or owned, partitions."""
        return '"partitions_assigned"' in self.log.read_text(errors="replace")

    async def start(self) -> None:
        with self.log.open("wb") as output:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "stream_sync", "run", "-c", str(self._path), stdout=output, stderr=output
            )

    def signal(self, signum: signal.Signals) -> None:
        """Of a process that is gone: nothing."""
        if self._process is not None:
            self._told = self._told or signum in (signal.SIGTERM, signal.SIGKILL)
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signum)

    async def ended(self) -> int | None:
        """Its exit status; None where it did not end in time, and was killed."""
        assert self._process is not None
        try:
            return await asyncio.wait_for(self._process.wait(), END_LIMIT)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
            return None

    def measure(self) -> None:
        """Takes note of the peak of its memory."""
        if self._process is None:
            return
        with contextlib.suppress(OSError):
            found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{self._process.pid}/status").read_text())
            self.peak_kb = max(self.peak_kb, int(found[1]) if found else 0)

    @property
    def findings(self) -> list[str]:
        """What is wrong with it, as far as it can be seen from outside."""
        assert self._process is not None
        found = []
        status = self._process.returncode
        if status is not None and not self._told and not self.found_no_broker:
            found.append(f"{self.log.name}: ended by itself with status {status}: {self._tail()}")
        text = self.log.read_text(errors="replace")
        found += [f"{self.log.name}: {line[:300]}" for line in text.splitlines() if SUSPECT.search(line)][:3]
        if CANARY in text.lower():
            found.append(f"{self.log.name}: holds a secret or a person's data")
        return found

    @property
    def owned(self) -> Iterator[Owned]:
        """What it came to own, in order."""
        since_boot = time.time() - time.monotonic()
        for line in self.log.read_text(errors="replace").splitlines():
            if '"partitions_assigned"' not in line:
                continue
            with contextlib.suppress(ValueError, KeyError):  # a line that a kill cut short
                told = json.loads(line)
                at = datetime.fromisoformat(told["timestamp"]).timestamp() - since_boot
                yield Owned(told["activation"], at, tuple(told["partitions"]))

    @property
    def found_no_broker(self) -> bool:
        """Whether it ended as a process does that is started while the broker is away."""
        return self._process is not None and self._process.returncode == 1 and "Kafka does not answer" in self._tail()

    def tell(self, journals: Mapping[str, Journal]) -> None:
        """Tells each activation's journal when this process's sessions began."""
        for owned in self.owned:
            for partition in owned.partitions:
                journals[owned.activation].session(self.key, owned.at, partition)

    def _tail(self) -> str:
        return " | ".join(self.log.read_text(errors="replace").splitlines()[-3:])[-600:]


class Members:
    """Processes with one config, that end with the `async with`. Whoever is still there then stops in order, the
    journals are told of all sessions, and nothing may have been found."""

    def __init__(self, folder: Path, config: Mapping[str, Any], journals: Mapping[str, Journal]) -> None:
        self._folder = folder
        self._config = config
        self._journals = journals
        self._all: list[Member] = []

    async def join(self) -> Member:
        """One more."""
        member = Member(f"member-{len(self._all)}", self._folder, self._config)
        self._all.append(member)
        await member.start()
        return member

    async def __aenter__(self) -> Self:
        return self

    async def leave(self, how: signal.Signals = signal.SIGTERM) -> None:
        """All of them end."""
        left = [member for member in self._all if member.is_running]
        for member in left:
            member.signal(signal.SIGCONT)
            member.signal(how)
        statuses = [await member.ended() for member in left]
        assert how is signal.SIGKILL or set(statuses) <= {0}

    async def __aexit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        await self.leave(signal.SIGTERM if kind is None else signal.SIGKILL)
        for member in self._all:
            member.tell(self._journals)
        if kind is None:
            assert [line for member in self._all for line in member.findings] == []


def with_key(config: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The config with this API key for every destination."""
    destinations = {name: {**each, "api_key": key} for name, each in config["destinations"].items()}
    return {**config, "destinations": destinations}


async def command(config: Mapping[str, Any], folder: Path, name: str, *arguments: str) -> tuple[int, str]:
    """Runs another command of the service to its end: status and output."""
    path = folder / f"{name}.yaml"
    path.write_text(json.dumps(with_key(config, f"{CANARY}-key-of-{name}")))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "stream_sync", *arguments, "-c", str(path),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode(errors="replace")
