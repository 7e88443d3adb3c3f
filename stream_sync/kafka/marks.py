"""Which letters of one partition are done with: all before an offset, and some ranges after it.

It is kept as what a group has committed on the letters' topic: the offset, and in its metadata the ranges.

Invariants:
- Within Kafka's 4,096 bytes of metadata: what does not fit is forgotten, the newest first. A letter whose mark is
  forgotten is open again, and replaying it again does no harm.
- Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

MOST_BYTES = 3500
"""Of Kafka's `offset.metadata.max.bytes`, 4096 by default."""


class Marks(msgspec.Struct, frozen=True):
    """`ranges`: (first, end) of offsets that are done, in order, all of them after `before`; the end is not in it."""

    before: int = 0
    ranges: tuple[tuple[int, int], ...] = ()

    def has(self, offset: int) -> bool:
        """Whether the letter at this offset is done with."""
        return offset < self.before or any(first <= offset < end for first, end in self.ranges)

    def open_between(self, low: int, high: int) -> int:
        """How many of the offsets from `low` on and before `high` are not done."""
        first = max(low, self.before)
        done = sum(max(0, min(end, high) - max(start, first)) for start, end in self.ranges)
        return max(0, high - first - done)

    def encode(self) -> str:
        """The ranges, for the commit's metadata."""
        texts, size = [], 2
        for first, end in self.ranges:
            text = f"[{first},{end}]"
            size += len(text) + 1
            if size > MOST_BYTES:
                break
            texts.append(text)
        return "[" + ",".join(texts) + "]" if texts else ""


_ranges = msgspec.json.Decoder(tuple[tuple[int, int], ...])


def decode(committed: int, metadata: str | None) -> Marks:
    """What is committed; a negative offset = nothing. Metadata of somebody else reads as none."""
    if committed < 0:
        return Marks()
    try:
        return Marks(committed, _ranges.decode(metadata)) if metadata else Marks(committed)
    except (msgspec.DecodeError, RecursionError):
        return Marks(committed)


def marked(still_open: Iterable[int], end: int) -> Marks:
    """The marks where of all letters before `end` only those at these offsets, in order, are not done with."""
    ranges: list[tuple[int, int]] = []
    before = last = None
    for offset in still_open:
        if last is not None and offset > last + 1:
            ranges.append((last + 1, offset))
        before = offset if before is None else before
        last = offset
    if before is None or last is None:
        return Marks(end)
    if last + 1 < end:
        ranges.append((last + 1, end))
    return Marks(before, tuple(ranges))
