"""A small table, the topic of its changes, the oracle as the destination, and the service between them.

Invariants:
- The service runs as a process of its own where the test is about processes, else inside the test's: quick, and its
  metrics are at hand.
- The same test gives the same records: keys, values and times are made from its own calls.
- Every change of a row gives it another `version`, so that the oracle sees how old what is written is.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException, Message

from stream_sync.app import Result, Service
from stream_sync.config.load import load
from stream_sync.config.settings import Config
from stream_sync.config.values import parse_duration
from stream_sync.observability.metrics import Registry
from stream_sync.sandbox.debezium import Row, Table, Written, change, key_change, tombstone
from stream_sync.wiring import RunOptions
from tests.e2e import service
from tests.e2e.oracle import People, differences
from tests.e2e.service import LONG_SESSION, Running
from tests.oracle.destination import Account, Oracle
from tests.oracle.history import VERSION, History, State
from tests.oracle.journal import Entry, Journal
from tests.oracle.verdict import Promise, Verdict, judge
from tests.rig.client import Kafka, Outgoing

ACTIVATION = "everyone"
TYPES = {"id": "text", "name": "text", "tier": "text", "score": "int", VERSION: "int"}
KEY = "a-key"
STARTED = 1_700_000_000
"""When the table's first change was committed, in seconds since the epoch; each further one a second later."""
LIMIT = 120.0
"""Seconds."""


class Warehouse:
    """A table as it is now; each change of it gives the records that tell of it."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.history = History()
        self.identify: Callable[[Row], str] = lambda row: row["id"]
        self.is_member: Callable[[Row], bool] = lambda _row: True
        """Whom a row is, and whether they are in the segment: for the history."""
        self._table = Table("wh", "marts", "people", ("id",))
        self._position = 0

    def insert(self, who: str, **values: Any) -> list[Written]:
        self.rows[who] = self._new({"id": who, "name": None, "tier": None, "score": 0, **values})
        return [self._change("c", None, self.rows[who])]

    def inserts(self, number: int, start: int = 0) -> list[Written]:
        """So many people, `p0` and on."""
        return [record for n in range(start, start + number) for record in self.insert(f"p{n}", name=f"Name {n}")]

    def update(self, who: str, **values: Any) -> list[Written]:
        """Without values: one that changes nothing."""
        before = self.rows[who]
        self.rows[who] = self._new({**before, **values}) if values else before
        return [self._change("u", before, self.rows[who])]

    def delete(self, who: str) -> list[Written]:
        """With the tombstone after it."""
        deleted = self._change("d", self.rows.pop(who), None)
        return [deleted, tombstone(deleted)]

    def rename(self, who: str, new: str) -> list[Written]:
        """Another primary key."""
        before = self.rows.pop(who)
        self.rows[new] = self._new({**before, "id": new})
        self._position += 1
        self._note(before, self.rows[new])
        return list(key_change(self._table, before, self.rows[new], STARTED + self._position, self._position))

    def truncate(self) -> list[Written]:
        """What Debezium writes of it: no key, no row."""
        value = {"before": None, "after": None, "op": "t", "ts_ms": STARTED * 1000, "source": {"table": "people"}}
        return [Written(b"", json.dumps(value).encode())]

    def _new(self, row: Row) -> Row:
        """With the version of the next change."""
        return {**row, VERSION: self._position + 1}

    def _note(self, before: Row | None, after: Row | None) -> None:
        was, now = (None if row is None or not self.is_member(row) else self.identify(row) for row in (before, after))
        at = time.monotonic()
        if was is not None and was != now:
            self.history.add(was, State(self._position, at, None))
        if now is not None and after is not None and after != before:
            self.history.add(now, State(self._position, at, after))

    def _change(self, op: Any, before: Row | None, after: Row | None) -> Written:
        self._position += 1
        self._note(before, after)
        return change(self._table, op, before, after, STARTED + self._position, self._position)


class Inside:
    """The service in the test's own process."""

    def __init__(self, run: asyncio.Task[Result], running: Service, registry: Registry) -> None:
        self._run = run
        self._service = running
        self._registry = registry
        self.is_seen = False
        """Whether somebody asked how it ended."""

    def metric(self, name: str, **labels: str) -> float:
        """Of the activation, or of what `labels` say; 0 where there is none."""
        told = labels if "destination" in labels else {"activation": ACTIVATION, **labels}
        return self._registry.get_sample_value(f"stream_sync_{name}", told) or 0.0

    @property
    def is_halted(self) -> bool:
        return self.metric("lane_state", state="halted") == 1

    @property
    def is_polling(self) -> bool:
        """Whether `/healthz` asks when the consumer was polled last."""
        return any(wired.lane.polled_at is not None for wired in self._service._lanes.values())

    @property
    def halts(self) -> str:
        """Why it is halted, empty where it is not."""
        lanes = self._service._lanes.values()
        return " ".join(wired.lane.standing.halted or "" for wired in lanes)

    async def ended(self, limit: float = LIMIT) -> Result:
        """How it ended; fails the test where it does not in time."""
        self.is_seen = True
        return await asyncio.wait_for(asyncio.shield(self._run), limit)

    async def stop(self) -> Result:
        """Ends it as a SIGTERM would."""
        if not self._run.done():
            self._service.stop()
        return await self.ended()


class Stage:
    """One activation with everything around it."""

    def __init__(self, kafka: Kafka, prefix: str, oracle: Oracle, folder: Path) -> None:
        self.kafka = kafka
        self.oracle = oracle
        self.folder = folder
        self.table = Warehouse()
        self.topic = f"{prefix}.people"
        self.group = f"{prefix}.{ACTIVATION}"
        self.dead_letters = f"{self.group}.dlq"
        self.held = f"{self.group}.held"
        self.workspace: Account = oracle.account(prefix)
        self.activation: dict[str, Any] = {
            "source": "people",
            "destination": "braze",
            "mode": "mirror",
            "identifier": {"external_id": "id"},
            "attributes": ["name", "tier", "score", VERSION],
            "deletes": {"after": "300ms", "max": 1000, "per": "1h"},
            "batch": {"max_wait": "20ms"},
        }
        self.braze: dict[str, Any] = {
            "type": "braze",
            "url": oracle.address(prefix),
            "api_key": KEY,
            "spacing": "50ms",
        }
        self.source: dict[str, Any] = {"topic": self.topic, "before": "full", "types": TYPES}
        self.config: dict[str, Any] = {
            "name": prefix,
            "kafka": {
                "bootstrap.servers": kafka.bootstrap,
                **LONG_SESSION,
                "topic.metadata.refresh.interval.ms": 500,
            },
            "admin": False,
            "sources": {"people": self.source},
            "destinations": {"braze": self.braze},
            "activations": {ACTIVATION: self.activation},
        }

    # --- Kafka ---

    def create(self, partitions: int = 1, **config: str) -> None:
        """The source topic, with a topic's settings under their names with `_` for `.`."""
        self.kafka.create_topic(
            self.topic, partitions, {name.replace("_", "."): value for name, value in config.items()}
        )

    def add_partitions(self, total: int) -> None:
        """So that the source topic has so many."""
        self.kafka.add_partitions(self.topic, total)

    def write(self, *changes: Iterable[Written], partition: int = -1) -> None:
        """Puts the records of changes into the source topic, in order; each key into its own partition unless told."""
        records = [record for written in changes for record in written]
        self.kafka.produce(self.topic, [Outgoing(r.key, r.value, r.headers, partition) for r in records])

    def letters(self, topic: str) -> list[Message]:
        """Everything in a topic of letters; nothing where there is no such topic."""
        return self.kafka.read_all(topic) if topic in self.kafka.topics() else []

    def count(self, topic: str) -> int:
        """How many records a topic has; 0 for one that is not there, or has only just been created."""
        try:
            return sum(self.kafka.end_offsets(topic).values()) if topic in self.kafka.topics() else 0
        except KafkaException:
            return 0

    @property
    def committed(self) -> dict[int, int]:
        return self.kafka.committed(self.group, self.topic)

    @property
    def is_committed_to_the_end(self) -> bool:
        return self.committed == self.kafka.end_offsets(self.topic)

    # --- the destination ---

    @property
    def people(self) -> People:
        """The people in the workspace, without their identifiers and versions."""
        return {who: without(person, VERSION, "external_id") for who, person in self.workspace.people.items()}

    @property
    def wrong(self) -> list[str]:
        """Where the workspace is not as the table."""
        names = self.activation["attributes"]
        rows = {
            who: {name: row[name] for name in names if row[name] is not None} for who, row in self.table.rows.items()
        }
        people = self.workspace.people.items()
        return differences(rows, {who: without(person, "external_id") for who, person in people})

    @property
    def journal(self) -> Journal:
        return self.workspace.journal

    @property
    def verdict(self) -> Verdict:
        """The oracle's, on everything that was asked of it so far."""
        deletes = self.activation.get("deletes")
        promise = Promise(self.activation["mode"])
        if deletes is not None:
            promise = promise._replace(most_deletes=deletes["max"], per=parse_duration(deletes["per"]))
        return judge(self.journal, self.table.history, promise)

    @property
    def deleted(self) -> list[str]:
        """Who was deleted, in order."""
        return [who for entry in self.requests("/users/delete") if entry.done for who in entry.people]

    def requests(self, path: str = "/users/track") -> list[Entry]:
        return [entry for entry in self.journal.entries if entry.path == path]

    # --- the service ---

    async def run(self, *arguments: str) -> Running:
        """As a process, to its end."""
        self.journal.session(KEY, time.monotonic())
        return await service.run(self.config, self.folder, *arguments)

    def process(self, *arguments: str) -> AbstractAsyncContextManager[Running]:
        self.journal.session(KEY, time.monotonic())
        return service.service(self.config, self.folder, *arguments)

    @contextlib.asynccontextmanager
    async def inside(self, **options: Any) -> AsyncIterator[Inside]:
        """In the test's process, with these `RunOptions`; stopped in order at the end."""
        self.journal.session(KEY, time.monotonic())
        registry = Registry()
        running = Service(self._load(), RunOptions(**options), registry)
        run = asyncio.create_task(running.run())
        found = Inside(run, running, registry)
        try:
            yield found
            if not run.done() or not found.is_seen:
                await found.stop()
        finally:
            run.cancel()
            await asyncio.wait((run,), timeout=LIMIT)

    async def catch_up(self, **options: Any) -> Inside:
        """Runs in the test's process until everything that is in the topic is delivered."""
        async with self.inside(until_caught_up=True, **options) as running:
            result = await running.ended()
        assert not result.halted, result.halted
        return running

    def _load(self) -> Config:
        path = self.folder / "inside.yaml"
        path.write_text(json.dumps(self.config))
        return load(path, os.environ).config


def without(person: dict[str, Any], *names: str) -> dict[str, Any]:
    """The values of a person but for these."""
    return {name: value for name, value in person.items() if name not in names}
