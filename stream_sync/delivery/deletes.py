"""Deletes that wait before they are sent: a full refresh of a model emits a delete and then a create for every row.

Invariants:
- Cancelled ones are not searched for: they are met and skipped when their time comes, or swept out when there are many,
  so that a person who comes and goes for ever takes a bounded place.
- Pure: time is an argument.
"""

from __future__ import annotations

from collections import deque

from stream_sync.delivery.pending import Pending, State

FEW = 1000
"""So many entries are never swept."""


class WaitingDeletes:
    """All wait equally long, so the order of starting is the order of ending."""

    def __init__(self, after: float) -> None:
        self._after = after
        self._queue: deque[tuple[float, Pending]] = deque()
        self._sweep_at = FEW

    def __len__(self) -> int:
        """How many entries there are, cancelled ones included."""
        return len(self._queue)

    def start(self, delete: Pending, now: float) -> None:
        """The waiting time begins."""
        delete.state = State.WAITING
        delete.due = now + self._after
        self._queue.append((delete.due, delete))
        if len(self._queue) > self._sweep_at:
            self.sweep()

    def over(self, now: float) -> list[Pending]:
        """Those whose waiting time has ended since the last call."""
        ended = []
        while self._queue and self._queue[0][0] <= now:
            due, delete = self._queue.popleft()
            if _waits(delete, due):
                delete.waited = True
                ended.append(delete)
        return ended

    def sweep(self) -> None:
        """Lets go of the cancelled ones."""
        self._queue = deque(entry for entry in self._queue if _waits(entry[1], entry[0]))
        self._sweep_at = max(FEW, 2 * len(self._queue))

    def next_due(self) -> float | None:
        """When to look again."""
        return self._queue[0][0] if self._queue else None


def _waits(delete: Pending, due: float) -> bool:
    return delete.state is State.WAITING and delete.due == due and not delete.waited
