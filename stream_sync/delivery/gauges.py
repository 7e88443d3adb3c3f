"""What a lane shows of itself once a second: how old, how much, and what it waits for."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from stream_sync.delivery.coalesce import Backlog
from stream_sync.delivery.pacing import Gate
from stream_sync.delivery.pending import Pending
from stream_sync.observability.metrics import LaneMetrics

FEW = 100
"""People of the backlog that are looked at: they are in the order in which they came, but for failed attempts."""


def measure(
    metrics: LaneMetrics, backlog: Backlog, sent: Sequence[Pending], gate: Gate, now: float, *, idle: bool = False
) -> None:
    """Sets the gauges. `sent`: the intents of the requests under way; `now` in monotonic seconds; `idle`: whether its
    schedule, or a person, lets the lane rest."""
    oldest = min((pending.since for pending in (*islice(backlog, FEW), *sent)), default=now)
    metrics.oldest_pending(max(0.0, now - oldest))
    metrics.pending(len(backlog))
    metrics.in_flight(len(sent))
    ready = backlog.oldest_ready("writes") is not None
    if idle:
        metrics.limited_by("schedule")
    elif gate.down or gate.throttled_until > now:
        metrics.limited_by("destination")
    elif ready and not gate.may_start(now):
        metrics.limited_by("rate_limit")
    elif ready:
        metrics.limited_by("cpu")
    else:
        metrics.limited_by("source")
