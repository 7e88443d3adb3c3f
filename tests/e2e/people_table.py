"""What the tests of dead letters and held deletes share: a table of people on real Kafka, a mirror of it in the
sandbox, and the commands as users run them."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from stream_sync.sandbox.debezium import Table, Written
from stream_sync.sandbox.server import Sandbox
from stream_sync.sandbox.warehouse import Warehouse
from tests.e2e.service import LIMIT, LONG_SESSION, run
from tests.rig.client import Kafka, Outgoing

TYPES = {"id": "text", "email": "text", "name": "text", "tier": "text"}


class Ended(NamedTuple):
    """A command that ended."""

    status: int
    out: str
    err: str


class People:
    """A table of people, its topic, a config that mirrors it, and the service's commands."""

    def __init__(self, kafka: Kafka, prefix: str, sandbox: Sandbox, folder: Path, count: int = 0) -> None:
        self.kafka, self.prefix, self.sandbox, self.folder = kafka, prefix, sandbox, folder
        self.topic = f"{prefix}.people"
        self.table = Warehouse(Table("wh", "marts", "people", ("id",)), [person(number) for number in range(count)])
        kafka.create_topic(self.topic, 2)
        self.write(self.table.snapshot(time.time()))
        self.config: dict[str, Any] = {
            "name": prefix,
            "kafka": {"bootstrap.servers": kafka.bootstrap, **LONG_SESSION},
            "admin": False,
            "sources": {"people": {"topic": self.topic, "before": "full", "types": TYPES}},
            "destinations": {
                "braze": {
                    "type": "braze",
                    "url": sandbox.address("braze", prefix),
                    "api_key": "a-key",
                    "spacing": "50ms",
                }
            },
            "activations": {
                "everyone": {
                    "source": "people",
                    "destination": "braze",
                    "mode": "mirror",
                    "identifier": {"external_id": "id"},
                    "fields": {"email": "email", "first_name": "name"},
                    "attributes": {"tier": "tier"},
                    "deletes": {"after": "100ms", "max": 1000, "per": "1h"},
                    "batch": {"max_wait": "20ms"},
                }
            },
        }

    @property
    def activation(self) -> dict[str, Any]:
        found: dict[str, Any] = self.config["activations"]["everyone"]
        return found

    @property
    def dead_letters(self) -> str:
        return f"{self.prefix}.everyone.dlq"

    @property
    def held(self) -> str:
        return f"{self.prefix}.everyone.held"

    @property
    def found(self) -> dict[str, dict[str, Any]]:
        """The people in the sandbox, as the table has them."""
        people = self.sandbox.workspace("braze", self.prefix).people
        return {
            identifier: {
                "id": identifier,
                "email": one.get("email"),
                "name": one.get("first_name"),
                "tier": one.get("tier"),
            }
            for identifier, one in people.items()
        }

    @property
    def expected(self) -> Mapping[str, Any]:
        """The people as the table has them."""
        return {key: dict(row) for key, row in self.table.rows.items()}

    def write(self, records: Sequence[Written]) -> None:
        self.kafka.produce(self.topic, [Outgoing(r.key, r.value, r.headers) for r in records])

    def insert(self, number: int, **values: str) -> None:
        self.write(self.table.insert({**person(number), **values}, time.time()))

    def update(self, number: int, **values: str) -> None:
        self.write(self.table.update(person(number)["id"], values, time.time()))

    def delete(self, number: int) -> None:
        self.write(self.table.delete(person(number)["id"], time.time()))

    async def catch_up(self) -> None:
        """Runs the service until it has caught up."""
        running = await run(self.config, self.folder, "--until-caught-up")
        assert running.process.returncode == 0, running.log

    async def catch_up_with_too_many_deletes(self) -> None:
        """As `catch_up`. None of the Deletes is sent before all are counted, however late a part of them is read."""
        deletes = self.activation["deletes"]
        after, deletes["after"] = deletes["after"], "1h"
        await self.catch_up()
        deletes["after"] = after
        self.save()

    def save(self) -> None:
        """The config is that of the next command."""
        (self.folder / "config.yaml").write_text(json.dumps(self.config))

    async def command(self, *arguments: str) -> Ended:
        """Runs `stream-sync ARGUMENTS` on the config of the last run, or of `save`."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "stream_sync", *arguments[:2], "-c", str(self.folder / "config.yaml"),
            "--activation", "everyone", *arguments[2:],
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "COLUMNS": "200"},
        )  # fmt: skip
        try:
            out, err = await asyncio.wait_for(process.communicate(), LIMIT)
        except TimeoutError:
            process.kill()
            out, err = await process.communicate()
            raise AssertionError(f"the command did not end:\n{out.decode()}\n{err.decode()}") from None
        assert process.returncode is not None
        return Ended(process.returncode, out.decode(), err.decode())


def person(number: int) -> dict[str, str]:
    return {"id": f"p{number}", "email": f"p{number}@example.com", "name": f"Name {number}", "tier": "gold"}
