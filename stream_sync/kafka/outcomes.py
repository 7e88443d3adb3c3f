"""The topic of outcomes, opt-in: what became of every intent, for `explain` and for whoever reads the topic.

Invariants:
- No record holds a value or an identifier: a person is a keyed hash.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal

import msgspec

from stream_sync.kafka.forward import Forward, lines

RETENTION_MS = 7 * 24 * 3600 * 1000
Work = Literal["resync", "replay", "release"]
"""What sends beside a lane, because a person ordered it."""


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """One record of the topic: what became of one intent."""

    at: str
    """UTC, ISO 8601, with milliseconds."""
    activation: str
    topic: str
    partition: int
    offsets: tuple[int, ...]
    """Of every source record that was merged, in order."""
    merged_into: int
    """The newest of them: the one that stands for all."""
    outcome: str
    """delivered, ignored, rejected or parked."""
    kind: str | None = None
    """insert, update or delete; none where the record became no intent."""
    code: str | None = None
    """Why, where it was not delivered."""
    endpoint: str | None = None
    status: int | str | None = None
    """Of the request that settled it: an HTTP status, or the word for a failure."""
    requests: tuple[tuple[str, int | str], ...] = ()
    """All requests of that call, where there were more than one: endpoint and status."""
    identified_by: str | None = None
    person: str | None = None
    """A keyed hash of the identifier, see docs/explain.md."""
    by: Work | None = None
    """What sent it; None = the lane."""

    @property
    def row(self) -> str | None:
        """See `telling.Line`."""
        return self.person


def topic_of(name: str, activation: str) -> str:
    """The outcomes topic of an activation."""
    return f"{name}.{activation}.outcomes"


def outcomes(forward: Forward, since_ms: int | None) -> AsyncIterator[Told]:
    """What an outcomes topic tells, from a time on where one is given. `forward`: of that topic."""
    return lines(forward, _decoder, since_ms)


_decoder = msgspec.json.Decoder(Told)
