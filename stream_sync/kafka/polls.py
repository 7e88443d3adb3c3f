"""When a consumer was last polled, as far as others may rely on it: who was not polled for long may have lost its
partitions, and the first polls afterwards do not know it yet.

Invariants:
- After a gap longer than `patience` the polls count again only when they went on for SURE_SECONDS: by then librdkafka
  has heard from the group whether it is a member still, and has said so in a poll.
- Pure: time is an argument, in monotonic seconds.
"""

from __future__ import annotations

SURE_SECONDS = 1.0
"""A heartbeat that is overdue goes out at once; the broker's answer and the next poll take less than this."""


class Polls:
    """The polls of one consumer. `at`: the last one that counts."""

    def __init__(self, now: float, patience: float) -> None:
        """`patience`: seconds without a poll after which the partitions may be somebody else's."""
        self.at = now
        self._last = now
        self._patience = patience
        self._back_since: float | None = None

    def note(self, now: float) -> None:
        """It is polled now."""
        if now - self._last > self._patience:
            self._back_since = now
        self._last = now
        if self._back_since is None or now - self._back_since >= SURE_SECONDS:
            self._back_since = None
            self.at = now
