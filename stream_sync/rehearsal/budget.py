"""How a mirror's Deletes would have come against their budget, at the pace at which the source committed them.

Invariants:
- Pure: times are the source's, in seconds since the epoch; of one partition they do not go back by much.
- A Delete counts from when it is decided until a write of the same partition cancels it, or until `per` after it was
  sent: what the guard of a lane counts. Where time is rounded, more count at once, never fewer.
- Memory is bounded: of a burst beyond MOST_WAITING the rest is taken for sent.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict

from stream_sync.config.settings import Deletes

PARTS = 60
"""Into how many parts `per` is cut."""
MOST_TIMES = 100_000
MOST_WAITING = 100_000


class DeleteWatch:
    """The Deletes of one activation."""

    def __init__(self, deletes: Deletes) -> None:
        self._after = deletes.after
        self._per = deletes.per
        self._width = max(1, int(deletes.per // PARTS))
        self._waiting: dict[int, dict[str, float]] = defaultdict(dict)
        """Partition to who waits to be deleted since when, oldest first."""
        self._begun: Counter[int] = Counter()
        self._over: Counter[int] = Counter()
        self.cancelled = 0
        """Deletes that a write cancelled while they waited."""

    def delete(self, partition: int, identifier: str, now: float) -> None:
        """A Delete was decided."""
        waiting = self._waiting[partition]
        self._settle(waiting, now)
        if identifier in waiting:
            return
        self._note(self._begun, now)
        if len(waiting) < MOST_WAITING:
            waiting[identifier] = now
        else:
            self._note(self._over, now + self._after + self._per)

    def write(self, partition: int, identifier: str, now: float) -> None:
        """Somebody was written."""
        waiting = self._waiting.get(partition)
        if not waiting or (since := waiting.get(identifier)) is None:
            return
        del waiting[identifier]
        if now <= since + self._after:
            self.cancelled += 1
            self._note(self._over, now)
        else:
            self._note(self._over, since + self._after + self._per)

    def peak(self) -> tuple[int, float | None]:
        """The most that counted at once, and when that began to be so."""
        most, at, running = 0, None, 0
        for time in sorted(self._begun.keys() | self._over.keys()):
            running += self._begun[time]
            if running > most:
                most, at = running, float(time * self._width)
            running -= self._over[time]
        return most, at

    def _settle(self, waiting: dict[str, float], now: float) -> None:
        while waiting:
            identifier, since = next(iter(waiting.items()))
            if since + self._after >= now:
                return
            del waiting[identifier]
            self._note(self._over, since + self._after + self._per)

    def _note(self, times: Counter[int], at: float) -> None:
        times[math.floor(at / self._width)] += 1
        if len(times) > MOST_TIMES:
            self._width *= 2
            self._begun, self._over = (_halved(counted) for counted in (self._begun, self._over))


def _halved(times: Counter[int]) -> Counter[int]:
    coarser: Counter[int] = Counter()
    for time, count in times.items():
        coarser[time // 2] += count
    return coarser
