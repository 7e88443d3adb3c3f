"""Deletes that wait before they are sent: a full refresh of a model emits a delete and then a create for every row.

Pure: time is an argument. Cancelled ones are not searched for; they are met and skipped when their time comes.
"""

from __future__ import annotations

from collections import deque

from stream_sync.delivery.pending import Pending, State


class WaitingDeletes:
    """All wait equally long, so the order of starting is the order of ending."""

    def __init__(self, after: float) -> None:
        self._after = after
        self._queue: deque[tuple[float, Pending]] = deque()

    def start(self, delete: Pending, now: float) -> None:
        """The waiting time begins."""
        delete.state = State.WAITING
        delete.due = now + self._after
        self._queue.append((delete.due, delete))

    def over(self, now: float) -> list[Pending]:
        """Those whose waiting time has ended since the last call."""
        ended = []
        while self._queue and self._queue[0][0] <= now:
            due, delete = self._queue.popleft()
            if delete.state is State.WAITING and delete.due == due:
                delete.waited = True
                ended.append(delete)
        return ended

    def next_due(self) -> float | None:
        """When to look again."""
        return self._queue[0][0] if self._queue else None
