"""What a resync sends of a row: all of it, some attributes, or the Delete of who is no longer in the segment.

Invariants:
- Pure. A row goes by what it is now, decided by the router that `run` has; nothing is decided about what it was.
- Only `Exits` deletes, and only who surely is outside now: whom nobody can tell stays.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from stream_sync.model import Decoded, Intent
from stream_sync.routing.newest import Decided, Folding, Newest
from stream_sync.routing.plan import Person, Standing


class State:
    """All that is kept of one row."""

    __slots__ = ("newest", "old")

    def __init__(self) -> None:
        self.newest = Newest()
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
        return Decided(decided.write, (), decided.unsettled)

    def lacks(self, state: State) -> bool:
        """See `Wish`."""
        return self._folding.lacks(state.newest)


class Attributes(Everything):
    """Some values of everybody who is in the segment. A destination that has to create the person takes all."""

    def __init__(self, folding: Folding, names: Collection[str]) -> None:
        """`names`: as mapped values are called in intents, see `Sink.key`."""
        super().__init__(folding)
        self._names = frozenset(names)

    def decide(self, state: State) -> Decided:
        """See `Wish`."""
        decided = super().decide(state)
        whole = decided.write
        if whole is None:
            return decided
        known = {name: value for name, value in whole.known.items() if name in self._names}
        if not known:
            return Decided()
        return Decided(Intent("update", whole.identifier, whole.identified_by, known, False, older=whole.known))


class Exits:
    """A Delete of everybody whom the old config's `where` includes and the new one's does not."""

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
        unsure = isinstance(was, Person) and now is Standing.UNKNOWN
        return Decided(unsettled="membership_unknown") if unsure else Decided()

    def lacks(self, state: State) -> bool:
        """See `Wish`: nothing of the row is sent."""
        return False
