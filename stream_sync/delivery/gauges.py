"""What a lane shows of itself once a second: how old, how much, and what it waits for."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from stream_sync.delivery.coalesce import Backlog
from stream_sync.delivery.destination import Destination
from stream_sync.delivery.pending import Pending
from stream_sync.observability.metrics import LaneMetrics

FEW = 100
"""People of the backlog that are looked at: they are in the order in which they came, but for failed attempts."""

MANY = 1000
"""Records: more than the lane takes at once. While so many wait in Kafka it is the reading that is slow, even if they
concern nobody."""


def measure(  # noqa: PLR0913  what is looked at, by upkeep.py alone
    metrics: LaneMetrics,
    backlog: Backlog,
    sent: Sequence[Pending],
    destination: Destination,
    now: float,
    wall: float,
    *,
    idle: bool = False,
    away: bool = False,
    unread: int = 0,
) -> None:
    """Sets the gauges. `sent`: the intents of the requests under way; `now` in monotonic seconds and `wall` in those
    since 1970; `idle`: whether its schedule, or a person, lets the lane rest; `away`: whether it waits for the
    last-delivered state; `unread`: records in Kafka that it could take now.

    A change is as old as its commit at the source; as its time here where that is not known, or its clock is ahead.
    """
    oldest = max((_age(pending, now, wall) for pending in (*islice(backlog, FEW), *sent)), default=0.0)
    metrics.oldest_pending(max(0.0, oldest))
    metrics.pending(len(backlog))
    metrics.in_flight(len(sent))
    ready, gate = backlog.oldest_ready("writes") is not None, destination.gate
    if idle:
        metrics.limited_by("schedule")
    elif away or gate.down or gate.throttled_until > now:
        metrics.limited_by("destination")
    elif destination.sink.is_paced():
        metrics.limited_by("rate_limit")
    elif ready and not gate.may_start(now):
        # All that may be under way at once is, and waits for answers.
        metrics.limited_by("destination")
    elif ready or unread > MANY:
        metrics.limited_by("cpu")
    else:
        metrics.limited_by("source")


def _age(pending: Pending, now: float, wall: float) -> float:
    here = now - pending.since
    return here if pending.ts_ms is None else max(here, wall - pending.ts_ms / 1000)
