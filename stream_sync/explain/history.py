"""What each record of a row meant for an activation, decided once more by the router that `run` has.

Invariants:
- Pure. Records come in their order, all of a row or all from some offset on.
- The router is told what the lane knew as far as Kafka still tells it: whether updates were whole then, and whether the
  record before was refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from stream_sync.errors import FAULTS
from stream_sync.model import (
    Change,
    Columns,
    Decision,
    Decoded,
    NotAChange,
    Nothing,
    Record,
    Refused,
    Row,
    Sent,
    Undecodable,
)
from stream_sync.routing.compilations import Compilations
from stream_sync.routing.plan import Plan
from stream_sync.routing.router import Router
from stream_sync.routing.staying import are_same
from stream_sync.routing.verdict import Judge, Verdict

Found = Decision | Undecodable | NotAChange
NOT_THERE = object()
"""Stands for a value that the row does not have, or that is not sent."""
NOT_KNOWN = object()
"""Stands for what a value was before an update that does not tell."""


class Moved(msgspec.Struct, frozen=True):
    """One mapped value before and after a change. `expression`: what it is worked out from."""

    name: str
    expression: str
    before: Sent
    after: Sent

    @property
    def is_sent_otherwise(self) -> bool:
        """Whether it changed in the form sent; else only what it is worked out from did."""
        unlike_any = (NOT_THERE, NOT_KNOWN)
        return self.before in unlike_any or self.after in unlike_any or not are_same(self.before, self.after)


class Entry(msgspec.Struct, frozen=True):
    """One record."""

    record: Record
    op: str
    """`r c u d t`, `tombstone`, a control record's kind, or empty where it cannot be read."""
    ts_ms: int | None
    """The source's commit time."""
    verdict: Verdict | None
    moved: Sequence[Moved]
    decision: Found

    @property
    def place(self) -> tuple[int, int]:
        """Partition and offset."""
        return self.record.partition() or 0, self.record.offset() or 0


class Historian:
    """Tells the records of one activation's source."""

    def __init__(
        self, plan: Plan, router: Router, *, before_full: bool, forgetful: bool, whole_until: Mapping[int, int]
    ) -> None:
        """`forgetful`: the topic is compacted; `whole_until`: by partition, see `kafka.progress`."""
        self._plan = plan
        self._router = router
        self._judge = Judge(plan, _unheard, before_full=before_full)
        self._before_full = before_full
        self._forgetful = forgetful
        self._whole_until = whole_until
        self._compilations = Compilations(plan, _unheard)
        self._refused: set[tuple[int | None, bytes | None]] = set()

    def entry(self, record: Record, decoded: Decoded) -> Entry:
        """The next record of some row. Raises HaltError where the lane would halt."""
        row = record.partition(), record.key()
        if not isinstance(decoded, Change):
            if isinstance(decoded, Undecodable):
                self._refused.add(row)
            op = decoded.kind if isinstance(decoded, NotAChange) else ""
            return Entry(record, op, None, None, (), decoded)
        doubt = self._forgetful or row in self._refused
        whole = (record.offset() or 0) < self._whole_until.get(record.partition() or 0, 0)
        decision = self._router.route(decoded, doubt, whole)
        if isinstance(decision, Refused):
            self._refused.add(row)
        elif not isinstance(decision, Nothing):
            self._refused.discard(row)
        if decoded.op in ("t", "tombstone"):
            return Entry(record, decoded.op, decoded.ts_ms, None, (), decision)
        return Entry(record, decoded.op, decoded.ts_ms, self._judge.verdict(decoded), self._moved(decoded), decision)

    def _moved(self, change: Change) -> list[Moved]:
        """What changed of the mapped values, and of what they are worked out from; of a row that comes or goes all."""
        columns, after = change.columns, change.after
        before = change.before if self._before_full else None
        was, now = self._values(columns, before), self._values(columns, after)
        absent = NOT_KNOWN if before is None and change.op == "u" else NOT_THERE
        moved = []
        for target in self._plan.targets:
            read = columns.raws(target.expression.columns)
            inputs_differ = before is None or after is None or read(before) != read(after)
            if inputs_differ and (target.name in was or target.name in now):
                values = was.get(target.name, absent), now.get(target.name, NOT_THERE)
                moved.append(Moved(target.name, target.expression.text, *values))
        return moved

    def _values(self, columns: Columns, row: Row | None) -> dict[str, Sent]:
        if row is None:
            return {}
        compiled = self._compilations.careful(columns)
        try:
            return compiled.rest(row)
        except FAULTS:
            return {}


def _unheard(_code: str, _name: str) -> None:
    """The lane has warned of it already."""
