"""The service: runs the lanes of a config until they are stopped, or until they have caught up.

Invariants:
- The first SIGTERM or SIGINT ends the service in order within `shutdown_timeout`, a second one at once.
- A lane that halts stops nobody else; a FatalError ends the process.
- `/healthz` asks nothing external: the loop turned, and every consumer was polled, within HEALTHY_SECONDS.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import msgspec

from stream_sync.admin.access import Access
from stream_sync.admin.console import Console
from stream_sync.admin.letters import KafkaLetters, Mask
from stream_sync.admin.server import Admin
from stream_sync.admin.work import Work
from stream_sync.config.secrets import Secrets
from stream_sync.config.settings import Admin as AdminSettings
from stream_sync.config.settings import Config
from stream_sync.delivery.ports import Journal
from stream_sync.delivery.standing import LaneStatus
from stream_sync.errors import StreamSyncError
from stream_sync.kafka.letters import Letters
from stream_sync.kafka.properties import admin_properties, producer_properties
from stream_sync.observability import logs
from stream_sync.observability.metrics import Metrics, Registry
from stream_sync.wiring import RunOptions, WiredLane, Wiring

HEALTHY_SECONDS = 30.0
TURN_SECONDS = 1.0
SECRETS_SECONDS = 10.0
KILLED_AT_ONCE = 130


class Result(msgspec.Struct, frozen=True):
    """How a run ended."""

    halted: Mapping[str, str]
    """Activation to the reason why its lane is halted."""
    timed_out: bool = False
    stopped: bool = False
    """Whether a signal ended it."""


class Service:
    """One process of stream-sync; `run` once."""

    def __init__(self, config: Config, options: RunOptions, registry: Registry | None = None) -> None:
        self._config = config
        self._options = options
        self._registry = registry or Registry()
        self._log = logs.logger()
        self._lanes: dict[str, WiredLane] = {}
        self._stopping = asyncio.Event()
        self._turned_at = time.monotonic()
        self.address: str | None = None
        """Of the admin server, once it listens."""

    async def run(self, started: Callable[[], None] = lambda: None) -> Result:
        """Runs the lanes. `started` is called when the admin server listens and the lanes are about to join.

        Raises FatalError, and StreamSyncError where the admin address cannot be had.
        """
        metrics = Metrics(self._registry)
        metrics.about(version("stream-sync"), _hash(self._config))
        kafka = self._config.kafka
        letters = Letters(producer_properties(kafka), admin_properties(kafka), self._log.warning)
        wiring = Wiring(self._config, metrics, letters, self._options)
        admin = None
        try:
            for name in self._wanted():
                self._lanes[name] = wiring.lane(name)
            admin = await self._serve_admin(wiring)
            started()
            watching = asyncio.create_task(self._watch_secrets(wiring.secrets))
            try:
                return await self._run_lanes()
            finally:
                watching.cancel()
        finally:
            if admin is not None:
                await admin.stop_work()
            letters.close()
            await wiring.close()
            if admin is not None:
                await admin.stop()

    def pause(self, activation: str) -> None:
        """Its lane takes and sends nothing until `resume`; of this process only. KeyError for one that has no lane
        here."""
        self._lanes[activation].lane.pause()

    def resume(self, activation: str) -> None:
        """Ends `pause`, and a pause that the config begins with. KeyError as for `pause`."""
        self._lanes[activation].lane.resume()

    def status(self) -> Mapping[str, LaneStatus]:
        """How each lane stands, by its activation's name."""
        return {name: wired.lane.status for name, wired in self._lanes.items()}

    def stop(self) -> None:
        """Ends the service in order; called again, at once."""
        if self._stopping.is_set():
            os._exit(KILLED_AT_ONCE)
        self._log.info("stopping")
        self._stopping.set()

    def on_signals(self) -> None:
        """SIGTERM and SIGINT call `stop`."""
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, self.stop)

    def watch(self, onlookers: Callable[[str], Journal] | None) -> None:
        """Every lane tells what becomes of its intents to the one that is made for its activation; None = to nobody."""
        for name, wired in self._lanes.items():
            wired.lane.watch(None if onlookers is None else onlookers(name))

    def _wanted(self) -> Sequence[str]:
        """The activations to run: what a person paused cannot be run until it has caught up."""
        names = self._options.activations or tuple(self._config.activations)
        if not self._options.until_caught_up:
            return names
        for name in names:
            if self._config.activations[name].paused:
                self._log.warning("paused_not_run", activation=name, hint="its `paused: true` says so")
        return [name for name in names if not self._config.activations[name].paused]

    async def _run_lanes(self) -> Result:
        running = [asyncio.create_task(wired.lane.run(wired.consumer)) for wired in self._lanes.values()]
        for lane in running:
            lane.add_done_callback(_seen)
        turning = asyncio.create_task(self._turn())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            timed_out = not await self._ended(running, stopping)
        finally:
            await self._finish(running)
            turning.cancel()
            stopping.cancel()
        return Result(
            {
                name: wired.lane.standing.halted
                for name, wired in self._lanes.items()
                if wired.lane.standing.halted is not None
            },
            timed_out,
            self._stopping.is_set(),
        )

    async def _ended(self, running: Sequence[asyncio.Task[None]], stopping: asyncio.Task[Any]) -> bool:
        """Waits for all lanes or the stop; False where the time was over before. Raises a lane's FatalError."""
        deadline = None if self._options.timeout is None else time.monotonic() + self._options.timeout
        waiting: set[asyncio.Task[Any]] = {*running, stopping}
        while not stopping.done() and not all(lane.done() for lane in running):
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            done, waiting = await asyncio.wait(waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                return False
            for task in done:
                task.result()
        return True

    async def _finish(self, running: Sequence[asyncio.Task[None]]) -> None:
        """The lanes' own work within `shutdown_timeout`; to leave a Kafka that does not answer may take longer."""
        deadline = time.monotonic() + self._config.shutdown_timeout
        lanes = [wired.lane for wired in self._lanes.values()]
        for lane in lanes:
            lane.stop()
        if running:
            await asyncio.wait(running, timeout=self._config.shutdown_timeout / 2)
        budget = deadline - time.monotonic()
        ends = await asyncio.gather(*(lane.finish(budget) for lane in lanes), return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception):
                self._log.warning("lane_not_finished", error=type(end).__name__, exc_info=end)

    async def _watch_secrets(self, secrets: Secrets) -> None:
        """A key that was swapped is used before the vendor refuses the old one."""
        while True:
            await asyncio.sleep(SECRETS_SECONDS)
            if await asyncio.to_thread(secrets.refresh):
                self._log.info("secrets_changed")

    async def _turn(self) -> None:
        while True:
            self._turned_at = time.monotonic()
            await asyncio.sleep(TURN_SECONDS)

    async def _serve_admin(self, wiring: Wiring) -> Admin | None:
        settings = self._config.admin
        if settings is None:
            return None
        console = self._console(wiring, settings) if settings.console != "off" else None
        admin = Admin(settings.host, settings.port, self._registry, self._is_healthy, self._states, console)
        try:
            await admin.start()
        except OSError as error:
            raise StreamSyncError(
                f"cannot listen on the admin address {settings.host}:{settings.port} ({error.strerror}): where "
                "another process with this config runs here, give this one another in the config's `admin` (port 0 = "
                "any free one), or `admin: off`"
            ) from error
        self.address = f"http://{settings.host}:{admin.port}"
        self._log.info("admin_listening", address=self.address)
        return admin

    def _console(self, wiring: Wiring, settings: AdminSettings) -> Console:
        mask = Mask()
        return Console(
            self._config,
            version("stream-sync"),
            self._registry,
            self,
            KafkaLetters(self._config, mask),
            Work(self._config, lambda: wiring.destinations, self._log.warning),
            mask,
            Access(settings, logs.add_secret, self._log.info),
        )

    def _is_healthy(self) -> bool:
        times = [self._turned_at, *(polled for w in self._lanes.values() if (polled := w.lane.polled_at) is not None)]
        return time.monotonic() - min(times) < HEALTHY_SECONDS

    def _states(self) -> Mapping[str, str]:
        return {name: standing.state for name, standing in self.status().items()}


def _seen(lane: asyncio.Task[None]) -> None:
    """Of several lanes that fail one is raised; that others failed too, at whatever time, is no news."""
    if not lane.cancelled():
        lane.exception()


def _hash(config: Config) -> str:
    """Tells two configs apart; secrets are masked in it."""
    return hashlib.sha256(config.model_dump_json().encode()).hexdigest()[:12]
