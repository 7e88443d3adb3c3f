"""Notices of one target gathered to digests: one a code of an activation in a period.

Invariants:
- The first of a code goes out at once; what follows waits until the period after the last digest is over. For what is
  urgent that is a short one, and for each reason of a halt its own: a lane that halts again and again floods nobody.
- Bounded by activations times codes: names and places beyond a few are not kept, counts always are.
- Pure: time is an argument, in seconds since the epoch.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from stream_sync.delivery.notices import MOST_PLACES, Notice, is_urgent
from stream_sync.model import Place

MOST_NAMES = 5
MOST_SENT = 1_000
URGENT_SECONDS = 300.0


class _Key(NamedTuple):
    """What is gathered to one digest."""

    activation: str
    code: str
    name: str
    urgent: bool


class Digest(msgspec.Struct, frozen=True):
    """What a person is told of one code of one activation."""

    activation: str
    code: str
    count: int
    first: float
    last: float
    names: tuple[str, ...] = ()
    """Some of the columns, or of the values at the destination."""
    places: tuple[Place, ...] = ()
    """Of some records."""
    message: str = ""


class Digests:
    """Those of one target."""

    def __init__(self, period: float) -> None:
        """`period`: seconds."""
        self._period = period
        self._waiting: dict[_Key, Digest] = {}
        self._sent: dict[_Key, float] = {}

    def add(self, activation: str, notice: Notice) -> None:
        """Takes a notice."""
        urgent = is_urgent(notice)
        key = _Key(activation, notice.code, notice.name if urgent else "", urgent)
        names = (notice.name,) if notice.name else ()
        digest = Digest(
            activation, notice.code, notice.count, notice.first, notice.last, names, notice.places, notice.message
        )
        older = self._waiting.get(key)
        self._waiting[key] = digest if older is None else _merged(older, digest)

    def due(self, now: float, *, all_of_them: bool = False) -> list[Digest]:
        """What is to be sent now, the urgent first; it is the caller's."""
        due = [key for key in self._waiting if all_of_them or self._due_at(key) <= now]
        for key in due:
            self._sent[key] = now
        while len(self._sent) > MOST_SENT:
            del self._sent[next(iter(self._sent))]
        return [self._waiting.pop(key) for key in sorted(due, key=lambda key: not key.urgent)]

    def next_due(self) -> float | None:
        """When to ask again; None while nothing waits."""
        return min(map(self._due_at, self._waiting), default=None)

    def _due_at(self, key: _Key) -> float:
        sent = self._sent.get(key)
        if sent is None:
            return 0.0
        return sent + (min(self._period, URGENT_SECONDS) if key.urgent else self._period)


def _merged(older: Digest, newer: Digest) -> Digest:
    return Digest(
        older.activation,
        older.code,
        older.count + newer.count,
        min(older.first, newer.first),
        max(older.last, newer.last),
        tuple(dict.fromkeys((*older.names, *newer.names)))[:MOST_NAMES],
        (*older.places, *newer.places)[:MOST_PLACES],
        newer.message or older.message,
    )
