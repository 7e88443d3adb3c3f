"""What a lane does beside its turns: every second it counts, tells, commits and looks at the clock; now and then it
reads the latch of the held Deletes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from stream_sync.delivery.coalesce import Backlog
from stream_sync.delivery.destination import Destination
from stream_sync.delivery.dispatch import Dispatch
from stream_sync.delivery.gauges import measure
from stream_sync.delivery.guard import DeleteGuard
from stream_sync.delivery.notices import Notices
from stream_sync.delivery.ports import Consumer
from stream_sync.delivery.runs import Runs
from stream_sync.delivery.standing import Standing
from stream_sync.observability.metrics import LaneMetrics

TICK_SECONDS = 1.0
LOOK_SECONDS = 10.0
"""Between two looks at what is asked of Kafka beside the work."""
LOOK_AGAIN_SECONDS = 0.5


class Upkeep:
    """Of one lane. Both ways of it go on until they are cancelled."""

    def __init__(  # noqa: PLR0913, PLR0917  the parts of a lane that it keeps up, handed in once, in lane.py
        self,
        backlog: Backlog,
        dispatch: Dispatch,
        guard: DeleteGuard | None,
        runs: Runs,
        standing: Standing,
        destination: Destination,
        notices: Notices,
        metrics: LaneMetrics,
        is_sure: Callable[[], bool],
        clock: Callable[[], float],
    ) -> None:
        """`is_sure`: whether the partitions are surely its own; `clock`: seconds since the epoch."""
        self._backlog = backlog
        self._dispatch = dispatch
        self._guard = guard
        self._runs = runs
        self._standing = standing
        self._destination = destination
        self._notices = notices
        self._metrics = metrics
        self._is_sure = is_sure
        self._clock = clock
        self._backlog_seen = 0
        self._backlog_asked_at = float("-inf")

    async def tick(self, consumer: Consumer) -> None:
        """Every second."""
        lag = 0
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now = asyncio.get_running_loop().time()
            if self._guard is not None:
                self._guard.check(now)
            self._notices.flush(now)
            idle = self._runs.look(consumer) is not None
            self._standing.doubt(bool(consumer.assigned) and not self._is_sure())
            sent = self._dispatch.sent()
            unread = lag if self._standing.takes else 0
            measure(
                self._metrics,
                self._backlog,
                sent,
                self._destination,
                now,
                self._clock(),
                idle=idle,
                away=self._standing.reason == "state" or (self._dispatch.is_away and len(self._backlog) > 0),
                unread=unread,
            )
            self._dispatch.wake()
            lag = 0  # without partitions it is somebody else's
            if consumer.assigned:
                await consumer.commit()
                lag = await consumer.lag(ask=not self._standing.takes)
            elif self._runs.agenda.stays_out:
                lag = await self._left(consumer, now)
            self._metrics.lag(lag)

    async def _left(self, consumer: Consumer, now: float) -> int:
        """Records that wait for a run that is not this process's; what is not known stays as it was."""
        if now >= self._backlog_asked_at + LOOK_SECONDS:
            self._backlog_asked_at = now
            found = await consumer.backlog()
            self._backlog_seen = self._backlog_seen if found is None else found
        return self._backlog_seen

    async def look(self) -> None:
        """Reads the latch: every LOOK_SECONDS, and soon after the guard asked for it."""
        while self._guard is not None:
            self._guard.asked.clear()
            await self._guard.look()
            self._guard.park_latched(asyncio.get_running_loop().time())
            self._dispatch.wake()
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._guard.asked.wait(), LOOK_SECONDS)
