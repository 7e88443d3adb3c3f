"""The rows that some letters are about, as they are now: one forward read of the source from the oldest letter on.

Invariants:
- Only rows that are wanted are kept, and of each only what it is now.
- A letter whose own record is not at its place any more (another key or value there, or none) does not count, unless
  it brings its own copy of the record along.
- `look` reads on to the end as of then, as often as asked, and tells whose rows changed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Protocol

from stream_sync.errors import WaitError
from stream_sync.formats.decoder import Decoder
from stream_sync.kafka.forward import Forward
from stream_sync.kafka.put_aside import Letter
from stream_sync.model import Change, Decoded, Record, WireValueError
from stream_sync.routing.newest import Decided, Folding, Newest
from stream_sync.routing.router import Router

RowKey = tuple[int, bytes | None]
"""A row of the source: the partition and the bytes of its records' key."""


class Reading(Protocol):
    """What records are read with: `wiring.Parts`."""

    @property
    def decoder(self) -> Decoder: ...
    @property
    def router(self) -> Router: ...


class Deciphering:
    """Decodes a source's records and learns what their keys are made of."""

    def __init__(self, parts: Reading, key: Sequence[str] | None) -> None:
        """`key`: the key's columns as the config says them, None = learnt from the first record."""
        self._parts = parts
        self._key = key
        self._key_known = False

    async def decode(self, record: Record) -> Decoded:
        """Waits for a schema that has to be fetched. Raises HaltError."""
        while True:
            try:
                found = self._parts.decoder.decode(record)
            except WaitError as error:
                await error.ready()
            else:
                break
        if not self._key_known and isinstance(found, Change) and found.op != "t":
            self._learn_key(record)
        return found

    async def key_values(self, record: Record) -> Mapping[str, Any] | None:
        """See `Decoder.key_values`. Waits for a schema that has to be fetched. Raises HaltError."""
        while True:
            try:
                return self._parts.decoder.key_values(record)
            except WaitError as error:
                await error.ready()

    def _learn_key(self, record: Record) -> None:
        names = self._key
        if names is None:
            try:
                names = self._parts.decoder.key_names(record)
            except WireValueError:
                names = ()
        if names is not None:
            self._parts.router.learn_key(names)
            self._key_known = True


class Wanted:
    """One row that is wanted, and the letters about it."""

    def __init__(self) -> None:
        self.newest = Newest()
        self.letters: list[Letter] = []
        self.first = 0
        """The offset of the oldest of their records."""
        self.forced = False
        """Whether it goes by a letter's own copy of its record, even where the source tells nothing of it any more."""
        self.based = False
        """Whether a letter's own copy was folded at all."""
        self.seen = False
        """Whether the source tells something of it."""


class Rows:
    """The wanted rows. Used by one task at a time."""

    def __init__(self, forward: Forward, folding: Folding, decipher: Deciphering, tell: Callable[[int], None]) -> None:
        """`tell(n)`: n more records of the source were read."""
        self._forward = forward
        self._folding = folding
        self._decipher = decipher
        self._tell = tell
        self.wanted: dict[RowKey, Wanted] = {}
        self._places: dict[tuple[int, int], list[Letter]] = defaultdict(list)
        """Where the letters' own records should be."""
        self.present: set[Letter] = set()
        """The letters whose records are where they were."""
        self._started = False

    async def want(self, letter: Letter, copy: Record | None = None, *, force: bool = False) -> None:
        """Wants a letter's row. `copy`: the letter's own copy of its record, which stands for it where the topic lost
        it but tells what came after it; with `force` also where it does not."""
        wanted = self.wanted.get(letter.row)
        if wanted is None:
            wanted = self.wanted[letter.row] = Wanted()
            wanted.first = letter.source_offset
        wanted.first = min(wanted.first, letter.source_offset)
        wanted.letters.append(letter)
        self._places[letter.source_partition, letter.source_offset].append(letter)
        if copy is not None:
            wanted.based = True
            wanted.forced |= force
            self._folding.fold(wanted.newest, await self._decipher.decode(copy))

    async def look(self) -> set[RowKey]:
        """Reads on to the end as of now; the rows of which something came."""
        if not self._started:
            self._started = True
            await self._start()
        changed: set[RowKey] = set()
        async for records in self._forward.to_end():
            self._tell(len(records))
            for record in records:
                row = (record.partition() or 0, record.key())
                if (wanted := self.wanted.get(row)) is not None:
                    await self._fold(wanted, record)
                    changed.add(row)
        return changed

    def decide(self, row: RowKey) -> Decided:
        """What a wanted row asks for as it is now."""
        return self._folding.decide(self.wanted[row].newest)

    def counts(self, row: RowKey) -> bool:
        """Whether anything is known of the row that a letter of it may go by."""
        wanted = self.wanted[row]
        by_copy = wanted.forced or (wanted.based and wanted.seen)
        return by_copy or any(letter in self.present for letter in wanted.letters)

    async def _start(self) -> None:
        bounds = await self._forward.bounds()
        starts: dict[int, int] = {}
        for (partition, _), wanted in self.wanted.items():
            if partition in bounds:
                starts[partition] = min(wanted.first, starts.get(partition, wanted.first))
        await self._forward.start(starts)

    async def _fold(self, wanted: Wanted, record: Record) -> None:
        place = record.partition() or 0, record.offset() or 0
        if letters := self._places.get(place):
            self.present.update(_own(letters, record))
        counts = (record.offset() or 0) >= wanted.first
        wanted.seen |= counts
        self._folding.fold(wanted.newest, await self._decipher.decode(record), counts=counts)


def _own(letters: Iterable[Letter], record: Record) -> Iterable[Letter]:
    """Those of these letters whose record this is."""
    value = record.value()
    digest = None if value is None else sha256(value).digest()
    return [letter for letter in letters if letter.key == record.key() and letter.digest == digest]
