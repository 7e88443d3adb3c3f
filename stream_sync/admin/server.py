"""The service's own little web server: is it alive, is it ready, what does it count, and the console.

Invariants:
- `/healthz` asks nothing external: it says whether the process turns. A restart helps where it fails, and only there.
- `/readyz` is 200 when every lane has left `starting`, whatever it then does: a halted lane stops nobody else's work,
  and a lane whose destination is down works as it should.
- These and `/metrics` are read-only, without secrets, config or people's data, and there whatever the console is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, Protocol

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from stream_sync.admin.access import add_headers
from stream_sync.admin.api import problems

STARTING: Literal["starting"] = "starting"
MOST_BYTES = 16 * 1024
"""Of a request's body."""


class Served(Protocol):
    """More than probes and metrics: `console.Console`."""

    def add_to(self, app: web.Application) -> None: ...
    def start(self) -> None: ...
    async def stop_work(self) -> None: ...
    async def stop(self) -> None: ...


class Admin:
    """`/healthz`, `/readyz` and `/metrics` on one address, and a console. `start` once, `stop` any number of times."""

    def __init__(
        self,
        host: str,
        port: int,
        registry: CollectorRegistry,
        health: Callable[[], bool],
        lanes: Callable[[], Mapping[str, str]],
        console: Served | None = None,
    ) -> None:
        """`port` 0 = any free one. `health`: the loop turned and every consumer polled lately. `lanes`: each lane's
        state by its activation's name."""
        self._host = host
        self._asked_port = port
        self._registry = registry
        self._health = health
        self._lanes = lanes
        self._console = console
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """The port it listens on; after `start`."""
        assert self._runner is not None, "start it first"
        return int(self._runner.addresses[0][1])

    async def start(self) -> None:
        """Listens. Raises OSError where the address is taken or not this machine's."""
        app = web.Application(middlewares=(problems,), client_max_size=MOST_BYTES)
        app.on_response_prepare.append(add_headers)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        if self._console is not None:
            self._console.add_to(app)
        # No access log: a scrape every few seconds is not news.
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._asked_port).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        if self._console is not None:
            self._console.start()

    async def stop_work(self) -> None:
        """Ends what was asked for and uses the lanes' destinations; probes are answered until `stop`."""
        if self._console is not None:
            await self._console.stop_work()

    async def stop(self) -> None:
        """Closes the address and the open connections."""
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()
            if self._console is not None:
                await self._console.stop()

    async def _healthz(self, _request: web.Request) -> web.Response:
        healthy = self._health()
        return web.json_response({"healthy": healthy}, status=200 if healthy else 503)

    async def _readyz(self, _request: web.Request) -> web.Response:
        lanes = dict(self._lanes())
        ready = bool(lanes) and STARTING not in lanes.values()
        return web.json_response({"ready": ready, "lanes": lanes}, status=200 if ready else 503)

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})
