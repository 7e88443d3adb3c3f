"""How fast a lane is, and when it will have caught up: from what it counted over the last minutes.

Invariants: pure, time is in the readings; those of the last KEPT_SECONDS are kept; a count that fell (another process
began to count) ends what came before it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import msgspec

from stream_sync.admin.views import Forecast, Freshness

EVERY_SECONDS = 5.0
KEPT_SECONDS = 120.0
LEAST_SECONDS = 10.0
"""A forecast of less than that says nothing."""
STEADY = 0.01
"""A backlog that falls by less than this part of itself a minute is not falling."""


class Reading(msgspec.Struct, frozen=True):
    """What a lane has counted up to `at` (monotonic seconds)."""

    at: float
    records: float = 0.0
    settled: float = 0.0
    backlog: float = 0.0
    requests: float = 0.0
    """Of its destination."""
    buckets: Sequence[tuple[float, float]] = ()
    """Of the freshness: upper end in seconds and how many are at most that."""


class History:
    """The latest readings of one lane."""

    def __init__(self) -> None:
        self._readings: deque[Reading] = deque()

    def add(self, reading: Reading) -> None:
        """Takes the next reading."""
        if self._readings and (
            reading.settled < self._readings[-1].settled or reading.records < self._readings[-1].records
        ):
            self._readings.clear()
        self._readings.append(reading)
        while reading.at - self._readings[0].at > KEPT_SECONDS:
            self._readings.popleft()

    def per_second(self, name: str) -> float:
        """How fast `records`, `settled` or `requests` grows, over what is kept."""
        if len(self._readings) < 2:
            return 0.0
        first, last = self._readings[0], self._readings[-1]
        return float(max(0.0, getattr(last, name) - getattr(first, name)) / max(last.at - first.at, 0.001))

    def forecast(self) -> Forecast:
        """When the backlog is gone, if it goes on as it did."""
        if not self._readings:
            return Forecast("unknown")
        first, last = self._readings[0], self._readings[-1]
        if last.backlog <= 0:
            return Forecast("caught_up")
        elapsed = last.at - first.at
        if elapsed < LEAST_SECONDS:
            return Forecast("unknown")
        falls = (first.backlog - last.backlog) / elapsed
        if falls > last.backlog * STEADY / 60:
            return Forecast("catching_up", last.backlog / falls)
        # A few changes under way are no backlog: they go as others come.
        if last.backlog <= self.per_second("settled") * EVERY_SECONDS:
            return Forecast("caught_up")
        return Forecast("falling_behind") if falls < 0 else Forecast("unknown")

    def freshness(self) -> Freshness | None:
        """Of what was delivered while these readings were taken."""
        if len(self._readings) < 2 or not self._readings[-1].buckets:
            return None
        before = dict(self._readings[0].buckets)
        counts = [(bound, count - before.get(bound, 0.0)) for bound, count in self._readings[-1].buckets]
        if counts[-1][1] <= 0:
            return None
        return Freshness(quantile(0.5, counts), quantile(0.95, counts))


def quantile(part: float, buckets: Sequence[tuple[float, float]]) -> float:
    """As Prometheus' `histogram_quantile`: even within a bucket; in the last one its lower end."""
    wanted = part * buckets[-1][1]
    low, below = 0.0, 0.0
    for bound, count in buckets:
        if count >= wanted and count > below:
            return low if bound == float("inf") else low + (bound - low) * (wanted - below) / (count - below)
        low, below = bound, count
    return low
