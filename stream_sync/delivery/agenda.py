"""When a lane works and when it rests: what its schedule says, and what a person asked for.

Invariants:
- A run of a schedule with ticks has an end: the ends of the partitions noted when it began. It collects up to them, so
  that changes of one person merge, and sends then; what came meanwhile is for the next run.
- A Delete is sent only in a run that began after its waiting time was over, when that run's ends are reached: every
  write that could cancel it was seen. For the Deletes of a run a further one begins when the last of them is due; what
  it finds waits for the next tick.
- The last tick is kept with the committed offsets: a restart neither repeats a run nor forgets one that was missed.
- Pure: moments are arguments, in seconds since the epoch.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from stream_sync.delivery.ports import Assignment
from stream_sync.schedule import Continuous, Cron, Every, Manual, Schedule

Idle = Literal["paused", "schedule"]


class Run(msgspec.Struct, frozen=True):
    """One run of a schedule with ticks."""

    tick: float | None
    """None for the further one, of the Deletes."""
    ends: Mapping[int, int]
    """Partition to the offset up to which it takes records."""


class Agenda:
    """Of one lane."""

    def __init__(self, schedule: Schedule, started: float, *, paused: bool, once: bool) -> None:
        """`started`: now. `once`: this is a run until caught up, whatever the schedule says."""
        self._schedule = schedule
        self._ticks = schedule if isinstance(schedule, Every | Cron) and not once else None
        self._once = once
        self.stays_out = isinstance(schedule, Manual) and not once
        """Whether it never works here: its partitions are left to the process that a person starts."""
        self._started = started
        self._deletes_at: float | None = None
        self._ran: dict[Assignment, float] = {}
        """Ticks of partitions that are assigned, as far as they are known here before they are committed."""
        self.run: Run | None = None
        """The one under way, of a schedule with ticks."""
        self.paused = paused
        self.idle: Idle | None = None
        """Why nothing is taken or sent, as of the last `look`."""
        self.collecting = once and not isinstance(schedule, Continuous)
        """Whether what is taken waits, to be merged with what comes."""

    @property
    def has_ticks(self) -> bool:
        """Whether runs have an end."""
        return self._ticks is not None

    def look(self, now: float, assigned: Sequence[Assignment]) -> Idle | None:
        """Why nothing is to be taken or sent now; None where the lane works, or where a run should begin."""
        self.idle = self._idle(now, assigned)
        return self.idle

    def next_run(self, now: float, assigned: Sequence[Assignment]) -> float | None:
        """When it works again by itself: `now` where it does, None where it never does."""
        if self.paused:
            return None
        if self._once or self.run is not None:
            return now
        if self._ticks is None:
            return self._schedule.opens(now) if not isinstance(self._schedule, Every | Cron) else now
        due = self._due(self._ticks, assigned)
        at = due if self._deletes_at is None else min(due, self._deletes_at)
        return None if math.isinf(at) else max(now, at)

    def begin(self, ends: Mapping[int, int], now: float, assigned: Sequence[Assignment]) -> None:
        """A run begins; for a schedule without ticks nothing does."""
        if self._ticks is None:
            return
        due = self._due(self._ticks, assigned)
        self.run = Run(self._ticks.tick(due, now) if due <= now else None, ends)
        self.collecting = True
        self._deletes_at = None

    def is_at_ends(self, assigned: Sequence[Assignment]) -> bool:
        """Whether the run under way has taken all that it takes."""
        return self.run is not None and all(
            (offsets.position or 0) >= self.run.ends.get(offsets.partition, 0) for offsets in assigned
        )

    def end(self, deletes_due: float | None, assigned: Sequence[Assignment]) -> None:
        """The run has sent everything but Deletes that wait; `deletes_due`: when the last of them may be sent."""
        run, self.run = self.run, None
        self.collecting = False
        if run is None or run.tick is None or self._ticks is None:
            return
        self._ran = {offsets: self._ran.get(offsets, 0.0) for offsets in assigned}
        for offsets in assigned:
            self._ran[offsets] = run.tick
            offsets.progress.ran = math.ceil(run.tick)
        if deletes_due is not None and deletes_due < self._due(self._ticks, assigned):
            self._deletes_at = deletes_due

    def _idle(self, now: float, assigned: Sequence[Assignment]) -> Idle | None:
        if self.paused:
            return "paused"
        if self._once or self.run is not None:
            return None
        if self._ticks is None:
            is_open = isinstance(self._schedule, Every | Cron) or self._schedule.is_open(now)
            return None if is_open else "schedule"
        if not assigned:
            return "schedule"
        if self._deletes_at is not None and now >= self._deletes_at:
            return None
        return None if self._due(self._ticks, assigned) <= now else "schedule"

    def _due(self, ticks: Every | Cron, assigned: Sequence[Assignment]) -> float:
        """When the next tick is: that of the partition whose last one is longest ago."""
        return min((self._due_of(ticks, offsets) for offsets in assigned), default=math.inf)

    def _due_of(self, ticks: Every | Cron, offsets: Assignment) -> float:
        last = self._ran.get(offsets) or offsets.progress.ran
        return _after(ticks, last) if last else _first(ticks, self._started)


@functools.lru_cache(maxsize=256)
def _after(ticks: Every | Cron, last: float) -> float:
    """It is asked several times a second and changes once a run."""
    return ticks.after(last)


@functools.lru_cache(maxsize=256)
def _first(ticks: Every | Cron, now: float) -> float:
    return ticks.first(now)
