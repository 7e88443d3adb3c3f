"""What a resync sends of a row: all of it, some attributes, or the Delete of who is no longer in the segment.

Invariants:
- Pure. A row goes by what it is now, decided by the router that `run` has; nothing is decided about what it was.
- `Exits` deletes who surely is outside now: whom nobody can tell stays. The others delete in a mirror only, and only
  whom they have just sent while the row left: the lane's own Delete may have come before.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from stream_sync.model import Decoded, Intent
from stream_sync.routing.newest import Decided, Folding, Newest
from stream_sync.routing.plan import Person, Standing


class State:
    """All that is kept of one row."""

    __slots__ = ("newest", "old", "written")

    def __init__(self) -> None:
        self.newest = Newest()
        self.written: frozenset[str] = frozenset()
        """The identifiers that it was decided to write."""
        self.old = Newest()
        """By the old config, where one is compared with."""


class Wish(Protocol):
    """What is wanted of every row."""

    def fold(self, state: State, change: Decoded, old: Decoded | None) -> None:
        """The row's next change, as each config reads it."""
        ...

    def decide(self, state: State) -> Decided:
        """What to send."""
        ...

    def lacks(self, state: State) -> bool:
        """Whether a column of the row was told by none of the records there are."""
        ...


class Everything:
    """The whole row of everybody who is in the segment."""

    def __init__(self, folding: Folding) -> None:
        self._folding = folding

    def fold(self, state: State, change: Decoded, old: Decoded | None) -> None:
        """See `Wish`."""
        self._folding.fold(state.newest, change, counts=False)

    def decide(self, state: State) -> Decided:
        """See `Wish`."""
        decided = self._folding.decide(state.newest)
        if decided.unsettled is not None:
            return decided
        write = self._written(decided.write)
        deletes = tuple(intent for intent in decided.deletes if intent.identifier in state.written)
        if write is not None:
            state.written |= {write.identifier}
            self._folding.remember(state.newest, write)
        return Decided(write, deletes)

    def lacks(self, state: State) -> bool:
        """See `Wish`."""
        return self._folding.lacks(state.newest)

    def _written(self, whole: Intent | None) -> Intent | None:
        """What is sent of a whole row."""
        return whole


class Attributes(Everything):
    """Some values of everybody who is in the segment. A destination that has to create the person takes all."""

    def __init__(self, folding: Folding, names: Collection[str]) -> None:
        """`names`: as mapped values are called in intents, see `Sink.key`."""
        super().__init__(folding)
        self._names = frozenset(names)

    def _written(self, whole: Intent | None) -> Intent | None:
        """See `Everything`."""
        if whole is None:
            return None
        known = {name: value for name, value in whole.known.items() if name in self._names}
        return (
            Intent("update", whole.identifier, whole.identified_by, known, False, older=whole.known) if known else None
        )


class Exits:
    """A Delete of everybody whom the old config's `where` includes and the new one's does not. Who is in the segment
    has a write, for the case that they entered it while they were deleted."""

    def __init__(self, folding: Folding, old: Folding) -> None:
        self._folding = folding
        self._old = old

    def fold(self, state: State, change: Decoded, old: Decoded | None) -> None:
        """See `Wish`."""
        self._folding.fold(state.newest, change, counts=False)
        if old is not None:
            self._old.fold(state.old, old, counts=False)

    def decide(self, state: State) -> Decided:
        """See `Wish`."""
        was, now = self._old.standing(state.old), self._folding.standing(state.newest)
        if isinstance(was, Person) and now is Standing.OUTSIDE:
            return Decided(None, (Intent("delete", was.identifier, was.identified_by),))
        if isinstance(was, Person) and now is Standing.UNKNOWN:
            return Decided(unsettled="membership_unknown")
        return Decided(self._folding.decide(state.newest).write) if isinstance(now, Person) else Decided()

    def lacks(self, state: State) -> bool:
        """See `Wish`: nothing of the row is sent."""
        return False
