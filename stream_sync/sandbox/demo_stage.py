"""What the demo's service finds around it: Kafka, four workspaces at three vendors, and a warehouse whose rows change.

Invariants:
- Knows of the service only what everybody can: what it committed and wrote in Kafka, what came into the workspaces.
- `caught_up` means that every record is settled, delivered or refused: a lane commits no further than that.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple

import aiohttp

from stream_sync.sandbox.broker import Broker, Kept
from stream_sync.sandbox.customers import TABLE, Customers, Event
from stream_sync.sandbox.demo_config import (
    LANES,
    MIRROR,
    SLOW_MIRROR,
    UPDATE,
    UPSERT,
    Lane,
    config_text,
    group_of,
    letters_of,
    outcomes_of,
)
from stream_sync.sandbox.demo_contacts import at_crisp, at_voyado, club, supported
from stream_sync.sandbox.demo_people import People, at_braze, differences, mirrored, updated
from stream_sync.sandbox.faults import NONE, Faults
from stream_sync.sandbox.server import Sandbox
from stream_sync.sandbox.workspace import Workspace

PARTITIONS = 1
"""Two activations identify by e-mail, which is not of the table's key: one partition keeps a person's order there."""
# Clients cannot create topics at this broker, so those that the service would create are made beforehand too.
TOPICS = dict.fromkeys(
    (TABLE.topic, outcomes_of(MIRROR.activation), *(letters_of(lane.activation) for lane in LANES)), PARTITIONS
)
SLOW = {"voyado": Faults(latency=0.1, jitter=0.1), "crisp": Faults(latency=0.2, jitter=0.2)}
"""How long the slow vendors take for an answer."""
ROWS = 400
KNOWN_EVERY = 3
"""Every third customer is known to the update's workspace already."""
_GUESTS = 20
_MOST_OBJECTS = 75


class Letter(NamedTuple):
    """A dead letter, as its key and headers tell it. `place`: the record's own topic, partition and offset."""

    activation: str
    who: str
    code: str
    message: str
    place: str


class Verdict(NamedTuple):
    """How a workspace compares with the warehouse. `values`: how many there are to compare."""

    lane: Lane
    people: int
    values: int
    differences: list[str]


class Stage:
    """Everything but the service, which may come and go."""

    def __init__(self, broker: Broker, sandbox: Sandbox, seed: int) -> None:
        """`broker` and `sandbox` are running, and the broker has TOPICS."""
        self._broker = broker
        self._sandbox = sandbox
        self._customers = Customers(seed, ROWS, time.time())
        self._known: People = {}
        self.written = 0
        """Records written to the table's topic."""
        self.latest: deque[str] = deque(maxlen=20)
        """What happened last, in words."""

    @property
    def rows(self) -> int:
        """How many rows the table has now."""
        return len(self._customers.warehouse.rows)

    def config(self) -> str:
        """The text of the config for all this."""
        addresses = {lane.workspace: self._sandbox.address(lane.vendor, lane.workspace) for lane in LANES}
        return config_text(self._broker.bootstrap, addresses)

    def workspace(self, lane: Lane) -> Workspace:
        """Where a lane's people are."""
        return self._sandbox.workspace(lane.vendor, lane.workspace)

    async def prepare(self) -> None:
        """Slows the slow vendors down; tells the update's workspace of some people by Braze's API, as another system
        would."""
        for lane in LANES:
            self.workspace(lane).faults = SLOW.get(lane.vendor, NONE)
        customers = list(self._customers.warehouse.rows)[::KNOWN_EVERY]
        people = [{"external_id": who, "favorite_shop": "Lyon", "churn_score": -1} for who in customers]
        people += [{"external_id": f"guest_{number}", "favorite_shop": "Malmö"} for number in range(_GUESTS)]
        address = f"{self._sandbox.address(UPDATE.vendor, UPDATE.workspace)}/users/track"
        headers = {"Authorization": "Bearer another-system"}
        async with aiohttp.ClientSession(headers=headers, raise_for_status=True) as session:
            for start in range(0, len(people), _MOST_OBJECTS):
                body = {"attributes": people[start : start + _MOST_OBJECTS]}
                async with session.post(address, json=body):
                    pass
        self._known = at_braze({str(person["external_id"]): person for person in people})

    def write_snapshot(self) -> None:
        """The connector's first look at the table."""
        self._write(Event(f"snapshot of {self.rows} rows", self._customers.warehouse.snapshot(time.time())))

    def change_rows(self, times: int) -> None:
        """So many things happen in the table."""
        for _ in range(times):
            self._write(self._customers.happen(time.time()))

    def insert_unacceptable(self) -> None:
        """A row comes that the table takes and no destination does."""
        self._write(self._customers.insert_unacceptable(time.time()))

    async def caught_up(self) -> bool:
        """Whether all activations have settled every record written so far."""
        return await asyncio.to_thread(self._caught_up)

    async def letters(self) -> list[Letter]:
        """The dead letters, from their topics."""
        found = []
        for lane in LANES:
            records = await asyncio.to_thread(self._broker.read, letters_of(lane.activation))
            found += [_letter(lane.activation, record) for record in records]
        return found

    def verdicts(self, letters: list[Letter]) -> list[Verdict]:
        """Compares the workspaces and the dead letters with the table's rows, value by value."""
        warehouse, bad = self._customers.warehouse, self._customers.unacceptable
        expected = {
            MIRROR: mirrored(warehouse, bad),
            UPDATE: updated(warehouse, self._known),
            UPSERT: club(warehouse, bad),
            SLOW_MIRROR: supported(warehouse, bad),
        }
        verdicts = []
        for lane, people in expected.items():
            found = differences(people, _HELD[lane.vendor](self.workspace(lane).people))
            refused = set() if lane is UPDATE else bad
            found += _letter_differences(refused, {each.who for each in letters if each.activation == lane.activation})
            verdicts.append(Verdict(lane, len(people), sum(map(len, people.values())), found))
        return verdicts

    def _write(self, event: Event) -> None:
        self.latest.append(event.words)
        for record in event.records:
            self._broker.write(TABLE.topic, record.key, record.value, record.headers)
            self.written += 1

    def _caught_up(self) -> bool:
        self._broker.flush()
        ends = self._broker.ends(TABLE.topic)
        return all(self._broker.committed(group_of(lane.activation), TABLE.topic) == ends for lane in LANES)


_HELD: Mapping[str, Callable[[People], People]] = {"braze": at_braze, "voyado": at_voyado, "crisp": at_crisp}


def _letter(activation: str, record: Kept) -> Letter:
    headers = {name: value.decode() for name, value in record.headers.items()}
    topic, partition, offset = (headers[f"__connect.errors.{name}"] for name in ("topic", "partition", "offset"))
    return Letter(
        activation,
        json.loads(record.key or b"{}").get(TABLE.key[0], ""),
        headers["stream_sync.code"],
        headers["__connect.errors.exception.message"],
        f"{topic}, partition {partition}, offset {offset}",
    )


def _letter_differences(expected: set[str], found: set[str]) -> list[str]:
    return [
        *(f"{who} should be in the dead letters" for who in sorted(expected - found)),
        *(f"{who} should not be in the dead letters" for who in sorted(found - expected)),
    ]
