"""Where the plain pipe ends: an HTTP server that reads every body and answers 201. `python -m tests.bench.drain` says
its address in one line, then serves until it is ended.
"""

from __future__ import annotations

import asyncio

from aiohttp import web


async def serve() -> None:
    async def answer(request: web.BaseRequest) -> web.Response:
        await request.read()
        return web.Response(status=201, body=b'{"message":"success"}', content_type="application/json")

    runner = web.ServerRunner(web.Server(answer, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    print(f"Drain on http://{host}:{port}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())
