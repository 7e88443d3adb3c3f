"""What happens in the demo, one act after the other, and what is seen of it.

Invariants:
- One loop: what is due is written, then everything is measured and shown, some times a second.
- An act ends when its condition holds, never because time went by unless time is the condition.
"""

from __future__ import annotations

import asyncio

from stream_sync.errors import StreamSyncError
from stream_sync.sandbox.demo_config import LANES, Lane
from stream_sync.sandbox.demo_readings import Meter, Readings
from stream_sync.sandbox.demo_stage import Stage
from stream_sync.sandbox.demo_view import LaneReading, Moment, View

TURN_SECONDS = 0.1
CHANGES_A_SECOND = 60
CALM_CHANGES_A_SECOND = 5
"""While somebody looks around."""
MOST_SECONDS_BEHIND = 45.0
_UNACCEPTABLE_AT = 0.4
"""When the row comes that nobody takes, as a share of the time in which rows change."""


class Show:
    """The acts, on a stage that a service of the stage's config works on."""

    def __init__(self, stage: Stage, meter: Meter, view: View) -> None:
        self._stage = stage
        self._meter = meter
        self._view = view
        self._clock = asyncio.get_running_loop().time
        self._began = self._clock()

    async def rows_change(self, seconds: float) -> None:
        """The snapshot, then changes for so long, one row among them that no destination takes."""
        self._stage.write_snapshot()
        await self._change("rows change", CHANGES_A_SECOND, seconds * _UNACCEPTABLE_AT)
        self._stage.insert_unacceptable()
        await self._change("rows change", CHANGES_A_SECOND, seconds * (1 - _UNACCEPTABLE_AT))

    async def catch_up(self) -> None:
        """Nothing more changes; ends when all activations have settled everything.

        Raises StreamSyncError where they do not within MOST_SECONDS_BEHIND.
        """
        deadline = self._clock() + MOST_SECONDS_BEHIND
        while not await self._stage.caught_up():
            if self._clock() > deadline:
                raise StreamSyncError("the activations do not catch up with the table; the service's log says why")
            await self._turn("no more changes, the last ones are on their way")
        await self._turn("everything is delivered", last=True)

    async def go_on(self) -> None:
        """Rows change without end, calmly."""
        await self._change("rows change until Ctrl-C", CALM_CHANGES_A_SECOND, None)

    async def _change(self, doing: str, rate: float, seconds: float | None) -> None:
        began, done = self._clock(), 0
        while seconds is None or self._clock() < began + seconds:
            due = int((self._clock() - began) * rate)
            self._stage.change_rows(due - done)
            done = due
            await self._turn(doing)

    async def _turn(self, doing: str, *, last: bool = False) -> None:
        readings = await self._meter.read()
        stage = self._stage
        lanes = [self._lane(lane, readings) for lane in LANES]
        elapsed = self._clock() - self._began
        self._view.show(Moment(elapsed, doing, stage.rows, stage.written, tuple(stage.latest), lanes), last=last)
        for lane in lanes:
            if lane.state == "halted":
                raise StreamSyncError(f"activation {lane.lane.activation} is halted; the service's log says why")
        await asyncio.sleep(TURN_SECONDS)

    def _lane(self, lane: Lane, readings: Readings) -> LaneReading:
        activation = lane.activation
        freshness = [readings.within("freshness_seconds", share, activation=activation) for share in (0.5, 0.95)]
        return LaneReading(
            lane=lane,
            changes=readings.total("records_total", activation=activation),
            intents=readings.total("intents_total", activation=activation),
            unchanged=readings.total("unchanged_total", activation=activation),
            requests=readings.total("requests_total", destination=lane.workspace),
            people=len(self._stage.workspace(lane).people),
            behind=readings.value("oldest_pending_seconds", activation=activation),
            p50=freshness[0],
            p95=freshness[1],
            dead_letters=readings.total("dead_letters_total", activation=activation),
            state=readings.one_of("lane_state", "state", activation=activation) or "waiting",
        )
