"""Warnings: what a person should know although nothing failed. Counted each time, told at most once a minute.

Invariants:
- No line per record; a notice is a code and a name (of a column or of a value at the destination) with the places of
  some records, never a person's data. The names are bounded.
- How often it came is told in full: what came in the minute after it was told is told with the next.
- What the config escalates halts the lane: at the very record while records are taken, at once in all other cases.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

import msgspec

from stream_sync.codes import QUIET, URGENT, WARNINGS, plain
from stream_sync.errors import HaltError
from stream_sync.model import Place, Record
from stream_sync.observability.metrics import LaneMetrics

REPEAT_SECONDS = 60.0
MOST_NAMES = 1000
MOST_PLACES = 3
_TO_DO = {code.code: plain(code.cure) for code in WARNINGS}


class Notice(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is told of one code and name. Times in seconds since the epoch."""

    code: str
    name: str
    count: int
    first: float
    last: float
    places: tuple[Place, ...] = ()
    """Of some records for which it was said."""
    message: str = ""


Tell = Callable[[Notice], None]
"""Takes a notice; returns at once and never raises."""


class _Tally:
    """One code and name since it was last told."""

    def __init__(self, now: float) -> None:
        self.count = 0
        self.first = now
        self.last = now
        self.places: list[Place] = []


class Notices:
    """The warnings of one lane."""

    def __init__(
        self,
        metrics: LaneMetrics,
        log: Callable[..., None],
        tell: Tell | None = None,
        escalated: Collection[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`tell`: beside the log; None = nobody, and no log either where `log` says nothing. `escalated`: codes that
        halt the lane; `clock`: seconds since the epoch."""
        self._metrics = metrics
        self._log = log
        self._tell = tell
        self._escalated = frozenset(escalated)
        self._clock = clock
        self._counts: dict[str, int] = {}
        self._tallies: dict[tuple[str, str], _Tally] = {}
        self._told: dict[tuple[str, str], float] = {}
        self.at_hand: Callable[[], Record | None] = lambda: None
        """The record that is being taken in, if any."""
        self.halt: Callable[..., None] | None = None
        """Halts the lane: (reason, message=…)."""

    def add(self, code: str, name: str) -> None:
        """Takes note of one occurrence. Raises HaltError while records are taken, where the code is escalated."""
        self._counts[code] = self._counts.get(code, 0) + 1
        if code in QUIET:
            return
        tally = self._tallies.get((code, name))
        if tally is None:
            tally = self._tallies[code, name] = _Tally(self._clock())
        tally.count += 1
        if len(tally.places) < MOST_PLACES and (record := self.at_hand()) is not None:
            tally.places.append(Place(record.topic() or "", record.partition() or 0, record.offset() or 0))
        if self.halts(code):
            self._escalate(code, name)

    def halts(self, code: str) -> bool:
        """Whether the config escalates it."""
        return code in self._escalated

    def flush(self, now: float, *, last: bool = False) -> None:
        """Counts and tells what came up since; `now` in monotonic seconds. `last`: nothing waits for its minute."""
        counts, self._counts = self._counts, {}
        for code, count in counts.items():
            self._metrics.warning(code, count)
        wall = self._clock()
        for notice, tally in tuple(self._tallies.items()):
            told = self._told.get(notice)
            if told is not None and now - told < REPEAT_SECONDS and not last:
                tally.last = wall
                continue
            if len(self._told) >= MOST_NAMES:
                self._told.clear()
            self._told[notice] = now
            del self._tallies[notice]
            code, name = notice
            to_do = {"to_do": _TO_DO[code]} if code in _TO_DO else {}
            self._log("warning", code=code, name=name or None, count=tally.count, **to_do)
            self._give_out(Notice(code, name, tally.count, tally.first, wall, tuple(tally.places)))

    def lane_halted(self, reason: str, message: str | None) -> None:
        """The lane halted; it is told at once."""
        now = self._clock()
        self._give_out(Notice("lane_halted", reason, 1, now, now, message=message or ""))

    def lane_resumed(self, reason: str) -> None:
        """It goes on after a halt for this reason."""
        now = self._clock()
        self._give_out(Notice("lane_resumed", reason, 1, now, now))

    def _give_out(self, notice: Notice) -> None:
        if self._tell is not None:
            self._tell(notice)

    def _escalate(self, code: str, name: str) -> None:
        what = f"{code} ({name})" if name else code
        message = f"the warning {what} halts this activation, as its `warnings.escalate` says: mend the cause, restart"
        if self.at_hand() is not None:
            raise HaltError(code, message)
        if self.halt is not None:
            self.halt(code, message=message)


def is_urgent(notice: Notice) -> bool:
    """Whether people are told at once."""
    return notice.code in URGENT
