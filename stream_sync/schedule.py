"""When an activation runs: always, from time to time, in a window of the day, or never by itself.

Invariants:
- Pure: moments are arguments, in seconds since the epoch.
- Ticks (`Every`, `Cron`) say when the next run is due after the last one: however many were missed, one run is due.
- A window (`Between`) is open whenever a clock on the wall of its timezone shows a time in it: an hour that daylight
  saving repeats counts twice, one that it skips not at all.
- `cron` is read as Debian's cron does: a time of the day that is skipped is due right after, one that comes twice is
  due once; but where the minute or the hour begins with `*`, it is due whenever the clock shows it: never when it is
  skipped, twice when it comes twice.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

DAY = 24 * 60
LOOK_AHEAD_MINUTES = 3 * DAY


@dataclasses.dataclass(frozen=True, slots=True)
class Continuous:
    """Whenever there is something."""

    def is_open(self, now: float) -> bool:
        """Always."""
        return True

    def opens(self, now: float) -> float | None:
        """At once."""
        return now


@dataclasses.dataclass(frozen=True, slots=True)
class Manual:
    """Only where somebody starts a run until it has caught up: no service joins the group, so it has all partitions."""

    def is_open(self, now: float) -> bool:
        """Never."""
        return False

    def opens(self, now: float) -> float | None:
        """Never."""
        return None


@dataclasses.dataclass(frozen=True, slots=True)
class Between:
    """Every day from `start` to `end`, minutes of the day; `end` before `start` is the next day's."""

    start: int
    end: int
    timezone: str = "UTC"

    def is_open(self, now: float) -> bool:
        """Whether the wall's clock shows a time in it; `start` is, `end` is not."""
        local = dt.datetime.fromtimestamp(now, ZoneInfo(self.timezone))
        minute = local.hour * 60 + local.minute
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end

    def opens(self, now: float) -> float | None:
        """Now where it is open, else when it will be; to the minute."""
        if self.is_open(now):
            return now
        minute = math.floor(now / 60) * 60
        for ahead in range(1, LOOK_AHEAD_MINUTES):
            if self.is_open(minute + ahead * 60):
                return minute + ahead * 60
        return None


@dataclasses.dataclass(frozen=True, slots=True)
class Every:
    """At once, then every `seconds`."""

    seconds: float

    def first(self, now: float) -> float:
        """When the first run ever is due, in a process that began at `now`."""
        return now

    def after(self, last: float) -> float:
        """When the next run is due after one whose tick was `last`."""
        return last + self.seconds

    def tick(self, due: float, now: float) -> float:
        """The tick of a run that begins now and was due at `due`: the latest one, so that the rhythm stays."""
        return due + math.floor(max(0.0, now - due) / self.seconds) * self.seconds


@dataclasses.dataclass(frozen=True, slots=True)
class Cron:
    """At the times of a cron expression of five fields."""

    expression: str
    timezone: str = "UTC"

    def first(self, now: float) -> float:
        """When the first run ever is due, in a process that began at `now`."""
        return self.after(now)

    def after(self, last: float) -> float:
        """When the next run is due after one whose tick was `last`; infinity where there is none any more."""
        moments = CronSim(self.expression, dt.datetime.fromtimestamp(last, ZoneInfo(self.timezone)))
        # In an hour that comes twice the first moments found can be those of the first time.
        return next((at for moment in moments if (at := moment.timestamp()) > last), math.inf)

    def tick(self, due: float, now: float) -> float:
        """The tick of a run that begins now and was due at `due`."""
        return now


Window = Continuous | Manual | Between
Ticks = Every | Cron
Schedule = Window | Ticks


def cron(expression: str, timezone: str) -> Cron:
    """Raises ValueError for what is no cron expression, or never comes true."""
    if len(expression.split()) != 5:
        raise ValueError("has not five fields: minute, hour, day of the month, month, day of the week")
    try:
        found = Cron(expression, timezone)
        if math.isinf(found.after(0.0)):
            raise ValueError("never comes true")
    except CronSimError as error:
        raise ValueError(f"is not right: {str(error).lower()}") from None
    return found
