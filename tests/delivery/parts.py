"""What the tests of delivery/ share: acknowledgements that notice a wrong settling, records without Kafka, intents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from stream_sync.delivery.coalesce import Backlog
from stream_sync.delivery.pending import Pending
from stream_sync.delivery.people import People
from stream_sync.model import Intent, Kind


class Ack:
    """One assignment: every intent that was given out is to be settled once, and no other."""

    def __init__(self, partition: int = 0) -> None:
        self.partition = partition
        self.revoked = False
        self.owed: Counter[int] = Counter()

    def give_out(self, offset: int, intents: int = 1) -> None:
        self.owed[offset] += intents

    def settle(self, offsets: Iterable[int]) -> None:
        for offset in offsets:
            assert self.owed[offset] > 0, f"offset {offset} was settled more often than it was given out"
            self.owed[offset] -= 1
        self.owed = +self.owed


class Told:
    """A record that is only told apart from others."""

    def __init__(self, partition: int = 0, offset: int = 0) -> None:
        self._at = partition, offset

    def topic(self) -> str:
        return "wh.marts.people"

    def partition(self) -> int:
        return self._at[0]

    def offset(self) -> int:
        return self._at[1]

    def key(self) -> bytes | None:
        return b"{}"

    def value(self) -> bytes | None:
        return b"{}"

    def headers(self) -> None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return 0, 0


def intent(kind: Kind, person: str = "ann", values: Mapping[str, Any] | None = None) -> Intent:
    """An intent with the whole row, or a Delete."""
    return Intent(kind, person, "external_id", {} if values is None else values)


def changed(person: str, row: Mapping[str, Any], *names: str) -> Intent:
    """An Update of what changed in a row."""
    return Intent("update", person, "external_id", {name: row[name] for name in names}, False, older=row)


class Lane:
    """A backlog with what is around it; every offset is given out once."""

    def __init__(self, after: float = 60.0) -> None:
        self.people = People()
        self.superseded: list[Pending] = []
        self.backlog = Backlog(self.people, after, self._settle)
        self.people.listen(self._released)
        self.now = 0.0
        self._offset = 0

    def add(self, wanted: Intent, ack: Ack, ts_ms: int | None = None) -> Pending:
        self._offset += 1
        ack.give_out(self._offset)
        record = Told(ack.partition, self._offset)
        pending = self.backlog.add(Pending(wanted, ack, [self._offset], record, ts_ms, ts_ms, self.now))
        self.backlog.settle_overtaken()
        return pending

    def take(self, most: int = 10) -> list[Pending]:
        """Everything that may be sent now, Deletes first."""
        self.backlog.wake_deletes(self.now)
        return self.backlog.take("deletes", most) + self.backlog.take("writes", most)

    def free(self, sent: Iterable[Pending]) -> None:
        self.people.release([pending.intent.identifier for pending in sent])

    def _released(self, identifiers: Collection[str]) -> None:
        self.backlog.released(identifiers, self.now)

    def _settle(self, pending: Pending) -> None:
        self.superseded.append(pending)
        pending.acknowledgement.settle(pending.offsets)
