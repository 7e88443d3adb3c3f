"""A lane's backlog: intents that wait to be sent, one per person, newer ones merged into older ones.

Invariants:
- One person's intents leave in the order in which they came; within a partition they merge, across partitions they
  queue behind one another.
- A person who is busy at the destination blocks only their own intents.
- A Delete waits from when it is the person's only intent; any write of the same partition meanwhile cancels it, and so
  does one of another partition with a newer source commit time.
- An intent is in at most one queue under its current state; what a queue holds under another state is stale, and is
  skipped where it is met.
- Pure: time is an argument; nothing is sent or awaited here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator
from typing import Literal

from stream_sync.delivery.deletes import WaitingDeletes
from stream_sync.delivery.pending import Acknowledgement, Pending, State, merge
from stream_sync.delivery.people import People
from stream_sync.model import Intent, Record

Sort = Literal["writes", "deletes"]
SPLIT_AFTER = 10
"""After so many failed attempts while others succeed, a person is sent alone."""


class Backlog:
    """The intents of one lane that are not in a request."""

    def __init__(self, people: People, delete_after: float, superseded: Callable[[Pending], None]) -> None:
        self._people = people
        self._superseded = superseded
        """Told of an intent that no longer has to be sent, so that it is settled."""
        self._waiting = WaitingDeletes(delete_after)
        self._heads: dict[str, Pending] = {}
        self._ready: dict[Sort, deque[Pending]] = {"writes": deque(), "deletes": deque()}
        self._writes = self._ready["writes"]
        self.deletes = 0
        """How many Deletes are here, whatever they wait for."""

    def __len__(self) -> int:
        return len(self._heads)

    def __iter__(self) -> Iterator[Pending]:
        for head in self._heads.values():
            pending: Pending | None = head
            while pending is not None:
                yield pending
                pending = pending.behind

    def add(
        self, intent: Intent, acknowledgement: Acknowledgement, offset: int, record: Record, ts_ms: int | None, now: float
    ) -> Pending:
        """Takes an intent in and returns what it is part of now."""
        pending = Pending(intent, acknowledgement, [offset], record, ts_ms, now)
        identifier = intent.identifier
        head = self._heads.setdefault(identifier, pending)
        if head is not pending:
            return self._join(head, pending, now)
        if intent.kind == "delete":
            self.deletes += 1
        if identifier in self._people.busy:
            pending.state = State.BLOCKED
        elif intent.kind == "delete":
            self._waiting.start(pending, now)
        else:
            self._writes.append(pending)
        return pending

    def put_back(self, pending: Pending, now: float) -> None:
        """An attempt failed: the intent is the person's first again, merged with a newer one of its partition."""
        head = self._heads.get(pending.intent.identifier)
        follows = False
        if head is not None and head.acknowledgement is pending.acknowledgement:
            follows = head.state is State.FOLLOWING
            self.deletes -= head.is_delete
            merge(pending, head).behind = head.behind
            pending.holds = head.holds
        else:
            pending.behind = head
            _block(head)
        self._heads[pending.intent.identifier] = pending
        self.deletes += pending.is_delete
        if follows:
            pending.state = State.FOLLOWING
        else:
            self._place(pending, now)

    def take(self, sort: Sort, most: int) -> list[Pending]:
        """Up to `most` people's intents for one request; they and their people are the caller's from now on."""
        ready, busy, heads = self._ready[sort], self._people.busy, self._heads
        taken: list[Pending] = []
        while ready and len(taken) < most:
            pending = ready.popleft()
            if pending.state is not State.READY or pending.is_delete is not (sort == "deletes"):
                continue
            identifier = pending.intent.identifier
            if identifier in busy:
                pending.state = State.BLOCKED
                continue
            if pending.attempts >= SPLIT_AFTER:
                if taken:
                    ready.appendleft(pending)
                    break
                most = 1
            pending.state = State.SENT
            if pending.behind is None:
                del heads[identifier]
            else:
                heads[identifier] = pending.behind
                _block(pending.behind)
                pending.behind = None
            taken.append(pending)
        if taken:
            if sort == "deletes":
                self.deletes -= len(taken)
            self._people.occupy([pending.intent.identifier for pending in taken])
        return taken

    def released(self, identifiers: Collection[str], now: float) -> bool:
        """People became free at the destination; says whether somebody here had waited for it."""
        found = self._heads.keys() & identifiers if len(self._heads) < len(identifiers) else identifiers
        woken = False
        for identifier in found:
            head = self._heads.get(identifier)
            if head is not None and head.state is State.BLOCKED:
                self._place(head, now)
                woken = True
        return woken

    def wake_deletes(self, now: float) -> None:
        """Deletes whose waiting time is over become ready."""
        for delete in self._waiting.over(now):
            self._place(delete, now)

    def next_due(self) -> float | None:
        """When the next Delete's waiting time is over."""
        return self._waiting.next_due()

    def oldest_ready(self, sort: Sort) -> float | None:
        """Since when the first ready intent waits to be sent; None where there is none."""
        ready = self._ready[sort]
        while ready and ready[0].state is not State.READY:
            ready.popleft()
        return ready[0].since if ready else None

    def ready(self, sort: Sort) -> int:
        """How many intents are ready, at most: stale entries count until they are met."""
        return len(self._ready[sort])

    def follow(self, delete: Pending, insert: Pending) -> None:
        """Lets a Delete wait until `insert` is Delivered."""
        if delete.is_delete and delete.state is not State.GONE:
            self.defer(delete)
            insert.followers += (delete.intent.identifier,)

    def drop_following(self, failed: Pending, now: float) -> None:
        """The Deletes that followed this intent are not sent: the new identifier was not taken."""
        for delete in self._deferred(failed.followers):
            self._remove(delete, now)
            self._superseded(delete)

    def take_deletes(self, now: float) -> list[Pending]:
        """All Deletes, out of the backlog: they are the caller's."""
        deletes = [pending for pending in self if pending.is_delete]
        for delete in deletes:
            self._remove(delete, now)
        return deletes

    def defer(self, delete: Pending) -> None:
        """Lets a Delete wait until `start_deferred`, once for each time it was deferred."""
        if delete.is_delete and delete.state is not State.GONE:
            delete.state = State.FOLLOWING
            delete.holds += 1

    def start_deferred(self, identifiers: Collection[str], now: float) -> None:
        """The deferred Deletes of these people begin their waiting time."""
        for delete in self._deferred(identifiers):
            delete.holds -= 1
            if delete.holds > 0:
                continue
            if self._heads[delete.intent.identifier] is delete:
                self._place(delete, now)
            else:
                delete.state = State.BLOCKED

    def forget_revoked(self, now: float) -> None:
        """Drops what belongs to partitions that were taken away."""
        for pending in list(self):
            if pending.acknowledgement.revoked:
                self._remove(pending, now)

    def _join(self, head: Pending, pending: Pending, now: float) -> Pending:
        previous, tail = None, head
        while tail.behind is not None:
            previous, tail = tail, tail.behind
        if tail.acknowledgement is not pending.acknowledgement:
            return self._queue_behind(previous, tail, pending, now)
        was, was_delete = tail.state, tail.is_delete
        merge(tail, pending)
        self.deletes += tail.is_delete - was_delete
        if was is State.FOLLOWING and tail.is_delete:
            return tail
        if previous is not None or was is State.BLOCKED:
            tail.state = State.BLOCKED
        elif was_delete or tail.is_delete:
            self._place(tail, now)
        return tail

    def _queue_behind(self, previous: Pending | None, tail: Pending, pending: Pending, now: float) -> Pending:
        """Intents of different partitions do not merge; only commit times tell which is the newer state."""
        if _cancels(tail, pending):
            pending.state = State.GONE
            self._superseded(pending)
            return tail
        tail.behind = pending
        pending.state = State.BLOCKED
        self.deletes += pending.is_delete
        if _cancels(pending, tail):
            pending.intent = pending.intent.as_whole("insert")
            self._remove(tail, now)
            self._superseded(tail)
        return pending

    def _place(self, first: Pending, now: float) -> None:
        """Puts a person's first intent where it belongs."""
        if first.intent.identifier in self._people.busy:
            first.state = State.BLOCKED
        elif first.is_delete and not first.waited:
            self._waiting.start(first, now)
        else:
            first.state = State.READY
            self._ready["deletes" if first.is_delete else "writes"].append(first)

    def _deferred(self, identifiers: Collection[str]) -> list[Pending]:
        found = []
        for identifier in set(identifiers):
            pending = self._heads.get(identifier)
            while pending is not None:
                if pending.state is State.FOLLOWING:
                    found.append(pending)
                pending = pending.behind
        return found

    def _remove(self, gone: Pending, now: float) -> None:
        gone.state = State.GONE
        identifier = gone.intent.identifier
        previous, pending = None, self._heads.get(identifier)
        while pending is not None and pending is not gone:
            previous, pending = pending, pending.behind
        if pending is None:
            return
        self.deletes -= gone.is_delete
        if previous is not None:
            previous.behind = gone.behind
        elif gone.behind is None:
            del self._heads[identifier]
        else:
            self._heads[identifier] = gone.behind
            if gone.behind.state is State.BLOCKED:
                self._place(gone.behind, now)


def _block(pending: Pending | None) -> None:
    if pending is not None and pending.state is not State.FOLLOWING:
        pending.state = State.BLOCKED


def _cancels(write: Pending, delete: Pending) -> bool:
    """Whether a write of another partition is known to be newer than a Delete."""
    if write.is_delete or not delete.is_delete or write.ts_ms is None or delete.ts_ms is None:
        return False
    return write.ts_ms > delete.ts_ms
