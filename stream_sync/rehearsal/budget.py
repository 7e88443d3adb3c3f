"""How a mirror's Deletes would have come against their budget, at the pace at which the source committed them and its
lane runs.

Invariants:
- Pure: times are the source's, in seconds since the epoch; of one partition they do not go back by much.
- A Delete counts from when it is decided until a write of the same partition cancels it, or until `per` after it was
  sent: what the guard of a lane counts. Where time is rounded, more count at once, never fewer.
- With a schedule a Delete is decided by the next run: a write before that leaves nothing to count, unless more of them
  came before it than a lane takes in between two looks at its budget.
- Memory is bounded: of a burst beyond MOST_WAITING the rest is taken for sent.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict

from stream_sync.config.settings import Deletes
from stream_sync.rehearsal.runs import Runs
from stream_sync.schedule import Continuous, Schedule

PARTS = 60
"""Into how many parts `per` is cut."""
MOST_TIMES = 100_000
MOST_WAITING = 100_000
LOOKS_EVERY = 500
"""Records that a lane takes in at most before its guard looks."""


class DeleteWatch:
    """The Deletes of one activation."""

    def __init__(self, deletes: Deletes, schedule: Schedule = Continuous()) -> None:  # noqa: B008  frozen
        self._after = deletes.after
        self._per = deletes.per
        self._width = max(1, int(deletes.per // PARTS))
        self._runs = Runs(schedule)
        self._waiting: dict[int, dict[str, tuple[float, float]]] = defaultdict(dict)
        """Partition to who waits to be deleted, when that is decided, and sent; oldest first."""
        self._one_run = 0
        """Deletes that no run of its own decides: whoever runs the lane has them all at once."""
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
        decided = self._runs.decides(now)
        sent = self._runs.sends(decided, self._after)
        self._note(self._begun, decided)
        if len(waiting) < MOST_WAITING:
            waiting[identifier] = decided, sent
        else:
            self._note(self._over, sent + self._per)

    def write(self, partition: int, identifier: str, now: float) -> None:
        """Somebody was written."""
        waiting = self._waiting.get(partition)
        if not waiting or (times := waiting.get(identifier)) is None:
            return
        decided, sent = times
        is_seen = now >= decided or len(waiting) > LOOKS_EVERY
        del waiting[identifier]
        if now > sent:
            self._note(self._over, sent + self._per)
            return
        self.cancelled += 1
        if is_seen:
            self._note(self._over, max(now, decided))
        else:
            self._note(self._begun, decided, -1)

    def peak(self) -> tuple[int, float | None]:
        """The most that counted at once, and when that began to be so; None where somebody has to run the lane."""
        most, at, running = self._one_run, None, 0
        for time in sorted(self._begun.keys() | self._over.keys()):
            running += self._begun[time]
            if running > most:
                most, at = running, float(time * self._width)
            running -= self._over[time]
        return most, at

    def _settle(self, waiting: dict[str, tuple[float, float]], now: float) -> None:
        while waiting:
            identifier, (_, sent) = next(iter(waiting.items()))
            if sent >= now:
                return
            del waiting[identifier]
            self._note(self._over, sent + self._per)

    def _note(self, times: Counter[int], at: float, count: int = 1) -> None:
        if math.isinf(at):
            self._one_run += count if times is self._begun else 0
            return
        times[math.floor(at / self._width)] += count
        if len(times) > MOST_TIMES:
            self._width *= 2
            self._begun, self._over = (_halved(counted) for counted in (self._begun, self._over))


def _halved(times: Counter[int]) -> Counter[int]:
    coarser: Counter[int] = Counter()
    for time, count in times.items():
        coarser[time // 2] += count
    return coarser
