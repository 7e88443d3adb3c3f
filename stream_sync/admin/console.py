"""The console of one process: the page and the API, made of a config and of what the process runs.

Invariants: the page is small files of this package as they are, without a build; it loads nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files
from pathlib import PurePath
from typing import Protocol

from aiohttp import web
from prometheus_client import CollectorRegistry

from stream_sync.admin.access import Access
from stream_sync.admin.api import Api
from stream_sync.admin.changes import Changes
from stream_sync.admin.lanes import Lanes
from stream_sync.admin.letters import Letterbox, Mask
from stream_sync.admin.work import Worker
from stream_sync.config.settings import Config
from stream_sync.delivery.ports import Journal
from stream_sync.delivery.standing import LaneStatus

KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class Steered(Protocol):
    """The lanes of this process: `app.Service`."""

    def status(self) -> Mapping[str, LaneStatus]: ...
    def pause(self, activation: str) -> None: ...
    def resume(self, activation: str) -> None: ...
    def watch(self, onlookers: Callable[[str], Journal] | None) -> None: ...


class Console:
    """`add_to` the admin server's application, then `start`, then `stop`."""

    def __init__(
        self,
        config: Config,
        version: str,
        registry: CollectorRegistry,
        service: Steered,
        letters: Letterbox,
        work: Worker,
        mask: Mask,
        access: Access,
    ) -> None:
        settings = config.admin
        assert settings is not None, "there is an admin address"
        assert settings.console != "off", "there is a console"
        self._lanes = Lanes(config, version, registry, service.status, letters.count, settings.console)
        self._changes = Changes(service.watch, mask)
        self._api = Api(access, self._lanes, self._changes, letters, work, service, version)
        self._work = work
        self._running: asyncio.Task[None] | None = None

    def add_to(self, app: web.Application) -> None:
        """Adds the page and the API."""
        for file in files(__package__).joinpath("page").iterdir():
            kind = KINDS.get(PurePath(file.name).suffix)
            if kind is not None:
                path = "/" if file.name == "index.html" else f"/console/{file.name}"
                app.router.add_get(path, _serving(file.read_bytes(), kind))
        self._api.add_to(app)

    def start(self) -> None:
        """Begins to read the metrics."""
        self._running = asyncio.create_task(self._lanes.run())

    async def stop_work(self) -> None:
        """Ends replays, releases and discards that are under way."""
        await self._work.close()

    async def stop(self) -> None:
        """Ends all that runs for it."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait((self._running,))
        self._lanes.close()
        self._changes.close()


def _serving(content: bytes, kind: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def serve(_request: web.Request) -> web.Response:
        return web.Response(body=content, content_type=kind, charset="utf-8")

    return serve
