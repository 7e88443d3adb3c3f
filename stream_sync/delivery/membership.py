"""A lane's part in its consumer group: what it does when partitions come and go; see `kafka.member.Listener`.

Invariants:
- Nothing is sent for a partition once it is being revoked, and nothing is committed for a lost one.
- The part of the rate limit and of the delete budget goes with the partitions.
- Offsets of another source or destination are never gone on from: the lane halts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from stream_sync.delivery.coalesce import Backlog
from stream_sync.delivery.destination import Destination
from stream_sync.delivery.dispatch import Dispatch
from stream_sync.delivery.guard import DeleteGuard
from stream_sync.delivery.notices import Notices
from stream_sync.delivery.outcomes import Outcomes
from stream_sync.delivery.ports import Assignment, Consumer, Progress, Remembers
from stream_sync.delivery.settings import LaneSettings
from stream_sync.delivery.standing import Standing
from stream_sync.observability.metrics import LaneMetrics

LETTERS_SECONDS = 1.0


class Membership:
    """The consumer's listener."""

    def __init__(  # noqa: PLR0913, PLR0917  the parts of a lane that partitions concern, handed in once, in lane.py
        self,
        settings: LaneSettings,
        backlog: Backlog,
        dispatch: Dispatch,
        outcomes: Outcomes,
        guard: DeleteGuard | None,
        destination: Destination,
        standing: Standing,
        notices: Notices,
        metrics: LaneMetrics,
        log: Callable[..., None],
        tell: Callable[..., None],
        last: Remembers | None = None,
    ) -> None:
        """`log`: for what is out of the ordinary; `tell`: for what is not; `last`: what was delivered last."""
        self._last = last
        self._settings = settings
        self._backlog = backlog
        self._dispatch = dispatch
        self._outcomes = outcomes
        self._guard = guard
        self._destination = destination
        self._standing = standing
        self._notices = notices
        self._metrics = metrics
        self._log = log
        self._tell = tell
        self.consumer: Consumer | None = None
        """Whose listener this is, once it runs."""
        self.joined = False
        """Whether partitions, none perhaps, were assigned once."""

    def assigned(self, offsets: Sequence[Assignment]) -> None:
        """Partitions came."""
        self.joined = True
        self._metrics.rebalance()
        if self._last is not None:
            self._last.assigned(offsets)
        for assignment in offsets:
            if self._last is None:  # what is delivered from now on, the state does not know
                assignment.progress.lineage = ""
            self._compare(assignment.progress)
        self._shared("partitions_assigned", offsets)

    async def revoked(self, offsets: Sequence[Assignment], budget: float) -> None:
        """Partitions go: what is in flight may end within `budget` seconds, the rest is forgotten."""
        self._forget(offsets)
        await self._dispatch.let_go(budget)
        await self._outcomes.let_go(LETTERS_SECONDS)
        self._shared("partitions_revoked", offsets)

    def lost(self, offsets: Sequence[Assignment]) -> None:
        """Partitions were taken away without asking."""
        self._metrics.rebalance()
        self._forget(offsets)
        self._shared("partitions_lost", offsets)

    def committed(self, error: str | None) -> None:
        """A commit was answered."""
        self._metrics.commits("failed" if error else "ok")
        if error:
            self._log("commit_failed", code=error)

    def _compare(self, progress: Progress) -> None:
        """Whether the offsets are those of this activation as it is now."""
        mine = self._settings
        if progress.route and progress.route != mine.route:
            message = (
                "the group's offsets belong to another source or destination: give the activation another name, or "
                "reset the group's offsets"
            )
            self._standing.halt("route_changed", message=message)
            return
        if progress.mapping and progress.mapping != mine.mapping:
            self._notices.add("mapping_changed", "")
            if self._notices.halts("mapping_changed"):
                return  # what is committed stays as it was: a restart alone must not make the edit go through
        progress.route, progress.mapping = mine.route, mine.mapping

    def _forget(self, offsets: Sequence[Assignment]) -> None:
        for assignment in offsets:
            assignment.revoked = True
        self._backlog.forget_revoked(asyncio.get_running_loop().time())

    def _shared(self, event: str, offsets: Sequence[Assignment]) -> None:
        """Takes the part of the rate limit that goes with the partitions."""
        self._tell(event, partitions=[assignment.partition for assignment in offsets])
        if self.consumer is None or not self.consumer.partitions:
            return
        owned = [assignment for assignment in tuple(self.consumer.assigned.values()) if not assignment.revoked]
        self._destination.set_share(self._settings.name, len(owned) / self.consumer.partitions)
        if self._guard is not None:
            self._guard.share(owned, self.consumer.partitions)
