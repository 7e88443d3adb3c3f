"""`stream-sync demo`: everything on this machine, with nothing to install.

Invariants:
- What it shows is measured: the service's own metrics, what Kafka and the workspaces hold.
- It ends with a check that shares no code with the service, and its exit status is the check's.
- Ctrl-C ends it in order at any time. Its folder (config, the service's log) stays only where its last words name it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from stream_sync.app import Result, Service
from stream_sync.commands.output import note
from stream_sync.commands.statuses import DONE, FAILED, INTERRUPTED
from stream_sync.config.load import load
from stream_sync.errors import StreamSyncError
from stream_sync.observability import logs
from stream_sync.sandbox import demo_words
from stream_sync.sandbox.broker import Broker
from stream_sync.sandbox.demo_config import edited
from stream_sync.sandbox.demo_readings import Meter
from stream_sync.sandbox.demo_show import Show
from stream_sync.sandbox.demo_stage import TOPICS, Letter, Stage
from stream_sync.sandbox.demo_view import View
from stream_sync.sandbox.server import Sandbox
from stream_sync.wiring import RunOptions

STAYS = 600
"""Seconds for which the demo's Kafka outlives it, so that what it ran can be asked about."""
SECONDS = 12.0
LOG = "service.log"


def add(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Runs the service on a generated warehouse whose rows change, with a broker and all three "
        "destinations simulated, and checks that the people there are those of the rows."
    )
    parser.add_argument(
        "--keep-going", action="store_true", help="after the check, go on until Ctrl-C, to look around in the sandbox"
    )
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, metavar="N", help=f"how long rows change (default: {SECONDS:g})"
    )
    parser.add_argument("--seed", type=int, default=1, help="another one makes other customers (default: 1)")


def execute(args: argparse.Namespace) -> int:
    folder = Path(tempfile.mkdtemp(prefix="stream-sync-demo-"))
    demo = Demo(Console(), folder, args)
    try:
        with (folder / LOG).open("w", encoding="utf-8") as log:
            logs.configure(log, json=False)
            status = asyncio.run(demo.run())
    except StreamSyncError:
        note(f"The config and the service's log are in {folder}")
        raise
    except KeyboardInterrupt:
        status = INTERRUPTED
    if not demo.named_folder:
        shutil.rmtree(folder)
    return status


class Demo:
    """One run of the demo."""

    def __init__(self, console: Console, folder: Path, args: argparse.Namespace) -> None:
        self._console = console
        self._folder = folder
        self._args = args
        self._status: int | None = None
        self._letters: Sequence[Letter] = ()
        self.named_folder = False
        """Whether what was said names the folder, so that it must stay."""

    async def run(self) -> int:
        """Plays until the end, or until SIGINT or SIGTERM; the exit status."""
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        playing, stopping = asyncio.create_task(self._play()), asyncio.create_task(stop.wait())
        await asyncio.wait({playing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        playing.cancel()
        try:
            await playing
        except asyncio.CancelledError:
            note(f"stopped; the config and the log stay in {self._folder}" if self.named_folder else "stopped")
        return INTERRUPTED if self._status is None else self._status

    async def _play(self) -> None:
        demo_words.tell_beginning(self._console)
        with Broker(TOPICS, apart=True) as broker:
            async with Sandbox() as sandbox:
                stage = Stage(broker, sandbox, self._args.seed)
                await stage.prepare()
                config = self._folder / demo_words.CONFIG
                config.write_text(stage.config(), encoding="utf-8")
                (self._folder / demo_words.EDITED).write_text(edited(stage.config()), encoding="utf-8")
                async with _serving(config) as (address, running), Meter(address) as meter:
                    await _beside(running, self._perform(stage, meter))
                    if self._args.keep_going:
                        self.named_folder = True
                        demo_words.tell_look_around(self._console, self._folder, sandbox.url, address, self._letters)
                        await _beside(running, self._go_on(stage, meter))
            self.named_folder = True
            demo_words.tell_where_next(self._console, self._folder, self._letters, broker.stay(STAYS), STAYS)

    async def _perform(self, stage: Stage, meter: Meter) -> None:
        with View(self._console) as view:
            show = Show(stage, meter, view)
            await show.rows_change(self._args.seconds)
            await show.catch_up()
        self._letters = letters = await stage.letters()
        verdicts = stage.verdicts(letters)
        demo_words.tell_letters(self._console, letters)
        demo_words.tell_verdicts(self._console, verdicts)
        self._status = FAILED if any(verdict.differences for verdict in verdicts) else DONE

    async def _go_on(self, stage: Stage, meter: Meter) -> None:
        with View(self._console) as view:
            await Show(stage, meter, view).go_on()


@asynccontextmanager
async def _serving(config: Path) -> AsyncIterator[tuple[str, asyncio.Task[Result]]]:
    """The service of a config, running: the address of its admin server, and the task that ends when it ends."""
    service = Service(load(config, os.environ).config, RunOptions())
    listening = asyncio.Event()
    running = asyncio.create_task(service.run(listening.set))
    try:
        await _beside(running, listening.wait())
        assert service.address is not None, "the demo's config has an admin server"
        yield service.address, running
    finally:
        if not running.done():
            service.stop()
            await running


async def _beside(running: asyncio.Task[Result], act: Coroutine[Any, Any, object]) -> None:
    """Does `act` while the service runs; raises what ended the service, if that comes first."""
    acting = asyncio.create_task(act)
    try:
        await asyncio.wait({acting, running}, return_when=asyncio.FIRST_COMPLETED)
        if not acting.done():
            running.result()
            raise StreamSyncError("the service ended by itself; its log says why")
        acting.result()
    finally:
        acting.cancel()
        await asyncio.gather(acting, return_exceptions=True)
