"""A real Prometheus that scrapes one service, with our rules, and is asked as Grafana would.

Every wait has a limit; the process ends with the `with` block.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from tests.deploy.alerts import RULES
from tests.deploy.tools import tool
from tests.e2e.service import until
from tests.rig.ports import free_port

START_LIMIT = 60.0
"""Seconds."""


class Prometheus:
    """One that runs."""

    def __init__(self, address: str, session: aiohttp.ClientSession) -> None:
        self._address = address
        self._session = session

    async def ask(self, expression: str) -> list[dict[str, Any]]:
        """The series that a query gives now; fails the test where Prometheus does not take it."""
        answer = await self._get("query", query=expression)
        result: list[dict[str, Any]] = answer["result"]
        return result

    async def rules(self) -> list[dict[str, Any]]:
        """Every rule as Prometheus keeps it: `health`, `lastError`, an alert's `state`."""
        return [rule for group in (await self._get("rules"))["groups"] for rule in group["rules"]]

    async def is_ready(self) -> bool:
        with contextlib.suppress(aiohttp.ClientConnectionError):
            async with self._session.get(f"{self._address}/-/ready") as response:
                return response.status == 200
        return False

    async def _get(self, what: str, **parameters: str) -> dict[str, Any]:
        async with self._session.get(f"{self._address}/api/v1/{what}", params=parameters) as response:
            answer = await response.json()
        assert answer["status"] == "success", f"{parameters}: {answer.get('error')}"
        data: dict[str, Any] = answer["data"]
        return data


@contextlib.asynccontextmanager
async def prometheus(target: str, folder: Path) -> AsyncIterator[Prometheus]:
    """Scrapes `target` (host:port) each second and evaluates the rules as often."""
    port = free_port()
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [{"job_name": "stream-sync", "static_configs": [{"targets": [target]}]}],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
    with (folder / "prometheus.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            tool("prometheus"), f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}", stdout=log, stderr=log,
        )  # fmt: skip
    try:
        async with aiohttp.ClientSession() as session:
            running = Prometheus(f"http://127.0.0.1:{port}", session)
            await until(running.is_ready, "Prometheus is ready", START_LIMIT)
            yield running
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
