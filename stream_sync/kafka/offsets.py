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
from typing import NamedTuple

from stream_sync.kafka.progress import Progress


class Commit(NamedTuple):
    """What is committed for a partition."""

    position: int
    metadata: str


class Offsets:
    """The acknowledgement that goes out with the records of one assigned partition."""

    __slots__ = ("_extra", "_unsettled", "committed", "partition", "position", "progress", "revoked", "sent")

    def __init__(self, partition: int, committed: int | None = None, progress: Progress | None = None) -> None:
        self.partition = partition
        self.committed: Commit | None = None if committed is None else Commit(committed, "")
        """What was last committed; its metadata is only known once this object has committed."""
        self.progress = progress or Progress()
        self.sent: Commit | None = None
        """What was last sent to be committed: until it is answered, nobody knows what Kafka has."""
        self.position: int | None = None
        """The next offset to be received: one past the last record, or the end of the partition."""
        self.revoked = False
        """True once the partition was taken away: what still refers to this object is not to be sent."""
        self._unsettled: set[int] = set()
        self._extra: dict[int, int] = {}

    @property
    def whole_until(self) -> int:
        """Updates of records before this offset are whole: the base of their deltas is not certain."""
        return self.progress.whole_until

    def received(self, offsets: Iterable[int], position: int) -> None:
        """Takes note of the records of a run that became one intent each, and that it was received up to `position`
        (0 = nothing of it)."""
        self._unsettled.update(offsets)
        if position:
            self.position = position

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
        """The offset to commit, None while nothing was received and nothing ever committed."""
        committed = None if self.committed is None else self.committed.position
        position = min(self._unsettled) if self._unsettled else self.position
        if position is None or (committed is not None and position < committed):
            return committed
        return position

    def to_commit(self, *, again: bool = False) -> Commit | None:
        """What is to be committed now; None where that is what was committed last, but for `again`."""
        position = self.commit_position()
        if position is None:
            return None
        commit = Commit(position, self.progress.encode())
        return None if commit == self.committed and self.sent in (None, commit) and not again else commit
