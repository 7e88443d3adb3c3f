"""What the soak runs against: a broker and an oracle of its own, one changing table, three activations of it.

A mirror with a segment, an upsert and an update, each into an account of its own; what each must end as follows from
the table's history alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException, Message

from stream_sync.sandbox.faults import NONE, Faults
from tests.e2e.members import CANARY
from tests.e2e.oracle import People, differences
from tests.oracle.destination import Oracle
from tests.oracle.history import VERSION, History
from tests.oracle.journal import Journal
from tests.oracle.verdict import Promise, Verdict, judge
from tests.rig.client import Kafka
from tests.rig.server import KafkaServer
from tests.soak.source import POISON, Source

NAME = "soak"
TOPIC = "soak.people"
PARTITIONS = 4
ATTRIBUTES = ("name", "tier", "score", VERSION)
MODES = ("mirror", "upsert", "update")
KNOWN = 1000
"""People whom the account of the update holds from the start."""
ROWS = 2500
MOST_DELETES = 1500
LIMIT_PER_SECOND = 60
"""Requests to an account, over all processes."""
SESSION_MS = 3000
PATIENCE_MS = 6000
REFUSED = Faults(reject_where={"tier": POISON})
"""Nothing else goes wrong."""


class World:
    """`start` it, let it be disturbed, and ask for the verdicts."""

    def __init__(self, server: KafkaServer, oracle: Oracle, folder: Path, dice: random.Random) -> None:
        self.server = server
        self.oracle = oracle
        self.folder = folder
        self.kafka = Kafka(server.bootstrap)
        self.kafka.create_topic(TOPIC, PARTITIONS)
        self.source = Source(server.bootstrap, TOPIC, PARTITIONS, dice)
        self.config = self._config()
        self.accounts = {mode: oracle.account(mode) for mode in MODES}
        self.histories: dict[str, History] = {
            "mirror": self.source.people,
            "upsert": self.source.everyone,
            "update": self.source.everyone,
        }
        known = (f"p{number}" for number in range(1, KNOWN + 1))
        self.accounts["update"].people.update({who: {"external_id": who} for who in known})
        self.calm()

    @property
    def journals(self) -> dict[str, Journal]:
        return {mode: account.journal for mode, account in self.accounts.items()}

    def calm(self) -> None:
        """The destinations do nothing wrong, but still refuse what is poison."""
        for account in self.accounts.values():
            account.faults = REFUSED

    def cure(self) -> None:
        """What was poison is taken from now on."""
        for account in self.accounts.values():
            account.faults = NONE

    def expected(self, mode: str) -> People:
        """Whom an account must hold in the end, and how."""
        last = self.histories[mode].last()
        people = {who: state.row for who, state in last.items() if state.row is not None}
        if mode == "update":
            people = {who: row for who, row in people.items() if who in self.accounts["update"].people}
        return {who: {name: row[name] for name in ATTRIBUTES if row[name] is not None} for who, row in people.items()}

    def wrong(self, mode: str, *, poisoned: bool = False) -> list[str]:
        """Where an account is not as it must be; `poisoned`: those whose rows were ever refused are left out, otherwise
        only those of them whose row is gone, so that no replay can send it."""
        people = {
            who: {name: value for name, value in person.items() if name != "external_id"}
            for who, person in self.accounts[mode].people.items()
        }
        ill = self.source.poisoned
        if not poisoned:
            ill = set() if mode == "mirror" else ill - self.source.rows.keys()
        people, expected = (
            {who: each for who, each in some.items() if who not in ill} for some in (people, self.expected(mode))
        )
        return differences(expected, people)

    def is_committed(self) -> bool:
        """Whether every group has committed all there is."""
        try:
            ends = self.kafka.end_offsets(TOPIC)
            return all(self.kafka.committed(f"{NAME}.{mode}", TOPIC) == ends for mode in MODES)
        except KafkaException:
            return False

    def disorder(self) -> list[str]:
        """Where the source itself wrote something older after something newer: then nobody else is to blame."""
        newest: dict[str, int] = {}
        found: list[str] = []
        for record in self.kafka.read_all(self.source.topic):
            with contextlib.suppress(ValueError):  # the junk
                row = json.loads(record.value() or b"{}").get("after")
                if row is not None:
                    version, before = row[VERSION], newest.get(row["id"], 0)
                    found += [f"the source wrote version {version} of a row after {before}"] if version < before else []
                    newest[row["id"]] = version
        return found

    def letters(self, mode: str, kind: str = "dlq") -> list[Message]:
        """What an activation put aside."""
        topic = f"{NAME}.{mode}.{kind}"
        return self.kafka.read_all(topic) if topic in self.kafka.topics() else []

    def verdict(self, mode: Any, woke: Mapping[str, Sequence[float]]) -> Verdict:
        """The oracle's, once the journals were told of the sessions. `woke`: see `Promise`."""
        most = MOST_DELETES if mode == "mirror" else None
        commands = frozenset(f"{CANARY}-key-of-{name}-{mode}" for name in ("replay", "release"))
        return judge(
            self.accounts[mode].journal, self.histories[mode], Promise(mode, most, by_hand=commands, woke=woke)
        )

    def _config(self) -> Mapping[str, Any]:
        common = {
            "source": "people",
            "identifier": {"external_id": "id"},
            "attributes": list(ATTRIBUTES),
            "batch": {"max_wait": "50ms"},
        }
        deletes = {"after": "2s", "max": MOST_DELETES, "per": "1h"}
        return {
            "name": NAME,
            "kafka": {
                "bootstrap.servers": self.server.bootstrap,
                "session.timeout.ms": SESSION_MS,
                "heartbeat.interval.ms": 500,
                "max.poll.interval.ms": PATIENCE_MS,
                "topic.metadata.refresh.interval.ms": 2000,
            },
            "admin": False,
            "sources": {
                "people": {
                    "topic": TOPIC,
                    "before": "full",
                    "key": ["id"],
                    "types": {"id": "text", "name": "text", "tier": "text", "score": "int", VERSION: "int"},
                }
            },
            "destinations": {
                mode: {
                    "type": "braze",
                    "url": self.oracle.address(mode),
                    "api_key": "",
                    "spacing": "100ms",
                    "in_flight": 8,
                    "rate_limit": f"{LIMIT_PER_SECOND}/1s",
                }
                for mode in MODES
            },
            "activations": {
                "mirror": {
                    **common, "destination": "mirror", "mode": "mirror", "where": "tier <> 'none'", "deletes": deletes,
                },
                "upsert": {**common, "destination": "upsert", "mode": "upsert"},
                "update": {**common, "destination": "update", "mode": "update"},
            },
        }  # fmt: skip


async def until(is_true: Any, limit: float) -> bool:
    """Waits for a condition, asked in another thread; whether it came true in time."""
    deadline = time.monotonic() + limit
    while not await asyncio.to_thread(is_true):
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.5)
    return True


def is_poison(letter: Message) -> bool:
    """Whether a dead letter is of a record that deserves it."""
    try:
        after = json.loads(letter.value() or b"")["after"]
    except ValueError:
        return True
    return after is not None and after["tier"] == POISON
