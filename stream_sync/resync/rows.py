"""The rows of one partition as they are now, a slice at a time: as many as fit into memory, by their places.

Invariants:
- One pass over the partition finds as many rows as `most` allows from a place on, and up to which place they are all.
- `look` reads on to the end as of then and tells which of these rows changed. Rows that come meanwhile are the lane's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from typing import Protocol

from stream_sync.kafka.forward import Forward
from stream_sync.model import Decoded, Record
from stream_sync.replay.rows import RowKey
from stream_sync.resync.progress import END, place_of
from stream_sync.resync.wishes import State, Wish
from stream_sync.routing.newest import Decided


class Reading(Protocol):
    """How records are read: by the new config, and by the old one where there is one."""

    async def __call__(self, record: Record, /) -> tuple[Decoded, Decoded | None]: ...


class Slice:
    """Some rows of one partition. Used by one task at a time."""

    def __init__(
        self, forward: Forward, partition: int, wish: Wish, read: Reading, most: int, tell: Callable[[int], None]
    ) -> None:
        """`most`: rows in memory; `tell(n)`: n more records were read."""
        self._forward = forward
        self._partition = partition
        self._wish = wish
        self._read = read
        self._most = most
        self._tell = tell
        self.rows: dict[RowKey, State] = {}
        self.before = 0
        """All rows from where it began to this place are here."""
        self.keyless = 0

    async def find(self, start: int, first: int) -> None:
        """Reads the partition from offset `start`: the rows from place `first` on, as many as fit."""
        self.before = END
        await self._forward.start({self._partition: start})
        async for record in self._records():
            key = record.key()
            if key is None:
                self.keyless += 1
            elif first <= place_of(key) < self.before:
                row = (self._partition, key)
                if row not in self.rows and len(self.rows) >= self._most:
                    self._shrink(first)
                    if place_of(key) >= self.before:
                        continue
                await self._fold(self.rows.setdefault(row, State()), record)

    async def look(self) -> set[RowKey]:
        """Reads on to the end as of now; those of its rows of which something came."""
        changed = set()
        async for record in self._records():
            row = (self._partition, record.key())
            if (state := self.rows.get(row)) is not None:
                await self._fold(state, record)
                changed.add(row)
        return changed

    def decide(self, row: RowKey) -> Decided:
        """What to send of a row."""
        return self._wish.decide(self.rows[row])

    def lacks(self, row: RowKey) -> bool:
        """Whether a column of the row was told by none of the records there are."""
        return self._wish.lacks(self.rows[row])

    def in_order(self) -> list[RowKey]:
        """Its rows by their places."""
        return sorted(self.rows, key=_place)

    async def _records(self) -> AsyncIterator[Record]:
        async for records in self._forward.to_end():
            self._tell(len(records))
            for record in records:
                yield record

    async def _fold(self, state: State, record: Record) -> None:
        self._wish.fold(state, *await self._read(record))

    def _shrink(self, first: int) -> None:
        """Lets go of the later half."""
        places = sorted(map(_place, self.rows))
        self.before = max(places[len(places) // 2], first + 1)
        self.rows = {row: state for row, state in self.rows.items() if _place(row) < self.before}


class Chunk:
    """Some rows of a slice, as `replay.Replay` takes them."""

    def __init__(self, whole: Slice, rows: Sequence[RowKey]) -> None:
        self._whole = whole
        self.wanted: Mapping[RowKey, State] = {row: whole.rows[row] for row in rows}

    async def look(self) -> Collection[RowKey]:
        """See `Slice.look`."""
        return await self._whole.look() & self.wanted.keys()

    def decide(self, row: RowKey) -> Decided:
        """See `Slice.decide`."""
        return self._whole.decide(row)

    def counts(self, row: RowKey) -> bool:
        """Whether a row is of these."""
        return row in self.wanted


def _place(row: RowKey) -> int:
    return place_of(row[1] or b"")
