"""Warnings: what a person should know although nothing failed. Counted each time, logged at most once a minute.

Invariants: no log line per record; a notice is a code and a name (of a column or of a value at the destination), never
a person's data. The names are bounded.
"""

from __future__ import annotations

from collections.abc import Callable

from stream_sync.observability.metrics import LaneMetrics

REPEAT_SECONDS = 60.0
MOST_NAMES = 1000
QUIET = frozenset({"null_skipped"})
"""Counted, but what the config asks for is nothing to warn of."""


class Notices:
    """The warnings of one lane."""

    def __init__(self, metrics: LaneMetrics, log: Callable[..., None]) -> None:
        self._metrics = metrics
        self._log = log
        self._counts: dict[tuple[str, str], int] = {}
        self._told: dict[tuple[str, str], float] = {}

    def add(self, code: str, name: str) -> None:
        """Takes note of one occurrence."""
        notice = (code, name)
        self._counts[notice] = self._counts.get(notice, 0) + 1

    def flush(self, now: float) -> None:
        """Counts and logs what came up since; `now` in monotonic seconds."""
        counts, self._counts = self._counts, {}
        for notice, count in counts.items():
            code, name = notice
            self._metrics.warning(code, count)
            if code in QUIET:
                continue
            told = self._told.get(notice)
            if told is not None and now - told < REPEAT_SECONDS:
                continue
            if len(self._told) >= MOST_NAMES:
                self._told.clear()
            self._told[notice] = now
            self._log("warning", code=code, name=name or None, count=count)
