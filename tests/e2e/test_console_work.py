"""Dead letters and held deletes decided over the API of a running service, on real Kafka."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import aiohttp

from stream_sync.sandbox.faults import Faults
from stream_sync.sandbox.server import Sandbox
from tests.e2e.people_table import People
from tests.e2e.service import Running, service, until
from tests.rig.client import Kafka

TOKEN = "made-up-token-of-this-test"
OF = "/api/activations/everyone"


class Console:
    """The API of a service that runs."""

    def __init__(self, running: Running, session: aiohttp.ClientSession) -> None:
        found = re.search(r"http://127\.0\.0\.1:\d+", running.log)
        assert found is not None, running.log
        self._url, self._session = found[0], session
        self.seen: set[tuple[str, str]] = set()
        """Kinds and outcomes of live changes."""

    async def get(self, path: str) -> Any:
        async with self._session.get(self._url + path) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def has(self, which: str, number: int) -> bool:
        """Whether so many letters, or held deletes, are there."""
        return bool((await self.get(f"{OF}/{which}"))["total"] == number)

    async def tells(self, name: str, value: Any) -> bool:
        """Whether the lane is so; who asks looks at the live changes as well."""
        changes = (await self.get("/api/changes"))["changes"]
        self.seen |= {(change["kind"], change["outcome"]) for change in changes}
        assert not any(secret in str(changes) for secret in ("p7", "example.com", "silver"))
        (lane,) = (await self.get("/api/lanes"))["lanes"]
        return bool(lane[name] == value)

    async def job(self, path: str, **order: Any) -> dict[str, Any]:
        """What became of it."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with self._session.post(self._url + OF + path, json=order, headers=headers) as response:
            assert response.status == 202, await response.text()
            number = (await response.json())["id"]

        async def ended() -> bool:
            return bool((await self.get("/api/jobs"))["jobs"][0]["state"] != "running")

        await until(ended, "the job ends")
        last = (await self.get("/api/jobs"))["jobs"][0]
        assert last["id"] == number
        return dict(last)


async def test_letters_are_replayed_and_held_deletes_released_beside_the_running_lane(
    kafka: Kafka, prefix: str, tmp_path: Path
) -> None:
    async with Sandbox() as sandbox, aiohttp.ClientSession() as session:
        people = People(kafka, prefix, sandbox, tmp_path, count=12)
        people.activation["deletes"] = {"after": "1s", "max": 0, "per": "1h"}
        people.config["admin"] = {"port": 0, "console": "write", "token": TOKEN}
        workspace = sandbox.workspace("braze", prefix)
        workspace.faults = Faults(reject=("p1", "p2"))
        async with service(people.config, tmp_path) as running:
            await until(lambda: "admin_listening" in running.log, "the console listens")
            console = Console(running, session)
            await until(lambda: console.tells("outcomes", {"delivered": 10, "rejected": 2}), "two letters are written")
            assert await console.has("letters", 2)
            workspace.faults = Faults()
            assert (await console.job("/letters/replay", dry_run=True))["planned"] == {"writes": 2, "deletes": 0}
            replayed = await console.job("/letters/replay", agreed=0)
            assert (replayed["state"], replayed["results"]) == ("done", {"delivered": 2}), replayed
            assert people.found == people.expected
            assert await console.has("letters", 0)

            gone = [record for number in range(5) for record in people.table.delete(f"p{number}", time.time())]
            people.write(gone)
            people.update(7, tier="silver")
            told = {"delivered": 11, "rejected": 2, "parked": 5}
            await until(lambda: console.tells("outcomes", told), "the deletes are held")
            assert await console.has("held", 5)
            planned = await console.job("/held/release", dry_run=True)
            assert planned["planned"] == {"writes": 0, "deletes": 5}
            too_few = await console.job("/held/release", agreed=4)
            assert (too_few["state"], too_few["reasons"]) == ("incomplete", {"more_than_agreed": 5})
            assert len(people.found) == 12
            released = await console.job("/held/release", agreed=5)
            assert (released["state"], released["message"]) == ("done", ""), released
            await until(lambda: people.found == people.expected, "who is gone is deleted, who changed is changed")

    assert console.seen >= {
        ("insert", "delivered"),
        ("insert", "rejected"),
        ("update", "delivered"),
        ("delete", "parked"),
    }
