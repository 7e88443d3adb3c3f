"""The topic of an activation's warnings, `<name>.<activation>.warnings`: what was told, for whoever asks later.

Invariants: no record holds a person's data or a secret; a record that is not ours is skipped.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec

from stream_sync.kafka.forward import Forward, lines
from stream_sync.model import Place

RETENTION_MS = 30 * 24 * 3600 * 1000


class Warned(msgspec.Struct, frozen=True, omit_defaults=True):
    """One record of the topic. Times are UTC, ISO 8601."""

    at: str
    activation: str
    code: str
    name: str
    """Of a column, or of a value at the destination; the reason of a halt."""
    count: int
    """How often since it was last told."""
    first: str
    last: str
    records: tuple[Place, ...] = ()
    """Some for which it was said."""
    message: str = ""

    @property
    def partition(self) -> int:
        """See `telling.Line`."""
        return self.records[0].partition if self.records else 0

    @property
    def row(self) -> str | None:
        """See `telling.Line`."""
        return self.code


def topic_of(name: str, activation: str) -> str:
    """The warnings topic of an activation."""
    return f"{name}.{activation}.warnings"


def warnings(forward: Forward, since_ms: int | None) -> AsyncIterator[Warned]:
    """What a warnings topic has, from a time on where one is given. `forward`: of that topic."""
    return lines(forward, _decoder, since_ms)


_decoder = msgspec.json.Decoder(Warned)
