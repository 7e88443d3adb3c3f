"""The schema registry of the bench: `python -m tests.bench.registry` says its address in one line, then serves until it
is ended.
"""

from __future__ import annotations

import asyncio

from tests.bench.encodings import SCHEMAS
from tests.formats.registry_server import serving


async def serve() -> None:
    async with serving(SCHEMAS) as registry:
        print(f"Registry on {registry.url}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())
