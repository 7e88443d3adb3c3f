"""A schema registry of our own for tests: real sockets, Confluent's API, with knobs for what goes wrong."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from aiohttp import web

from tests.rig.ports import free_port


class RegistryServer:
    """Serves schemas by the path that names them; `schemas` may be changed at any time."""

    def __init__(self, schemas: Mapping[int, Any]) -> None:
        self.paths: dict[str, Any] = {
            f"/schemas/ids/{id_}": {"schema": json.dumps(schema)} for id_, schema in schemas.items()
        }
        """What is answered, by path; anything else is unknown."""
        self.asked: list[str] = []
        self.headers: list[Mapping[str, str]] = []
        self.failing: list[web.Response] = []
        """Answered first, one after the other."""
        self.refusing: int | None = None
        """The status of every answer."""
        self.port = 0
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listens; again on the same port after `stop`, which nobody gets meanwhile."""
        self.port = self.port or free_port()
        app = web.Application()
        app.router.add_get("/{path:.*}", self._answer)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()

    async def stop(self) -> None:
        """Goes down."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        self.headers.append(dict(request.headers))
        if self.refusing is not None:
            return web.Response(status=self.refusing)
        if self.failing:
            return self.failing.pop(0)
        if request.path in self.paths:
            return web.json_response(self.paths[request.path])
        return web.json_response({"error_code": 40403, "message": "Schema not found"}, status=404)


@contextlib.asynccontextmanager
async def serving(schemas: Mapping[int, Any]) -> AsyncIterator[RegistryServer]:
    """A server that is up until the block ends."""
    server = RegistryServer(schemas)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
