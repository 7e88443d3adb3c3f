"""A table that changes all the time, its topic, and the history of what it held.

Invariants:
- A row's changes are in one partition, in order; a change is in the history before its record is written.
- What a transaction aborts is in no history: if it is ever delivered, it was invented.
- A producer without time limits worth mentioning: what the broker does costs no change.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
import zlib
from collections import Counter
from itertools import islice
from typing import Any

from confluent_kafka import KafkaException, Producer

from stream_sync.sandbox.debezium import Row, Table, Written, change, tombstone
from tests.e2e.members import CANARY
from tests.oracle.history import VERSION, History, State

TIERS = ("gold", "tin", "none", None)
POISON = "poison"
"""A tier that the destination refuses."""
TABLE = Table("wh", "marts", "people", ("id",))
HOT = 20
_TIMEOUT_MS = 600_000


def is_in_segment(row: Row) -> bool:
    """The mirror's `where`: tier <> 'none'."""
    return row["tier"] is not None and row["tier"] != "none"


class Source:
    """The table. `people` is the history of a mirror of the segment, `everyone` that of who never deletes."""

    def __init__(self, bootstrap: str, topic: str, partitions: int, dice: random.Random) -> None:
        self.topic = topic
        self.rows: dict[str, Row] = {}
        self.people, self.everyone = History(), History()
        self.changes: Counter[str] = Counter()
        self.poisoned: set[str] = set()
        """Whose row the destination refused at some time, by their ids."""
        self.failures: list[str] = []
        self._partitions = partitions
        self._new_partition: int | None = None
        self._dice = dice
        self.version = 0
        self._names = 0
        self._gone: list[str] = []
        self._deletable_at = time.monotonic()
        self._properties = {
            "bootstrap.servers": bootstrap,
            "acks": "all",
            "linger.ms": 5,
            "message.timeout.ms": _TIMEOUT_MS,
            "topic.metadata.refresh.interval.ms": 1000,
            "log_level": 0,
        }
        self._producer = Producer({**self._properties, "enable.idempotence": True})
        self._is_transacting = False

    def fill(self, count: int) -> None:
        """The rows that are there before anybody looks."""
        for _ in range(count):
            self._insert()

    def step(self) -> None:
        """One change, or a few that belong together; none while a second producer writes: it has no order with ours."""
        if self._is_transacting:
            return
        kind = self._dice.choices(
            ("update", "insert", "delete", "refresh", "poison", "cure", "junk"), (80, 6, 3, 3, 1, 3, 0.5)
        )[0]
        if kind == "delete" and time.monotonic() < self._deletable_at:
            kind = "update"
        self.changes[kind] += 1
        match kind:
            case "insert":
                self._insert()
            case "delete":
                self._deletable_at = time.monotonic() + 1.5
                self.delete(self._anybody())
            case "refresh":
                self._insert(self.delete(self._anybody()))
            case "poison":
                self._update(self._anybody(), tier=POISON)
            case "cure":
                poisoned = [who for who, row in self.rows.items() if row["tier"] == POISON]
                self._update(self._dice.choice(poisoned) if poisoned else self._anybody(), tier="gold")
            case "junk":
                self._write(Written(f"junk-{self.version}".encode(), b"\xff{", ()), 0)
            case _:
                self._update(self._anybody(), **self._values())

    def delete(self, who: str) -> str:
        """Removes a row."""
        row = self.rows.pop(who)
        self._gone.append(who)
        self._change("d", row, None)
        return who

    def grow(self, partition: int) -> None:
        """New rows go to a further partition from now on: those that are there keep theirs."""
        self._new_partition = partition

    async def transact(self, *, commit: bool) -> None:
        """Some updates in one transaction."""
        properties = {**self._properties, "transactional.id": f"{self.topic}-{self.version}", "linger.ms": 0}
        del properties["message.timeout.ms"]
        producer = Producer(properties)
        await asyncio.to_thread(producer.init_transactions, 60)
        self._is_transacting = True
        usual = self._producer
        try:
            await asyncio.to_thread(self.flush)
            producer.begin_transaction()
            self._producer = producer
            for _ in range(self._dice.randrange(1, 20)):
                if commit:
                    self._update(self._anybody(), **self._values())
                else:
                    self._abandoned()
            await asyncio.to_thread(producer.flush, 60)
            await asyncio.to_thread(producer.commit_transaction if commit else producer.abort_transaction, 60)
        finally:
            self._producer = usual
            self._is_transacting = False

    def poll(self) -> None:
        """To be called often: it serves the producer."""
        self._producer.poll(0)

    def flush(self) -> None:
        """Returns when Kafka has everything."""
        if self._producer.flush(120):
            self.failures.append("the source could not write all of its changes")

    def _insert(self, again: str | None = None) -> None:
        who = again
        if who is None and self._gone and self._dice.random() < 0.5:
            who = self._gone.pop(self._dice.randrange(len(self._gone)))
        if who is None:
            self._names += 1
            who = f"p{self._names}" if self._new_partition is None else f"n{self._new_partition}-{self._names}"
        with contextlib.suppress(ValueError):
            self._gone.remove(who)
        row = {"id": who, "name": f"{CANARY} {who}", "tier": "gold", "score": 0, VERSION: self.version + 1}
        self.rows[who] = row | ({} if again else self._values())
        self._change("c", None, self.rows[who])

    def _update(self, who: str, **values: Any) -> None:
        before = self.rows[who]
        self.rows[who] = {**before, **values, VERSION: self.version + 1}
        if self.rows[who]["tier"] == POISON:
            self.poisoned.add(who)
        self._change("u", before, self.rows[who])

    def _abandoned(self) -> None:
        """A record that will be aborted."""
        before = self.rows[self._anybody()]
        self.version += 1
        after = {**before, "score": -1, VERSION: self.version}
        self._write(change(TABLE, "u", before, after, time.time(), self.version), self._partition(before["id"]))

    def _values(self) -> dict[str, Any]:
        values: dict[str, Any] = {"score": self._dice.randrange(1000)}
        if self._dice.random() < 0.03:
            values["tier"] = self._dice.choice(TIERS)
        return values

    def _anybody(self) -> str:
        """Half of the time one of a few."""
        everybody = len(self.rows)
        place = self._dice.randrange(min(HOT, everybody) if self._dice.random() < 0.5 else everybody)
        return next(islice(self.rows, place, None))

    def _change(self, op: Any, before: Row | None, after: Row | None) -> None:
        self.version += 1
        row = after if after is not None else before
        assert row is not None
        who, partition = row["id"], self._partition(row["id"])
        state = State(self.version, time.monotonic(), after, partition)
        was, now = (each is not None and is_in_segment(each) for each in (before, after))
        if now:
            self.people.add(who, state)
        elif was:
            self.people.add(who, state._replace(row=None))
        if after is not None:
            self.everyone.add(who, state)
        written = change(TABLE, op, before, after, time.time(), self.version)
        self._write(written, partition)
        if op == "d":
            self._write(tombstone(written), partition)

    def _partition(self, who: str) -> int:
        if who.startswith("n"):
            return int(who[1:].partition("-")[0])
        return zlib.crc32(who.encode()) % self._partitions

    def _write(self, record: Written, partition: int) -> None:
        headers: list[tuple[str, str | bytes | None]] = list(record.headers)
        while True:
            try:
                self._producer.produce(
                    self.topic, record.value, record.key, partition, on_delivery=self._delivered, headers=headers
                )
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as exception:
                self.failures.append(f"the source could not write: {exception.args[0].name()}")
                return
            else:
                return

    def _delivered(self, error: Any, _message: Any) -> None:
        if error is not None and error.name() != "_PURGE_QUEUE":
            self.failures.append(f"the source could not write: {error.name()}")
