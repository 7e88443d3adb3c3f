"""Whether a lane works, is full, waits, is in doubt or halted; told to the metrics and the log as it changes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Literal

from stream_sync.delivery.notices import Notices
from stream_sync.observability.metrics import LaneMetrics

State = Literal["running", "paused", "waiting", "halted"]
Why = Literal["backlog_full", "by_request", "schedule", "schema_registry", "state"]
"""Why a lane that is not halted takes nothing: no room in memory, a person, its schedule, a schema that is not here, or
the last-delivered state that is away."""
KAFKA = "kafka"
"""Why a lane that takes what there is sends nothing: Kafka does not say that its partitions are still its own."""
STATES: dict[Why, State] = {
    "backlog_full": "paused",
    "by_request": "paused",
    "schedule": "waiting",
    "schema_registry": "waiting",
    "state": "waiting",
}


@dataclasses.dataclass(frozen=True, slots=True)
class LaneStatus:
    """How a lane stands, for people."""

    state: State | Literal["starting"]
    reason: str | None
    """Of the halt, why nothing is taken (`Why`), or KAFKA; None while it works."""
    is_paused: bool
    """Whether a person paused it."""
    next_run: float | None
    """When it works again by itself, in seconds since the epoch: about now where it works, None where never."""


class Standing:
    """The state of one lane."""

    def __init__(self, metrics: LaneMetrics, log: Callable[..., None], notices: Notices | None = None) -> None:
        self._metrics = metrics
        self._log = log
        self._notices = notices
        self._why: Why | None = None
        self._in_doubt = False
        self.halted: str | None = None
        """Why nothing goes on; None while it does."""
        self.curable = False
        """Whether the halt can pass without a restart: the destination or the schema registry was its reason."""

    @property
    def state(self) -> State:
        """running, paused, waiting or halted."""
        if self.halted is not None:
            return "halted"
        if self._why is not None:
            return STATES[self._why]
        return "waiting" if self._in_doubt else "running"

    @property
    def reason(self) -> str | None:
        """Of the halt, or why it takes or sends nothing; None while it works."""
        return self.halted or self._why or (KAFKA if self._in_doubt else None)

    @property
    def takes(self) -> bool:
        """Whether it takes what there is."""
        return self.halted is None and self._why is None

    def halt(self, reason: str, *, message: str | None = None, curable: bool = False) -> None:
        """Nothing more is sent until what is wrong is mended. The first reason counts, but what cannot pass is never
        hidden by what can."""
        if self.halted is None or (self.curable and not curable):
            self.halted, self.curable = reason, curable
            self._log("lane_halted", reason=reason, message=message)
            if self._notices is not None:
                self._notices.lane_halted(reason, message)
            self.tell()

    def resume(self) -> None:
        """Ends a halt."""
        self._log("lane_resumed", after=self.halted)
        if self._notices is not None and self.halted is not None:
            self._notices.lane_resumed(self.halted)
        self.halted = None
        self.tell()

    def rest(self, why: Why | None) -> None:
        """The reading stops for this reason, or goes on."""
        self._why = why
        self.tell()

    def doubt(self, in_doubt: bool) -> None:
        """Whether it is in doubt that the partitions are its own: nothing is sent then."""
        if in_doubt is not self._in_doubt:
            self._in_doubt = in_doubt
            if in_doubt:
                self._log("partitions_in_doubt")
            else:
                self._log("partitions_certain")
            self.tell()

    def tell(self) -> None:
        """Sets the metric."""
        self._metrics.lane_state(self.state)
