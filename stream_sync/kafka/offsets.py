"""What is unsettled in one partition, and so how far its offset may be committed.

Invariants:
- One object per assignment: a partition that comes back gets a new one, so an acknowledgement that arrives after a
  revoke reaches only the old object and changes nothing (epoch fencing without numbers).
- Only offsets that were received are tracked: gaps of compaction and transactions need no code.
- `commit_position` never passes an unsettled offset and never moves back.
- Pure: no Kafka, no clock, no lock. All calls come from the event loop's thread.
"""

from __future__ import annotations

from collections.abc import Iterable


class Offsets:
    """The acknowledgement that goes out with the records of one assigned partition."""

    __slots__ = ("_extra", "_unsettled", "committed", "partition", "position", "revoked", "whole_until")

    def __init__(self, partition: int, committed: int | None = None) -> None:
        self.partition = partition
        self.committed = committed
        """The offset last committed, None = none yet."""
        self.position: int | None = None
        """The next offset to be received: one past the last record, or the end of the partition."""
        self.revoked = False
        """True once the partition was taken away: what still refers to this object is not to be sent."""
        self.whole_until = 0
        """Updates of records before this offset are whole: the base of their deltas is not certain."""
        self._unsettled: set[int] = set()
        self._extra: dict[int, int] = {}

    def receive(self, offset: int, intents: int) -> None:
        """Takes note of a record that became `intents` intents, each of which will be settled once."""
        self.position = offset + 1
        if intents:
            self._unsettled.add(offset)
            if intents > 1:
                self._extra[offset] = intents - 1

    def reach(self, position: int) -> None:
        """Everything before `position` has been received, records or not (gaps, transaction markers)."""
        if self.position is None or position > self.position:
            self.position = position

    def settle(self, offsets: Iterable[int]) -> None:
        """One intent of each of these records is delivered, ignored, parked or dead-lettered."""
        if not self._extra:
            self._unsettled.difference_update(offsets)
            return
        for offset in offsets:
            more = self._extra.pop(offset, 0)
            if more > 1:
                self._extra[offset] = more - 1
            elif not more:
                self._unsettled.discard(offset)

    @property
    def unsettled(self) -> int:
        """How many records are unsettled."""
        return len(self._unsettled)

    def commit_position(self) -> int | None:
        """The offset to commit, None while nothing was received."""
        position = min(self._unsettled) if self._unsettled else self.position
        if position is None or (self.committed is not None and position < self.committed):
            return self.committed
        return position
