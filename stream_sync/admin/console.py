"""The console of one process, made of a config and of what the process runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from aiohttp import web
from prometheus_client import CollectorRegistry

from stream_sync.admin.access import Access
from stream_sync.admin.api import Api
from stream_sync.admin.lanes import Lanes, Standing
from stream_sync.admin.letters import Letterbox
from stream_sync.admin.work import Worker
from stream_sync.config.settings import Config


class Console:
    """`add_to` the admin server's application, then `start`, then `stop`."""

    def __init__(
        self,
        config: Config,
        version: str,
        registry: CollectorRegistry,
        standings: Callable[[], Mapping[str, Standing]],
        letters: Letterbox,
        work: Worker,
        secret_changed: Callable[[str], None],
    ) -> None:
        """`standings`: of this process's lanes, by activation. `secret_changed` is told of a token's new text."""
        settings = config.admin
        assert settings is not None, "there is an admin address"
        assert settings.console != "off", "there is a console"
        self._lanes = Lanes(config, version, registry, standings, letters.count, settings.console)
        access = Access(settings.console, settings.token, secret_changed)
        self._api = Api(access, self._lanes, letters, work, version)
        self._work = work
        self._running: asyncio.Task[None] | None = None

    def add_to(self, app: web.Application) -> None:
        """Adds the API."""
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
