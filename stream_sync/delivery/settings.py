"""What the config says of one lane, in the form that delivery reads."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from stream_sync.delivery.guard import Budget
from stream_sync.model import Mode
from stream_sync.schedule import Continuous, Schedule

CONTINUOUS = Continuous()


class LaneSettings(msgspec.Struct, frozen=True):
    """What the config says of one lane. Durations in seconds."""

    name: str
    mode: Mode
    key: Sequence[str] | None = None
    max_records: int | None = None
    max_wait: float = 1.0
    delete_after: float = 0.0
    budget: Budget | None = None
    """Of a mirror's Deletes."""
    mapping: str = ""
    """A hash of mode, where, identifier, fields and attributes."""
    route: str = ""
    """A hash of source and destination."""
    max_consecutive: int = 1000
    most_people: int = 20_000
    """In the backlog; about 4 kB each."""
    until_caught_up: bool = False
    schedule: Schedule = CONTINUOUS
    renames: bool = False
    """Whether intents may have `formerly`."""
    paused: bool = False
    """Whether it begins paused, as a person asked for."""
