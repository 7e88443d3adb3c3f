"""What a lane keeps in the metadata of its committed offsets: beside the offset, the only state it has.

Invariants:
- Within Kafka's 4,096 bytes (`offset.metadata.max.bytes`) whatever happens: the sent Deletes are counted in buckets.
- Metadata of somebody else, or of a version that is not known, is no error: it reads as none.
- Pure: times are arguments, in seconds since the epoch.
"""

from __future__ import annotations

import msgspec

BUCKETS = 60
"""Into how many parts the period of the delete budget is cut for counting."""


class Progress(msgspec.Struct, omit_defaults=True):
    """The metadata of one partition. Short names on the wire."""

    whole_until: int = msgspec.field(default=0, name="w")
    """Updates of records before this offset are whole, and Deletes wait until it is reached."""
    mapping: str = msgspec.field(default="", name="m")
    """A hash of mode, where, identifier, fields and attributes."""
    route: str = msgspec.field(default="", name="r")
    """A hash of source and destination."""
    deletes: list[tuple[int, int]] = msgspec.field(default_factory=list, name="d")
    """Deletes sent: (second of the bucket's start, count), oldest first."""
    ran: int = msgspec.field(default=0, name="t")
    """The tick of the last run that a schedule began and that came to its end; 0 = none."""

    lineage: str = msgspec.field(default="", name="l")
    """What the last-delivered state was when this was committed; empty = none was kept."""

    def encode(self) -> str:
        """For the commit."""
        return msgspec.json.encode(self).decode()

    def note_deletes(self, count: int, now: float, per: float) -> None:
        """Counts Deletes that are about to be sent; forgets what is older than `per` seconds. A negative `count` takes
        back what was counted last: on its own it would outlive what it stands against."""
        width = max(1, int(per // BUCKETS))
        start = int(now) // width * width
        self.deletes = [bucket for bucket in self.deletes if bucket[0] + width > now - per]
        while count < 0 and self.deletes:
            last, counted = self.deletes.pop()
            count += counted
            start = last
        if count <= 0:
            return
        if self.deletes and self.deletes[-1][0] == start:
            count += self.deletes.pop()[1]
        self.deletes.append((start, count))

    def deletes_within(self, now: float, per: float) -> int:
        """How many Deletes were sent in the last `per` seconds, or a little longer ago."""
        width = max(1, int(per // BUCKETS))
        return sum(count for start, count in self.deletes if start + width > now - per)


_decoder = msgspec.json.Decoder(Progress)


def decode(metadata: str | None) -> Progress | None:
    """The metadata of a committed offset; None where it is not the service's own."""
    if not metadata:
        return None
    try:
        return _decoder.decode(metadata)
    except (msgspec.DecodeError, RecursionError):
        return None
