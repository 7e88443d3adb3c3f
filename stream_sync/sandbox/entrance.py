"""A port of one's own choice that leads to the embedded broker, which has one of chance.

Invariants:
- A client needs it only to find the broker (`bootstrap.servers`): it is told the broker's own address there, and goes
  to that for all else.
- A connection ends when either side ends it, or with the `async with` block.
"""

from __future__ import annotations

import asyncio
from typing import Self

_CHUNK = 1 << 16


class Entrance:
    """`async with Entrance(host, port, to) as entrance:` forwards `entrance.address` to the address `to`."""

    def __init__(self, host: str, port: int, to: str) -> None:
        """`port` 0 = any free one; `to`: host:port."""
        self.address = ""
        self._where = (host, port)
        self._to = to
        self._open: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        """OSError where the address cannot be had."""
        self._server = await asyncio.start_server(self._accept, *self._where)
        host, port = self._server.sockets[0].getsockname()[:2]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._open):
            connection.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.get_running_loop().create_task(self._forward(reader, writer))
        self._open.add(connection)
        connection.add_done_callback(self._open.discard)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers = [writer]
        try:
            host, _, port = self._to.rpartition(":")
            inner, outer = await asyncio.open_connection(host, int(port))
            writers.append(outer)
            ways = {asyncio.create_task(_pump(reader, outer)), asyncio.create_task(_pump(inner, writer))}
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
        except OSError:
            return  # the broker is gone: the client is told so by its end of the connection
        finally:
            for each in writers:
                each.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    except OSError:
        return  # the other side hung up
