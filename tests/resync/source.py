"""What the tests of resync/ share: a topic in memory, rows of it, and a destination that takes everything."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from stream_sync.model import DELIVERED, Decoded, Delivered, Intent, Mode, Outcome, Record
from stream_sync.replay.claims import Claims
from stream_sync.resync.resync import Pass, Resync
from stream_sync.resync.wishes import Everything, Wish
from stream_sync.routing.newest import Folding
from tests.routing.table import ANN, Activation, Read


class At:
    """A record at its place."""

    def __init__(self, read: Read, partition: int, offset: int) -> None:
        self._read, self._place = read, (partition, offset)
        self.topic, self.key, self.value = read.topic, read.key, read.value
        self.headers, self.timestamp = read.headers, read.timestamp

    def partition(self) -> int:
        return self._place[0]

    def offset(self) -> int:
        return self._place[1]


class Topic:
    """One topic, read as `kafka.forward.Forward` does."""

    def __init__(self, partitions: int = 1) -> None:
        self.records: list[list[Record]] = [[] for _ in range(partitions)]
        self.committed: dict[int, str] = {}
        self.passes = 0
        self._positions: dict[int, int] = {}

    def write(self, *reads: Read, partition: int = 0) -> None:
        for read in reads:
            self.records[partition].append(At(read, partition, len(self.records[partition])))

    async def bounds(self) -> dict[int, Any]:
        raise NotImplementedError

    async def start(self, starts: Mapping[int, int]) -> None:
        self.passes += 1
        self._positions = dict(starts)

    async def to_end(self) -> AsyncIterator[list[Record]]:
        for number, at in self._positions.items():
            found = self.records[number][at:]
            self._positions[number] = len(self.records[number])
            yield found

    async def commit(self, commits: Mapping[int, Any]) -> None:
        self.committed.update({number: each.metadata for number, each in commits.items()})


class Destination:
    """Takes everything; `meanwhile` happens while a request is under way."""

    def __init__(self) -> None:
        self.people: dict[str, dict[str, Any]] = {}
        self.sent: list[Intent] = []
        self.meanwhile: list[Callable[[], None]] = []
        self.outcome: Outcome = DELIVERED

    async def send(self, intents: Sequence[tuple[Intent, Record, int | None]]) -> list[Outcome]:
        for intent, _record, _ts in intents:
            self.sent.append(intent)
            if isinstance(self.outcome, Delivered):
                self.take(intent)
        if intents and self.meanwhile:
            self.meanwhile.pop(0)()
        return [self.outcome] * len(intents)

    def take(self, intent: Intent) -> None:
        if intent.kind == "delete":
            self.people.pop(intent.identifier, None)
        else:
            self.people[intent.identifier] = {**self.people.get(intent.identifier, {}), **intent.to_send}

    async def settle_down(self) -> None:
        """At once."""


class Nobody(Claims):
    """No other row is anybody."""

    def __init__(self) -> None:
        """Reads nothing."""

    async def unclaimed(self, deletes: Any) -> list[Intent]:
        return list(deletes)


class Stage:
    """An activation, its topic and its destination."""

    def __init__(self, mode: Mode = "mirror", partitions: int = 1, **settings: Any) -> None:
        self.mode: Mode = mode
        self.activation = Activation(mode, **settings)
        self.topic: Any = Topic(partitions)
        self.destination = Destination()
        self.folding = self.folded(self.activation)
        self.withheld: list[int] = []

    def folded(self, activation: Activation) -> Folding:
        return Folding(activation.plan, activation.router, self.mode, _unheard, before_full=True)

    def reading(self, wish: Wish | None = None, old: Activation | None = None) -> Pass:
        async def read(record: Record) -> tuple[Decoded, Decoded | None]:
            return self.activation.decoder.decode(record), None if old is None else old.decoder.decode(record)

        starts = dict.fromkeys(range(len(self.topic.records)), 0)
        return Pass(starts, wish or Everything(self.folding), read, lambda _count: None)

    def resync(self, done: Mapping[int, Any], wish: Wish | None = None, old: Activation | None = None) -> Resync:
        return Resync(
            self.topic,
            self.reading(wish, old),
            dict(done),
            self.destination,
            Nobody(),
            lambda _count: None,
            self.withhold,
            0.0,
        )

    async def withhold(self, count: int) -> str | None:
        self.withheld.append(count)
        return None


def row(number: int, **values: Any) -> dict[str, Any]:
    return {**ANN, "id": number, **values}


def _unheard(_code: str, _name: str) -> None:
    """Nobody asks."""
