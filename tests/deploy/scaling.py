"""How many people a second one, two and three processes deliver: `python -m tests.deploy.scaling`, for docs/scaling.md.

Of a destination that is slow to answer and of one with a rate limit: neither is bound by this machine's processors,
which the processes share with Kafka and the sandbox.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from stream_sync.sandbox.faults import Faults
from stream_sync.sandbox.server import Sandbox
from tests.e2e.members import Members
from tests.e2e.service import until
from tests.e2e.stage import Warehouse
from tests.oracle.journal import Journal
from tests.rig.client import Kafka, Outgoing
from tests.rig.server import KafkaServer

PARTITIONS = 12
PROCESSES = (1, 2, 3)
FROM, TO = 0.2, 0.9
"""What counts: between these shares of all people, so neither the start nor the last partition."""
LIMIT = 180.0
"""Seconds."""


class Trial(NamedTuple):
    """A destination, and how many people there are for each process, or for all."""

    name: str
    destination: dict[str, Any]
    latency: float
    people: int
    for_each: bool


TRIALS = (
    Trial(
        "answers after 200 ms, 2 requests of 25 people at once", {"in_flight": 2, "track_batch": 25}, 0.2, 2500, True
    ),
    Trial("takes 20 requests of 25 people a second", {"rate_limit": "20/1s", "track_batch": 25}, 0.0, 5000, False),
)


async def people_a_second(trial: Trial, processes: int, kafka: Kafka, folder: Path) -> float:
    """While all of the processes have their partitions."""
    name = f"scaling-{uuid.uuid4().hex[:8]}"
    kafka.create_topic(name, PARTITIONS)
    wanted = trial.people * (processes if trial.for_each else 1)
    records = [Outgoing(r.key, r.value, r.headers) for r in Warehouse().inserts(wanted)]
    async with Sandbox() as sandbox:
        workspace = sandbox.workspace("braze", name)
        workspace.faults = Faults(latency=trial.latency)
        config = {
            "name": name,
            "kafka": {"bootstrap.servers": kafka.bootstrap},
            "admin": False,
            "sources": {"people": {"topic": name, "types": {"*": "json"}}},
            "destinations": {"braze": {"type": "braze", "url": sandbox.address("braze", name), **trial.destination}},
            "activations": {
                "everyone": {
                    "source": "people",
                    "destination": "braze",
                    "mode": "upsert",
                    "identifier": {"external_id": "id"},
                    "attributes": ["name", "score"],
                }
            },
        }
        async with Members(folder, config, {"everyone": Journal()}) as members:
            joined = [await members.join() for _ in range(processes)]
            await until(lambda: all(list(member.owned) for member in joined), "all have joined", LIMIT)
            await asyncio.to_thread(kafka.produce, name, records)
            await until(lambda: len(workspace.people) >= wanted * FROM, "people come", LIMIT)
            began, before = time.monotonic(), len(workspace.people)
            await until(lambda: len(workspace.people) >= wanted * TO, "people go on coming", LIMIT)
            found = (len(workspace.people) - before) / (time.monotonic() - began)
            await until(lambda: len(workspace.people) == wanted, "all are there", LIMIT)
    return found


async def measure() -> Table:
    """The table, of people a second."""
    table = Table(
        "a destination that", *(f"{n} process{'es' if n > 1 else ''}" for n in PROCESSES), title="people a second"
    )
    with KafkaServer() as server, tempfile.TemporaryDirectory() as folder:
        kafka = Kafka(server.bootstrap)
        for trial in TRIALS:
            found = [await people_a_second(trial, processes, kafka, Path(folder)) for processes in PROCESSES]
            table.add_row(trial.name, *(f"{each:,.0f}" for each in found))
    return table


def main() -> None:
    Console(width=120).print(asyncio.run(measure()))


if __name__ == "__main__":
    main()
