"""A console served on this machine, of a config and of lanes that are only numbers."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp

from stream_sync.admin import views
from stream_sync.admin.access import Access
from stream_sync.admin.console import Console
from stream_sync.admin.letters import Mask
from stream_sync.admin.server import Admin
from stream_sync.admin.work import BusyError
from stream_sync.config.load import load
from stream_sync.delivery.ports import Journal
from stream_sync.delivery.standing import LaneStatus
from stream_sync.errors import StreamSyncError
from stream_sync.observability.metrics import Metrics, Registry

TOKEN = "made-up-token-of-this-test"
CONFIG: dict[str, Any] = {
    "name": "acme",
    "kafka": {"bootstrap.servers": "127.0.0.1:1", "socket.timeout.ms": 1000},
    "sources": {"people": {"topic": "wh.people", "key": ["id"], "before": "full"}},
    "destinations": {"braze": {"type": "braze", "url": "http://127.0.0.1:1", "api_key": "x"}},
    "activations": {
        "gold": {
            "source": "people",
            "destination": "braze",
            "mode": "update",
            "identifier": {"external_id": "id"},
            "attributes": ["name"],
        }
    },
}


class Letters:
    """Letters that were made up; see `admin.letters.Letterbox`."""

    def __init__(self) -> None:
        self.open = [
            views.Letter(
                0, 3, 1, 70, "email_bad_format", "TASK_PUT", "201", "1", "2026-11-22T10:00:00Z", "email", "a1"
            ),
            views.Letter(0, 4, 0, 71, "no_key", "TRANSFORMATION", "", "0", "2026-11-22T10:01:00Z", "no key", "b2"),
        ]
        self.reachable = True

    async def count(self, activation: str) -> int:
        return len(self.open)

    async def read(self, activation: str, which: views.PutAside, limit: int, code: str | None) -> views.Letters:
        if not self.reachable:
            raise StreamSyncError("topic 'x' cannot be read (_TRANSPORT): see that Kafka runs")
        found = [letter for letter in self.open if code in (None, letter.code)]
        return views.Letters(
            f"acme.{activation}.dlq", len(self.open), dict(Counter(e.code for e in found)), found[:limit]
        )


class Work:
    """Notes what was asked for; see `admin.work.Worker`."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, views.Action, views.Order]] = []
        self.busy = False

    def start(self, activation: str, action: views.Action, order: views.Order) -> views.Job:
        if self.busy:
            raise BusyError
        self.asked.append((activation, action, order))
        return self.jobs()[0]

    def stop(self, number: int) -> views.Job | None:
        return self.jobs()[0] if number == len(self.asked) else None

    def jobs(self) -> list[views.Job]:
        return [
            views.Job(
                number, activation, action, order.dry_run, "done", "2026-11-22T10:00:00Z", "2026-11-22T10:00:05Z",
                1200, 2, 2, {"writes": 2, "deletes": 1} if order.dry_run else {},
                {} if order.dry_run else {"delivered": 2}, {}, "",
            )
            for number, (activation, action, order) in reversed([*enumerate(self.asked, 1)])
        ]  # fmt: skip

    async def close(self) -> None:
        pass


class Service:
    """The lanes of a service; see `admin.console.Steered`."""

    def __init__(self) -> None:
        self.lanes = {"gold": LaneStatus("running", None, is_paused=False, next_run=None)}
        self.onlookers: dict[str, Journal] = {}

    def status(self) -> Mapping[str, LaneStatus]:
        return self.lanes

    def pause(self, activation: str) -> None:
        self.lanes[activation] = LaneStatus("paused", "by_request", is_paused=True, next_run=None)

    def resume(self, activation: str) -> None:
        self.lanes[activation] = LaneStatus("running", None, is_paused=False, next_run=None)

    def watch(self, onlookers: Callable[[str], Journal] | None) -> None:
        self.onlookers = {} if onlookers is None else {name: onlookers(name) for name in self.lanes}


class Site:
    """The console as its users reach it."""

    def __init__(self, admin: Admin, metrics: Metrics, service: Service, letters: Letters, work: Work) -> None:
        self.url = f"http://127.0.0.1:{admin.port}"
        self.lane = metrics.lane("gold")
        self.metrics = metrics
        self.service = service
        self.letters = letters
        self.work = work
        self.changed: list[str] = []
        """New texts of the token that were told."""
        self.said: list[tuple[str, dict[str, object]]] = []
        """Log lines."""

    async def ask(
        self, path: str, method: str = "GET", *, token: str | None = None, body: object = None, **headers: str
    ) -> tuple[int, Any, Mapping[str, str]]:
        """Status, JSON and headers."""
        shown = {"Authorization": f"Bearer {token}"} if token is not None else {}
        shown |= {name.replace("_", "-"): value for name, value in headers.items()}
        content = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, self.url + path, data=content, headers=shown) as response,
        ):
            return response.status, json.loads(await response.read() or b"null"), response.headers

    async def headers(self, path: str) -> Mapping[str, str]:
        """Of an answer that need not be JSON."""
        async with aiohttp.ClientSession() as session, session.get(self.url + path) as response:
            return response.headers


@contextlib.asynccontextmanager
async def site(folder: Path, console: str = "write", token: str = TOKEN) -> AsyncIterator[Site]:
    """`token`: as the config has it."""
    path = folder / "config.yaml"
    path.write_text(json.dumps({**CONFIG, "admin": {"port": 0, "console": console, "token": token}}))
    registry = Registry()
    metrics = Metrics(registry)
    changed: list[str] = []
    said: list[tuple[str, dict[str, object]]] = []

    def log(event: str, **fields: object) -> None:
        said.append((event, fields))

    service, letters, work = Service(), Letters(), Work()
    config = load(path, {}).config
    assert config.admin is not None
    access = Access(config.admin, changed.append, log)
    made = Console(config, "1.2.3", registry, service, letters, work, Mask(), access)
    admin = Admin("127.0.0.1", 0, registry, lambda: True, lambda: {"gold": "running"}, made)
    await admin.start()
    try:
        served = Site(admin, metrics, service, letters, work)
        served.changed, served.said = changed, said
        yield served
    finally:
        await admin.stop()
