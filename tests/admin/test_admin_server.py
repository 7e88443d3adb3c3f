"""The admin server tells the truth to an orchestrator and to Prometheus."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Counter

from stream_sync.admin.server import Admin


class Service:
    """What the admin server asks about."""

    def __init__(self) -> None:
        self.healthy = True
        self.states: dict[str, str] = {"gold": "running"}
        self.registry = CollectorRegistry()

    def health(self) -> bool:
        return self.healthy

    def lanes(self) -> Mapping[str, str]:
        return self.states


@contextlib.asynccontextmanager
async def served(service: Service) -> AsyncIterator[Admin]:
    admin = Admin("127.0.0.1", 0, service.registry, service.health, service.lanes)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.stop()


async def get(admin: Admin, path: str) -> tuple[int, str]:
    url = f"http://127.0.0.1:{admin.port}{path}"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


@pytest.mark.parametrize(("healthy", "status"), [(True, 200), (False, 503)])
async def test_alive_is_what_the_service_says_of_itself(healthy: bool, status: int) -> None:
    service = Service()
    service.healthy = healthy
    async with served(service) as admin:
        assert (await get(admin, "/healthz"))[0] == status


@pytest.mark.parametrize(
    ("states", "status"),
    [
        ({"gold": "running", "news": "halted"}, 200),
        ({"gold": "waiting"}, 200),
        ({"gold": "running", "news": "starting"}, 503),
        ({}, 503),
    ],
)
async def test_ready_is_when_no_lane_is_starting(states: dict[str, str], status: int) -> None:
    service = Service()
    service.states = states
    async with served(service) as admin:
        found, body = await get(admin, "/readyz")

    assert found == status
    assert all(f'"{name}": "{state}"' in body for name, state in states.items())


async def test_metrics_are_in_prometheus_form() -> None:
    service = Service()
    Counter("stream_sync_records_total", "source records read", registry=service.registry).inc(7)
    async with served(service) as admin:
        status, body = await get(admin, "/metrics")

    assert status == 200
    assert "stream_sync_records_total 7.0" in body.splitlines()


async def test_an_address_in_use_is_an_error_and_leaves_nothing_open() -> None:
    service = Service()
    async with served(service) as first:
        second = Admin("127.0.0.1", first.port, service.registry, service.health, service.lanes)
        with pytest.raises(OSError, match="in use"):
            await second.start()
        await second.stop()


async def test_stopping_twice_is_fine() -> None:
    service = Service()
    async with served(service) as admin:
        await admin.stop()
