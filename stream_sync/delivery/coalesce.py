"""A lane's backlog: intents that wait to be sent, one per person, newer ones merged into older ones.

Invariants:
- One person's intents of a partition merge and leave in the order in which they came. Those of several partitions
  queue behind one another, one a partition (two where an attempt failed): what comes last, leaves last.
- A person who is busy at the destination blocks only their own intents.
- A Delete waits from when it is the person's only intent; any write of the same partition meanwhile cancels it, and so
  does one of another partition that is not older by source commit time.
- Only a person's first intent is READY, DUE or WAITING. What a queue holds under another state is stale: it is skipped
  where it is met, and swept out before there are more stale entries than people.
- Pure: time is an argument; nothing is sent or awaited here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Literal

from stream_sync.delivery.deletes import WaitingDeletes
from stream_sync.delivery.pending import Pending, State, merge
from stream_sync.delivery.people import People
from stream_sync.model import Intent

Sort = Literal["writes", "deletes"]
STATES: dict[Sort, State] = {"writes": State.READY, "deletes": State.DUE}
"""The state of what may be taken."""
SPLIT_AFTER = 10
"""After so many failed attempts while others succeed, a person is sent alone."""
FEW = 1000
"""So many entries of a queue are never swept."""


class Backlog:
    """The intents of one lane that are not in a request."""

    def __init__(self, people: People, delete_after: float, superseded: Callable[[Pending], None]) -> None:
        self._people = people
        self._superseded = superseded
        """Told of an intent that no longer has to be sent, so that it is settled."""
        self._overtaken: list[Pending] = []
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
            yield from chain_of(head)

    def add(self, pending: Pending) -> Pending:
        """Takes in a record's intent, now (`since`), and returns what it is part of. `settle_overtaken` is to be called
        when its offset was received."""
        identifier = pending.intent.identifier
        head = self._heads.setdefault(identifier, pending)
        if head is not pending:
            return self._join(head, pending, pending.since)
        is_delete = pending.intent.kind == "delete"
        if is_delete:
            self.deletes += 1
        if identifier in self._people.busy:
            pending.state = State.BLOCKED
        elif is_delete:
            self._waiting.start(pending, pending.since)
        else:
            self._writes.append(pending)
        return pending

    def has(self, identifier: str) -> bool:
        """Whether an intent of this person is here."""
        return identifier in self._heads

    def settle_overtaken(self) -> None:
        """Settles the Deletes that were added although somebody wrote their person later."""
        if self._overtaken:
            overtaken, self._overtaken = self._overtaken, []
            for delete in overtaken:
                self._superseded(delete)

    def taken_by_another(self, pending: Pending) -> None:
        """A rename was refused, since the identifier is somebody else's: nothing was changed."""

    def put_back(self, pending: Pending, now: float) -> None:
        """An attempt failed: the intent is the person's first again, merged with a newer one of its partition."""
        head = self._heads.get(pending.intent.identifier)
        self.deletes += pending.is_delete
        if head is not None and head.acknowledgement is pending.acknowledgement:
            self.deletes -= head.is_delete
            self._merge(pending, head)
            pending.behind = head.behind
        else:
            pending.behind = head
            block(head)
        self._heads[pending.intent.identifier] = pending
        if pending.holds:
            pending.state = State.FOLLOWING
        else:
            self._place(pending, now)

    def take(self, sort: Sort, most: int) -> list[Pending]:
        """Up to `most` people's intents for one request; they and their people are the caller's from now on."""
        ready, busy, heads, wanted = self._ready[sort], self._people.busy, self._heads, STATES[sort]
        taken: list[Pending] = []
        while ready and len(taken) < most:
            pending = ready.popleft()
            if pending.state is not wanted:
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
                block(pending.behind)
                pending.behind = None
            taken.append(pending)
        if taken:
            if sort == "deletes":
                self.deletes -= len(taken)
            self._occupy(taken)
        return taken

    def people_of(self, intents: Iterable[Intent]) -> list[str]:
        """Who may be in no other request while these are in one: first each intent's own person, in order."""
        return [intent.identifier for intent in intents]

    def _occupy(self, taken: list[Pending]) -> None:
        """The people of these, who are free, are the caller's from now on."""
        self._people.occupy([pending.intent.identifier for pending in taken])

    def released(self, identifiers: Collection[str], now: float) -> bool:
        """People became free at the destination; says whether somebody here had waited for it."""
        heads, woken = self._heads, False
        for head in [heads[identifier] for identifier in identifiers if identifier in heads]:
            if head.state is State.BLOCKED:
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
        wanted = STATES[sort]
        while ready and ready[0].state is not wanted:
            ready.popleft()
        return ready[0].since if ready else None

    def ready(self, sort: Sort) -> int:
        """How many intents are ready, at most: stale entries count until they are met."""
        return len(self._ready[sort])

    def follow(self, delete: Pending, insert: Pending) -> None:
        """Lets a Delete wait until `insert` is Delivered."""
        hold = object()
        if self.defer(delete, hold):
            insert.followers += ((delete.intent.identifier, hold),)

    def start_following(self, delivered: Pending, now: float) -> None:
        """The Deletes that followed this intent wait for it no longer."""
        for identifier, hold in delivered.followers:
            self.start_deferred((identifier,), hold, now)

    def drop_following(self, failed: Pending, now: float) -> list[Pending]:
        """The Deletes that followed this intent, and those that followed them, are not to be sent: the new identifier
        was not taken. They are the caller's."""
        dropped = []
        for identifier, hold in failed.followers:
            for delete in self._deferred((identifier,), hold):
                self._remove(delete, now)
                dropped += [delete, *self.drop_following(delete, now)]
        return dropped

    def take_deletes(self, now: float) -> list[Pending]:
        """All Deletes, out of the backlog: they are the caller's."""
        deletes = [pending for pending in self if pending.is_delete]
        for delete in deletes:
            self._remove(delete, now)
        self._sweep("writes")  # those that the Deletes replaced, while nothing is taken
        return deletes

    def defer(self, delete: Pending, hold: object) -> bool:
        """Lets a Delete wait until `start_deferred` with the same mark; whether it is a Delete still."""
        if not delete.is_delete or delete.state is State.GONE:
            return False
        delete.state = State.FOLLOWING
        delete.holds |= {hold}
        return True

    def start_deferred(self, identifiers: Collection[str], hold: object, now: float) -> None:
        """The Deletes of these people no longer wait for what has this mark; those that wait for nothing else begin
        their waiting time."""
        for delete in self._deferred(identifiers, hold):
            delete.holds -= {hold}
            if delete.holds:
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
        self._waiting.sweep()
        for sort in self._ready:
            self._sweep(sort)

    def _join(self, head: Pending, pending: Pending, now: float) -> Pending:
        if head.behind is not None or head.acknowledgement is not pending.acknowledgement:
            return self._join_partitions(list(chain_of(head)), pending, now)
        was_delete = head.is_delete
        self._merge(head, pending)
        if head.state is not State.BLOCKED and not head.holds and (was_delete or head.is_delete):
            self._place(head, now)
        return head

    def _join_partitions(self, chain: Sequence[Pending], pending: Pending, now: float) -> Pending:
        """Intents of different partitions do not merge; only commit times tell which is the newer state."""
        own = None
        outdated = []
        for other in chain:
            if other.acknowledgement is pending.acknowledgement:
                own = other
            elif cancels(other, pending):
                pending.state = State.GONE
                self._overtaken.append(pending)
                return other
            elif cancels(pending, other):
                outdated.append(other)
        if not pending.is_delete and any(other.is_delete for other in chain):
            pending.intent = pending.intent.as_whole("insert")
        last = chain[-1]
        if own is None:
            last.behind = own = pending
            self.deletes += own.is_delete
            own.state = State.BLOCKED
        else:
            self._merge(own, pending)
            if own is not last:
                self._unlink(own, now)
                last.behind = own
            own.state = State.FOLLOWING if own.holds else State.BLOCKED
        for other in outdated:
            self._remove(other, now)
            self._superseded(other)
            self.start_following(other, now)
        return own

    def _merge(self, older: Pending, newer: Pending) -> None:
        """The state of the merged one is the caller's to set."""
        self.deletes -= older.is_delete
        merge(older, newer)
        self.deletes += older.is_delete

    def _place(self, first: Pending, now: float, *, promoted: bool = False) -> None:
        """Puts a person's first intent where it belongs. `promoted`: it takes the place of one that was before it."""
        if first.intent.identifier in self._people.busy:
            first.state = State.BLOCKED
        elif first.is_delete and not first.waited:
            self._waiting.start(first, now)
        else:
            sort: Sort = "deletes" if first.is_delete else "writes"
            first.state = STATES[sort]
            ready = self._ready[sort]
            if promoted:
                ready.appendleft(first)
            else:
                ready.append(first)
            if len(ready) > 2 * len(self._heads) + FEW:
                self._sweep(sort)

    def _sweep(self, sort: Sort) -> None:
        """Lets go of a queue's stale entries, those of an intent that is in it once more included."""
        ready, wanted = self._ready[sort], STATES[sort]
        kept = {id(pending): pending for pending in ready if pending.state is wanted}
        ready.clear()
        ready.extend(kept.values())

    def _deferred(self, identifiers: Collection[str], hold: object) -> list[Pending]:
        heads = (self._heads.get(identifier) for identifier in set(identifiers))
        return [pending for head in heads for pending in chain_of(head) if hold in pending.holds]

    def _remove(self, gone: Pending, now: float) -> None:
        gone.state = State.GONE
        self.deletes -= gone.is_delete
        self._unlink(gone, now)

    def _unlink(self, pending: Pending, now: float) -> None:
        """Takes it out of its person's chain; where it was the first, the next one is that now."""
        identifier, next_one = pending.intent.identifier, pending.behind
        head = self._heads[identifier]
        if head is not pending:
            next(before for before in chain_of(head) if before.behind is pending).behind = next_one
        elif next_one is None:
            del self._heads[identifier]
        else:
            self._heads[identifier] = next_one
            if next_one.state is State.BLOCKED:
                self._place(next_one, now, promoted=True)
        pending.behind = None


def block(pending: Pending | None) -> None:
    """Something of its person comes before it."""
    if pending is not None and pending.state is not State.FOLLOWING:
        pending.state = State.BLOCKED


def chain_of(head: Pending | None) -> Iterator[Pending]:
    """A person's intents in the order in which they leave."""
    while head is not None:
        yield head
        head = head.behind


def cancels(write: Pending, delete: Pending) -> bool:
    """Whether a write of another partition is known to be no older than a Delete. Rows of two partitions are two rows:
    in one transaction, the one that has the identifier wins over the one that left it."""
    if write.is_delete or not delete.is_delete or write.newest_ms is None or delete.newest_ms is None:
        return False
    return write.newest_ms >= delete.newest_ms
