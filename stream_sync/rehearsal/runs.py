"""When a lane would decide about a change, and send a Delete, as its schedule has it run.

Invariants:
- Pure: moments are the source's, in seconds since the epoch; `math.inf` = whenever somebody runs it.
- Asked for each Delete only. What a schedule says is worked out once for each of its rests.
- The rhythm of `every` begins when a lane first starts, which no history tells: here it begins with the epoch.
"""

from __future__ import annotations

import math
from collections import defaultdict

from stream_sync.schedule import Between, Continuous, Cron, Every, Manual, Schedule

HOUR = 3600.0
MOST_HOURS = 10_000


class Runs:
    """Of one activation, that is never down."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._rests: dict[int, list[tuple[float, float]]] = defaultdict(list)
        """Hour to known rests in it: a moment in one, and when it ends."""

    def decides(self, at: float) -> float:
        """When a change that came then is taken in."""
        match self._schedule:
            case Continuous():
                return at
            case Manual():
                return math.inf
            case Every(seconds):
                return math.ceil(at / seconds) * seconds
            case Between() as window if window.is_open(at):
                return at
        return self._rest_over(at)

    def sends(self, decided: float, after: float) -> float:
        """When a Delete is sent that was decided then and waits so long: in a further look of the same run, or where
        another tick comes before that, or the window closes, in the first run after its time."""
        due = decided + after
        match self._schedule:
            case Every(seconds) if decided + seconds > due:
                return due
            case Cron() if self._rest_over(decided) > due:
                return due
        return self.decides(due)

    def _rest_over(self, at: float) -> float:
        if len(self._rests) > MOST_HOURS:
            self._rests.clear()
        rests = self._rests[int(at // HOUR)]
        for first, end in rests:
            if first <= at < end:
                return end
        match self._schedule:
            case Cron() as ticks:
                over: float | None = ticks.after(at)
            case Between() as window:
                over = window.opens(at)
            case _:
                over = at
        end = math.inf if over is None else over
        rests[:] = [rest for rest in rests if rest[1] != end]
        rests.append((at, end))
        return end
