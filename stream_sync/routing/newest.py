"""What a row of the source is now, folded from its changes in their order, and what that asks for.

Invariants:
- Pure. Of every column the newest available value counts: one that a change does not tell keeps the older one.
- Whoever the row is now is written whole. A Delete is only for people whom the row was seen to be in the segment, from
  the first change on that `counts`, and is no longer; where the row itself is deleted, the router decides about the
  last of them.
- After a change that cannot be read nothing older counts: nobody knows what it changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from stream_sync.errors import FAULTS
from stream_sync.model import (
    Absent,
    Change,
    Columns,
    Decoded,
    Intent,
    Mode,
    Nothing,
    Record,
    Refused,
    Row,
    Undecodable,
    Unseen,
    Value,
)
from stream_sync.routing.compilations import Compilations
from stream_sync.routing.plan import Member, Notice, Person, Plan, Standing
from stream_sync.routing.router import Router

MOST_READERS = 10_000
"""Of columns, each of its schema."""


class Image(msgspec.Struct, gc=False):
    """One row as it is now. `older`: the columns that its newest change did not tell, with where they are read."""

    columns: Columns
    row: Row
    record: Record
    ts_ms: int | None
    older: Mapping[str, tuple[Columns, Row]] = {}

    def at(self, name: str) -> tuple[Columns, Row]:
        """Where a column is read."""
        return self.older.get(name) or (self.columns, self.row)


class Newest:
    """All that is kept of one row. Empty until it is folded."""

    __slots__ = ("changes", "gone", "image", "last", "people", "unreadable")

    def __init__(self) -> None:
        self.image: Image | None = None
        self.gone: Change | None = None
        """The change that deleted the row, where that was the last one."""
        self.unreadable: Undecodable | None = None
        """Why the last change cannot be read."""
        self.people: dict[str, Person] = {}
        """Whom the row was seen to be in the segment."""
        self.last: Person | None = None
        """The last of them."""
        self.changes = 0
        """How many were folded: another number means that something newer arrived."""

    @property
    def ts_ms(self) -> int | None:
        """The source's commit time of the newest change."""
        newest = self.image or self.gone
        return None if newest is None else newest.ts_ms


class Decided(msgspec.Struct, frozen=True):
    """What a row as it is now asks for: a write, Deletes after it, or neither. `unsettled` is why that cannot be known,
    by a code of the closed set of dead letters and warnings."""

    write: Intent | None = None
    deletes: tuple[Intent, ...] = ()
    unseen: Unseen | None = None
    """A Delete beside them where the last-delivered state knows the person."""
    unsettled: str | None = None


class Folding:
    """Folds and decides for one activation."""

    def __init__(self, plan: Plan, router: Router, mode: Mode, notice: Notice, *, before_full: bool) -> None:
        """`router`: of the same plan; it must have learnt the key."""
        self._router = router
        self._mirror = mode == "mirror"
        self._before_full = before_full
        self._columns = FoldedColumns(sorted(plan.columns))
        self._compilations = Compilations(plan, notice)

    def fold(self, newest: Newest, change: Decoded, *, counts: bool = True) -> None:
        """Takes the row's next change in. `counts`: the people of this change and of later ones are remembered."""
        if isinstance(change, Undecodable):
            newest.image = newest.gone = None
            newest.unreadable = change
            newest.changes += 1
        elif isinstance(change, Change) and change.op != "t":
            newest.unreadable = None
            newest.changes += 1
            before = change.before if self._before_full else None
            if before is not None and counts:
                self._remember(newest, change.columns, before)
            if change.after is not None:
                self._fold_row(newest, change, before)
                if counts:
                    self._remember(newest, self._columns, newest.image)
            elif newest.gone is None:
                newest.image, newest.gone = None, change

    def member(self, change: Change) -> Member:
        """How the row of a change stands to the segment after it."""
        if change.after is None:
            return Standing.OUTSIDE
        if change.incomplete and change.before is not None and self._before_full:
            change.columns.fill(change.after, change.before)
        return self._member(change.columns, change.after)

    def standing(self, newest: Newest) -> Member:
        """How the row as it is now stands to the segment."""
        if newest.unreadable is not None:
            return Standing.UNKNOWN
        return Standing.OUTSIDE if newest.image is None else self._member(self._columns, newest.image)

    def lacks(self, newest: Newest) -> bool:
        """Whether a column of the row as it is now was told by none of its changes."""
        if newest.image is None:
            return False
        return Absent.UNAVAILABLE in self._columns.wire(newest.image)

    def remember(self, newest: Newest, write: Intent) -> None:
        """The row's person is written now: where the row leaves the segment later, a mirror deletes them."""
        if self._mirror:
            newest.last = newest.people[write.identifier] = Person(write.identified_by, write.identifier)

    def decide(self, newest: Newest) -> Decided:
        """What the row asks for as it is now."""
        if newest.unreadable is not None:
            return Decided(unsettled=newest.unreadable.code)
        if newest.image is not None:
            return self._decide_row(newest, newest.image)
        if newest.gone is not None and self._mirror:
            return self._decide_gone(newest, newest.gone)
        return Decided()

    def _fold_row(self, newest: Newest, change: Change, before: Row | None) -> None:
        columns, row, known = change.columns, change.after, newest.image
        older: dict[str, tuple[Columns, Row]] = {}
        for name in self._columns.names if change.incomplete else ():
            if columns.raw(name)(row) is not Absent.UNAVAILABLE:
                continue
            if before is not None and not isinstance(columns.raw(name)(before), Absent):
                older[name] = columns, before
            elif known is not None:
                older[name] = known.at(name)
        newest.image = Image(columns, row, change.record, change.ts_ms, older)
        newest.gone = None

    def _member(self, columns: Columns, row: Row) -> Member:
        compiled = self._compilations.careful(columns)
        try:
            return compiled.member(row)
        except FAULTS:
            return Standing.UNKNOWN

    def _remember(self, newest: Newest, columns: Columns, row: Row) -> None:
        if self._mirror and isinstance(person := self._member(columns, row), Person):
            newest.people[person.identifier] = person
            newest.last = person

    def _decide_row(self, newest: Newest, image: Image) -> Decided:
        found = Change("r", None, image, self._columns, image.record, image.ts_ms, incomplete=True)
        decision = self._router.route(found)
        if isinstance(decision, Refused):
            return Decided(unsettled=decision.code)
        if isinstance(decision, Intent):
            if self._router.renamed:  # a person who could not be renamed is still there, and not to be deleted
                return Decided(decision)
            return Decided(decision, self._deletes(newest, decision.identifier))
        if isinstance(decision, Nothing) and decision.reason == "unknown":
            return Decided(unsettled=decision.warning)
        unseen = decision if isinstance(decision, Unseen) and decision.identifier not in newest.people else None
        return Decided(None, self._deletes(newest, None), unseen)

    def _decide_gone(self, newest: Newest, gone: Change) -> Decided:
        decision = self._router.route(gone)
        if isinstance(decision, Refused) and (gone.key_changed or not newest.people):
            return Decided(unsettled=decision.code)  # else the records before it told whom it was
        people = dict(newest.people)
        if gone.key_changed and newest.last is not None:
            # The person may live on under the new key: that is the router's to know.
            people.pop(newest.last.identifier, None)
        if isinstance(decision, Intent):
            people[decision.identifier] = Person(decision.identified_by, decision.identifier)
        unseen = decision if isinstance(decision, Unseen) and decision.identifier not in people else None
        return Decided(None, tuple(_delete(person) for person in people.values()), unseen)

    def _deletes(self, newest: Newest, now: str | None) -> tuple[Intent, ...]:
        return tuple(_delete(person) for identifier, person in newest.people.items() if identifier != now)


class FoldedColumns:
    """Reads the columns of an `Image`, each from the change that told it; see `model.Columns`."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._readers: dict[tuple[Columns, str, bool], Callable[[Row], Any]] = {}

    def reader(self, name: str) -> Callable[[Row], Value]:
        """See `model.Columns`."""
        return self._reading(name, raw=False)

    def raw(self, name: str) -> Callable[[Row], Any]:
        """See `model.Columns`."""
        return self._reading(name, raw=True)

    def raws(self, names: Sequence[str]) -> Callable[[Row], tuple[Any, ...]]:
        """See `model.Columns`."""
        readers = [self.raw(name) for name in names]
        return lambda image: tuple(read(image) for read in readers)

    def wire(self, row: Row) -> tuple[Any, ...]:
        """See `model.Columns`."""
        return self.raws(self.names)(row)

    def held(self, name: str) -> None:
        """Nothing: see `at`."""

    def fill(self, after: Row, before: Row) -> None:
        """Nothing: what is folded is filled already."""

    def _reading(self, name: str, *, raw: bool) -> Callable[[Row], Any]:
        readers = self._readers

        def read(image: Image) -> Any:
            columns, row = image.at(name)
            reader = readers.get((columns, name, raw))
            if reader is None:
                if len(readers) >= MOST_READERS:
                    readers.clear()
                reader = readers[columns, name, raw] = columns.raw(name) if raw else columns.reader(name)
            return reader(row)

        return read


def _delete(person: Person) -> Intent:
    return Intent("delete", person.identifier, person.identified_by)
