"""A lane's backlog for `on_identifier_change: rename`: a rename is a write that needs two people, the one whom the
destination knows by the old identifier and whoever has the new one.

Invariants:
- A rename waits in the queues of both identifiers, in one of them as a `Shadow`, and leaves when it is first in both
  and both are free; meanwhile and in its request nobody of either is sent. It joins both queues at their ends at once,
  so that no two renames wait for each other.
- What of the same row is last in the old identifier's queue becomes part of it: a -> b -> c is a -> c, and a -> b -> a
  is a write of a. Not so a rename that was tried: it may have been done. A Delete that is last there becomes part of it
  too, since a write cancels it.
- Nothing but a write of its own partition merges into a rename: a Delete of the new identifier comes after it.
- A row that did not get an identifier, somebody else having it, and leaves it again, is renamed from the one before:
  that somebody is never renamed for it. Known as long as this object is there.
- Activations without renames have a plain `Backlog`, and pay nothing for this one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable

import msgspec

from stream_sync.delivery.coalesce import Backlog, block, cancels, chain_of
from stream_sync.delivery.pending import Pending, State, merge
from stream_sync.delivery.people import People
from stream_sync.model import Intent

MOST_TAKEN = 10_000


class Shadow(Pending, gc=False):
    """The place of a rename in the queue of its old identifier. It has no offsets: it is never sent or settled."""

    of: Pending | None = None
    tried: bool = False
    """Whether the rename was in a request that failed: it may have been done."""


def open_backlog(
    people: People, delete_after: float, superseded: Callable[[Pending], None], *, renames: bool
) -> Backlog:
    """A backlog that can hold what the activation may ask for."""
    return (RenamingBacklog if renames else Backlog)(people, delete_after, superseded)


class RenamingBacklog(Backlog):
    """A backlog in which intents may have `formerly`."""

    def __init__(self, people: People, delete_after: float, superseded: Callable[[Pending], None]) -> None:
        super().__init__(people, delete_after, superseded)
        self._taken: OrderedDict[tuple[bytes, str], str] = OrderedDict()
        """A row's key and an identifier that it did not get, since it is somebody else's: its person's own."""

    def taken_by_another(self, pending: Pending) -> None:
        """See `Backlog.taken_by_another`."""
        key, formerly = pending.record.key(), pending.intent.formerly
        if key is not None and formerly is not None:
            self._taken[key, pending.intent.identifier] = formerly
            if len(self._taken) > MOST_TAKEN:
                self._taken.popitem(last=False)

    def add(self, pending: Pending) -> Pending:
        """See `Backlog.add`."""
        if self._taken:
            self._set_right(pending)
        if pending.intent.formerly is None:
            return super().add(pending)
        now = pending.since
        rename = self._absorbing(pending, now)
        head = self._heads.setdefault(pending.intent.identifier, rename)
        if rename.intent.formerly is None:
            if head is not rename:
                return self._join(head, rename, now)
        else:
            if head is not rename:
                _last(head).behind = rename
            shadow = _shadow_of(rename)
            if (old := self._heads.setdefault(rename.intent.formerly, shadow)) is not shadow:
                _last(old).behind = shadow
        self._place(rename, now)
        return rename

    def people_of(self, intents: Iterable[Intent]) -> list[str]:
        """See `Backlog.people_of`."""
        intents = list(intents)
        formerly = [intent.formerly for intent in intents if intent.formerly is not None]
        return super().people_of(intents) + formerly

    def _set_right(self, pending: Pending) -> None:
        """A row leaves an identifier that it never got: the destination knows its person by the one before."""
        intent = pending.intent
        if intent.formerly is None:
            return
        own = self._taken.pop((pending.record.key() or b"", intent.formerly), None)
        if own is not None:
            formerly = own if own != intent.identifier else None
            pending.intent = msgspec.structs.replace(intent, formerly=formerly)

    def put_back(self, pending: Pending, now: float) -> None:
        """See `Backlog.put_back`; nothing merges with a rename here."""
        identifier, formerly = pending.intent.identifier, pending.intent.formerly
        head = self._heads.get(identifier)
        if formerly is None and not _is_rename(head):
            super().put_back(pending, now)
            return
        self.deletes += pending.is_delete
        self._put_first(identifier, pending)
        if formerly is not None:
            self._put_first(formerly, _shadow_of(pending, tried=True))
        if pending.holds:
            pending.state = State.FOLLOWING
        else:
            self._place(pending, now)

    def _put_first(self, identifier: str, pending: Pending) -> None:
        pending.behind = self._heads.get(identifier)
        block(pending.behind)
        self._heads[identifier] = pending

    def _absorbing(self, rename: Pending, now: float) -> Pending:
        """The rename with all that it stands for, which is out of the backlog."""
        while (earlier := self._absorbed(rename)) is not None:
            self._remove(earlier, now)
            merge(earlier, rename)
            rename, rename.state = earlier, State.BLOCKED
            if rename.intent.formerly == rename.intent.identifier:
                rename.intent = msgspec.structs.replace(rename.intent, formerly=None)
                break
        return rename

    def _absorbed(self, rename: Pending) -> Pending | None:
        """What of the old identifier's queue becomes part of the rename, if anything does."""
        assert rename.intent.formerly is not None
        waiting = list(chain_of(self._heads.get(rename.intent.formerly)))
        if not waiting or waiting[-1].__class__ is Shadow:
            return None
        last = waiting[-1]
        if last.acknowledgement is not rename.acknowledgement:
            return None
        if last.is_delete:
            return last
        if last.record.key() != rename.record.key():
            return None
        shadow = self._waiting_shadow(last)
        return last if shadow is None or not (shadow.behind or shadow.tried) else None

    def _join(self, head: Pending, pending: Pending, now: float) -> Pending:
        """Behind a rename people queue up, the last of the queue being the only one to merge with."""
        waiting = list(chain_of(head))
        if not any(map(_is_rename, waiting)):
            return super()._join(head, pending, now)
        others = [other for other in waiting if other.acknowledgement is not pending.acknowledgement]
        for other in others:
            if cancels(other, pending):
                pending.state = State.GONE
                self._overtaken.append(pending)
                return other
        outdated = [other for other in others if cancels(pending, other)]
        last = waiting[-1]
        if self._merges(last, pending):
            self._merge(last, pending)
            if last is not head:
                last.state = State.FOLLOWING if last.holds else State.BLOCKED
            joined = last
        else:
            if not pending.is_delete and any(other.is_delete for other in waiting):
                pending.intent = pending.intent.as_whole("insert")
            pending.state = State.BLOCKED
            self.deletes += pending.is_delete
            last.behind = joined = pending
        for other in outdated:
            self._remove(other, now)
            self._superseded(other)
        return joined

    def _merges(self, last: Pending, pending: Pending) -> bool:
        """Whether an intent becomes part of the one that it would wait for."""
        if last.acknowledgement is not pending.acknowledgement or last.__class__ is Shadow:
            return False
        return last.intent.formerly is None or not pending.is_delete

    def _occupy(self, taken: list[Pending]) -> None:
        """Leaves those whose old identifier another lane has in a request, and takes out the shadows of the others."""
        busy = self._people.busy
        for rename in [pending for pending in taken if pending.intent.formerly in busy]:
            taken.remove(rename)
            self._put_first(rename.intent.identifier, rename)
            rename.state = State.BLOCKED
        for pending in taken:
            if (shadow := self._waiting_shadow(pending)) is not None:
                self._drop_first(shadow)
        self._people.occupy(self.people_of(pending.intent for pending in taken))

    def _drop_first(self, shadow: Shadow) -> None:
        """As what is taken leaves the queue of its person."""
        shadow.state = State.GONE
        if shadow.behind is None:
            del self._heads[shadow.intent.identifier]
        else:
            self._heads[shadow.intent.identifier] = shadow.behind
            block(shadow.behind)
            shadow.behind = None

    def _place(self, first: Pending, now: float, *, promoted: bool = False) -> None:
        """A rename is placed by whichever of its two people comes last."""
        rename = first.of if isinstance(first, Shadow) else first
        assert rename is not None
        formerly = rename.intent.formerly
        if formerly is None or (self._is_first(rename, formerly) and formerly not in self._people.busy):
            super()._place(rename, now, promoted=promoted)
        else:
            rename.state = State.BLOCKED

    def _is_first(self, rename: Pending, formerly: str) -> bool:
        shadow = self._heads.get(formerly)
        return (
            self._heads.get(rename.intent.identifier) is rename and isinstance(shadow, Shadow) and shadow.of is rename
        )

    def _remove(self, gone: Pending, now: float) -> None:
        """A rename goes with its shadow."""
        if gone.state is State.GONE:
            return
        shadow = self._waiting_shadow(gone)
        super()._remove(gone, now)
        if shadow is not None:
            super()._remove(shadow, now)

    def _waiting_shadow(self, rename: Pending) -> Shadow | None:
        if rename.intent.formerly is None:
            return None
        waiting = chain_of(self._heads.get(rename.intent.formerly))
        return next((each for each in waiting if isinstance(each, Shadow) and each.of is rename), None)


def _shadow_of(rename: Pending, *, tried: bool = False) -> Shadow:
    intent = rename.intent
    assert intent.formerly is not None
    old = Intent("update", intent.formerly, intent.identified_by)
    return Shadow(
        old, rename.acknowledgement, [], rename.record, None, None, rename.since, State.BLOCKED, of=rename, tried=tried
    )


def _is_rename(pending: Pending | None) -> bool:
    return pending is not None and (pending.intent.formerly is not None or pending.__class__ is Shadow)


def _last(head: Pending) -> Pending:
    while head.behind is not None:
        head = head.behind
    return head
