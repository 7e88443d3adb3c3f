"""Whether a lane works, is full, waits, or is halted; told to the metrics and the log as it changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from stream_sync.observability.metrics import LaneMetrics

State = Literal["running", "paused", "waiting", "halted"]


class Standing:
    """The state of one lane."""

    def __init__(self, metrics: LaneMetrics, log: Callable[..., None]) -> None:
        self._metrics = metrics
        self._log = log
        self._paused = False
        self._waiting = False
        self.halted: str | None = None
        """Why nothing goes on; None while it does."""
        self.curable = False
        """Whether the halt can pass without a restart: the destination or the schema registry was its reason."""

    @property
    def state(self) -> State:
        """running, paused, waiting or halted."""
        if self.halted is not None:
            return "halted"
        return "waiting" if self._waiting else "paused" if self._paused else "running"

    def halt(self, reason: str, *, message: str | None = None, curable: bool = False) -> None:
        """Nothing more is sent until what is wrong is mended. The first reason counts, but what cannot pass is never
        hidden by what can."""
        if self.halted is None or (self.curable and not curable):
            self.halted, self.curable = reason, curable
            self._log("lane_halted", reason=reason, message=message)
            self.tell()

    def resume(self) -> None:
        """Ends a halt."""
        self._log("lane_resumed", after=self.halted)
        self.halted = None
        self.tell()

    def pause(self, paused: bool) -> None:
        """The reading stops or goes on: the backlog is full, or is not any more."""
        self._paused = paused
        self.tell()

    def wait(self, waiting: bool) -> None:
        """A record needs what is not here yet, or has it now."""
        self._waiting = waiting
        self.tell()

    def tell(self) -> None:
        """Sets the metric."""
        self._metrics.lane_state(self.state)
