"""The guard of a mirror's Deletes: a budget, and a latch that only a person opens.

Invariants:
- Deletes are counted when they are decided. Once those that wait and those sent within `per` exceed this process's
  share of `max`, all that wait are parked, and so is every further one until a person released or discarded them.
- The latch is in Kafka (records in the held topic that nobody released): it survives restarts and other pods see it.
  While it is not known, no Delete is sent.
- What was sent is in the commit's metadata before it is sent: a crash loop does not get a new budget each time.
- Deletes of records before `whole_until` wait until it is reached.
- After a time in which nothing was read, Deletes wait until what came meanwhile is: it may cancel them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Protocol

import msgspec

from stream_sync.delivery.coalesce import Backlog
from stream_sync.delivery.pending import Pending
from stream_sync.delivery.ports import Assignment
from stream_sync.observability.metrics import LaneMetrics

MOST_WAITING = 50_000
"""Deletes in memory: more than that is parked whatever the budget says."""


class Held(Protocol):
    """The topic of parked Deletes."""

    async def unreleased(self) -> int:
        """How many parked Deletes nobody has released or discarded."""


class Budget(msgspec.Struct, frozen=True):
    """At most `max` Deletes in any `per` seconds, over all pods."""

    max: int
    per: float


class DeleteGuard:
    """Watches the Deletes of one mirror lane."""

    def __init__(
        self,
        budget: Budget,
        backlog: Backlog,
        held: Held,
        park: Callable[[Pending, Callable[[], None]], None],
        commit: Callable[[], Awaitable[bool]],
        warn: Callable[[str, str], None],
        metrics: LaneMetrics,
        clock: Callable[[], float],
    ) -> None:
        """`park(delete, done)` writes a Delete to the held topic and settles it, and calls `done` in any case; `clock`:
        seconds since the epoch."""
        self._budget = budget
        self._backlog = backlog
        self._held = held
        self._park = park
        self._commit = commit
        self._warn = warn
        self._metrics = metrics
        self._clock = clock
        self._latched: bool | None = None
        self._parking = 0
        """Parked Deletes that Kafka has not acknowledged yet."""
        self._parked_ever = 0
        self._assigned: Collection[Assignment] = ()
        self._partitions = 1
        self._early: dict[Assignment, None] = {}
        """Those of whose records before `whole_until` Deletes wait."""
        self._unread: dict[int, int] = {}
        """Partition to the offset that must be reached before any Delete is sent."""
        self.asked = asyncio.Event()
        """Set where the latch should be read afresh: a Delete came, and somebody may have opened it by now."""

    @property
    def allowed(self) -> int:
        """This process's share of the budget."""
        return self._budget.max * len(self._assigned) // max(1, self._partitions, len(self._assigned))

    @property
    def is_open(self) -> bool:
        """Whether Deletes may be sent at all: the latch is known and open, and what must be read before is read."""
        return self._latched is False and not self._unread

    def share(self, assigned: Collection[Assignment], partitions: int) -> None:
        """The partitions that this process owns, of how many."""
        self._assigned, self._partitions = tuple(assigned), partitions

    def hold(self, ends: Mapping[int, int]) -> None:
        """No Delete is sent before these ends of partitions are reached: `check` finds out."""
        self._unread = dict(ends)

    async def look(self) -> None:
        """Reads the latch; to be called at the start and now and then."""
        parked = self._parked_ever
        unreleased = await self._held.unreleased()
        # What was parked meanwhile may have come after Kafka was asked.
        self._latched = unreleased > 0 or self._parking > 0 or self._parked_ever != parked
        self._metrics.held_deletes(unreleased + self._parking)

    def early(self, delete: Pending, assignment: Assignment) -> None:
        """A Delete of a record before `whole_until`."""
        self._backlog.defer(delete, assignment)
        self._early[assignment] = None

    def check(self, now: float) -> None:
        """To be called after every batch that was taken in, before anything is sent; `now` in monotonic seconds."""
        for assignment in [a for a in self._early if (a.position or 0) >= a.whole_until or a.revoked]:
            del self._early[assignment]
            deferred = [each.intent.identifier for each in self._backlog if assignment in each.holds]
            self._backlog.start_deferred(deferred, assignment, now)
        if self._unread:
            reached = {assignment.partition: assignment.position or 0 for assignment in self._assigned}
            self._unread = {n: end for n, end in self._unread.items() if reached.get(n, end) < end}
        if not self._backlog.deletes or self._latched is None:
            return
        used = self._backlog.deletes + self._sent()
        self._metrics.delete_budget_remaining(max(0, self.allowed - used))
        if used > self.allowed or self._backlog.deletes > MOST_WAITING:
            self._latched = True
            self._park_all(now)
        elif self._latched:
            self.asked.set()

    def park_latched(self, now: float) -> None:
        """To be called after every `look`: what came while the latch was closed, and still is, is parked too."""
        if self._latched and self._backlog.deletes:
            self._park_all(now)

    async def permit(self, deletes: Sequence[Pending]) -> bool:
        """Whether these may be sent now; they are counted as sent, in Kafka, before it says so."""
        if not self.is_open:
            return False
        self._note(deletes, 1)
        permitted = False
        try:
            permitted = self._sent() <= self.allowed and await self._commit() and self.is_open
            permitted = permitted and not any(delete.acknowledgement.revoked for delete in deletes)
        finally:
            if not permitted:
                self._note(deletes, -1)
        return permitted

    def not_sent(self, deletes: Sequence[Pending]) -> None:
        """These were permitted, but go back to the backlog."""
        self._note(deletes, -1)

    def _note(self, deletes: Sequence[Pending], sign: int) -> None:
        now = self._clock()
        for assignment in self._assigned:
            count = sum(1 for delete in deletes if delete.acknowledgement is assignment)
            if count:
                assignment.progress.note_deletes(sign * count, now, self._budget.per)

    def _sent(self) -> int:
        now = self._clock()
        return sum(assignment.progress.deletes_within(now, self._budget.per) for assignment in self._assigned)

    def _park_all(self, now: float) -> None:
        deletes = self._backlog.take_deletes(now)
        self._parking += len(deletes)
        self._parked_ever += len(deletes)
        for delete in deletes:
            self._park(delete, self._parked)
        if deletes:
            self._warn("deletes_held", "")

    def _parked(self) -> None:
        self._parking -= 1
