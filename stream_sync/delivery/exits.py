"""People who may have left a segment of which nobody saw the row before: asked for in the last-delivered state.

Invariants:
- Until the answer is there nothing of it is in the backlog: it is not sent, not counted, not parked, and its offset
  stays unsettled. Nothing is taken in meanwhile.
- Whoever was ever written is a Delete like every other; so is whoever has an intent in the backlog, or is in a request
  of this lane. All others were never in the segment: that is settled as nothing.
- A later write of the person wins, as over every Delete that waits.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NamedTuple

from stream_sync.delivery.coalesce import Backlog
from stream_sync.delivery.pending import Pending
from stream_sync.delivery.people import People
from stream_sync.delivery.ports import Assignment
from stream_sync.model import Intent, Record, Unseen
from stream_sync.observability.metrics import LaneMetrics


class _Asked(NamedTuple):
    delete: Intent
    assignment: Assignment
    offset: int
    record: Record
    ts_ms: int | None


class Exits:
    """Stands before a mirror's backlog, for whoever takes records in."""

    def __init__(
        self,
        backlog: Backlog,
        people: People,
        sent: Callable[[], Iterable[Pending]],
        known: Callable[[Sequence[Intent]], Awaitable[list[bool]]],
        early: Callable[[Pending, Assignment], None],
        metrics: LaneMetrics,
    ) -> None:
        """`sent`: the intents in requests of this lane; `known`: whether people were ever written; `early`: see
        `intake.Early`."""
        self._backlog = backlog
        self._people = people
        self._sent = sent
        self._known = known
        self._early = early
        self._metrics = metrics
        self._asked: dict[str, list[_Asked]] = {}

    @property
    def is_asking(self) -> bool:
        """Whether somebody has to be asked for."""
        return bool(self._asked)

    def add(self, pending: Pending) -> Pending:
        """See `Backlog.add`."""
        for asked in self._asked.pop(pending.intent.identifier, ()):
            _settle(asked)
        return self._backlog.add(pending)

    def follow(self, delete: Pending, insert: Pending) -> None:
        """See `Backlog.follow`."""
        self._backlog.follow(delete, insert)

    def settle_overtaken(self) -> None:
        """See `Backlog.settle_overtaken`."""
        self._backlog.settle_overtaken()

    def ask(
        self, unseen: Unseen, assignment: Assignment, offset: int, record: Record, ts_ms: int | None, now: float
    ) -> None:
        """Takes somebody in of whom it is to be found out; the offset was received, with one intent."""
        asked = _Asked(unseen.delete, assignment, offset, record, ts_ms)
        if self._backlog.has(unseen.identifier) or self._is_sent(unseen.identifier):
            self._delete(asked, now)
        else:
            self._asked.setdefault(unseen.identifier, []).append(asked)

    async def find_out(self, now: float) -> None:
        """Asks for all of them. Raises StateAwayError, and asks again then."""
        people = {identifier: asked[-1].delete for identifier, asked in self._asked.items()}
        known = await self._known(list(people.values()))
        every, self._asked = self._asked, {}
        for identifier, is_known in zip(people, known, strict=True):
            for asked in every[identifier]:
                if asked.assignment.revoked:
                    continue
                if is_known:
                    self._delete(asked, now)
                else:
                    _settle(asked)
        self._backlog.settle_overtaken()

    def _is_sent(self, identifier: str) -> bool:
        # Who is busy may be so by another activation, which says nothing of this one.
        return identifier in self._people.busy and any(
            pending.intent.identifier == identifier for pending in self._sent()
        )

    def _delete(self, asked: _Asked, now: float) -> None:
        delete, assignment, offset, record, ts_ms = asked
        pending = self._backlog.add(Pending(delete, assignment, [offset], record, ts_ms, ts_ms, now))
        self._metrics.intents("delete", 1)
        if offset < assignment.whole_until:
            self._early(pending, assignment)


def _settle(asked: _Asked) -> None:
    if not asked.assignment.revoked:
        asked.assignment.settle((asked.offset,))
