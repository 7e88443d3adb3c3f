"""How far a resync is in one partition: what it keeps as the metadata of the group `<name>.<activation>.resync`.

A row's place is a hash of its key, so that "all rows before this place are done" is one number, whatever comes or goes.

Invariants:
- Pure. Metadata of somebody else, or of another resync, reads as nothing done.
- Deletes are noted before they are sent: those of a run that was ended count once, however often it begins again.
"""

from __future__ import annotations

import zlib

import msgspec

END = 1 << 32
"""All rows are before this place."""


def place_of(key: bytes) -> int:
    """Where a row is, from 0 to END - 1."""
    return zlib.crc32(key)


class Done(msgspec.Struct, frozen=True, omit_defaults=True):
    """Of one partition. Short names on the wire."""

    of: str = msgspec.field(default="", name="o")
    """Which resync: a hash of what it sends; empty = none is under way."""
    since_ms: int | None = msgspec.field(default=None, name="s")
    """From when on its records are read."""
    before: int = msgspec.field(default=0, name="b")
    """The rows before this place are done."""
    deleted: tuple[tuple[int, int], ...] = msgspec.field(default=(), name="d")
    """Deletes of resyncs that ended: (second, count)."""
    deleting: tuple[int, int] = msgspec.field(default=(0, 0), name="n")
    """Those of the one that is under way."""

    def encode(self) -> str:
        """For the commit."""
        return msgspec.json.encode(self).decode()

    def begin(self, of: str, since_ms: int | None) -> Done:
        """The resync `of` begins, or goes on where it is the one under way."""
        if self.of == of:
            return self
        return Done(of, since_ms, 0, self._all_deleted())

    def at(self, before: int) -> Done:
        """The rows before this place are done."""
        return msgspec.structs.replace(self, before=before)

    def delete(self, count: int, now: float) -> Done:
        """So many people of the resync under way are about to be deleted; `now` in seconds since the epoch."""
        return msgspec.structs.replace(self, deleting=(int(now), count))

    def end(self) -> Done:
        """The resync is over."""
        return Done(deleted=self._all_deleted())

    def deleted_within(self, now: float, per: float) -> int:
        """People whom earlier resyncs deleted in the last `per` seconds; those of the one under way are not in it."""
        return sum(count for second, count in self.deleted if second > now - per)

    def _all_deleted(self) -> tuple[tuple[int, int], ...]:
        newest = (*self.deleted, self.deleting) if self.deleting[1] else self.deleted
        return newest[-MOST_NOTED:]


MOST_NOTED = 60
"""Ended resyncs with deletes, the newest ones; it has to fit into the metadata."""

_decoder = msgspec.json.Decoder(Done)


def decode(metadata: str | None) -> Done:
    """What is committed."""
    try:
        return _decoder.decode(metadata) if metadata else Done()
    except (msgspec.DecodeError, RecursionError):
        return Done()
