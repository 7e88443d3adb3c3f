"""Notices of one target gathered to digests: one a code of an activation in a period.

Invariants:
- The first of a code goes out at once; what follows waits until the period after the last digest is over. What is
  urgent never waits.
- Bounded by activations times codes: names and places beyond a few are not kept, counts always are.
- Pure: time is an argument, in seconds since the epoch.
"""

from __future__ import annotations

import msgspec

from stream_sync.delivery.notices import MOST_PLACES, Notice, Place, is_urgent

MOST_NAMES = 5


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
        self._waiting: dict[tuple[str, str], Digest] = {}
        self._urgent: list[Digest] = []
        self._sent: dict[tuple[str, str], float] = {}

    def add(self, activation: str, notice: Notice) -> None:
        """Takes a notice."""
        names = (notice.name,) if notice.name else ()
        digest = Digest(
            activation, notice.code, notice.count, notice.first, notice.last, names, notice.places, notice.message
        )
        if is_urgent(notice):
            self._urgent.append(digest)
            return
        key = (activation, notice.code)
        older = self._waiting.get(key)
        self._waiting[key] = digest if older is None else _merged(older, digest)

    def due(self, now: float, *, all_of_them: bool = False) -> list[Digest]:
        """What is to be sent now, the urgent ones first; it is the caller's."""
        urgent, self._urgent = self._urgent, []
        due = [key for key in self._waiting if all_of_them or self._due_at(key) <= now]
        for key in due:
            self._sent[key] = now
        return urgent + [self._waiting.pop(key) for key in due]

    def next_due(self) -> float | None:
        """When to ask again; None while nothing waits."""
        if self._urgent:
            return 0.0
        return min(map(self._due_at, self._waiting), default=None)

    def _due_at(self, key: tuple[str, str]) -> float:
        sent = self._sent.get(key)
        return 0.0 if sent is None else sent + self._period


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
