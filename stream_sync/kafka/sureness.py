"""How sure a member of a group is that its partitions are its own: who was not heard of for long may have lost them
and not know it yet.

Invariants:
- librdkafka gives partitions up by itself when the coordinator was silent for a session, but only while no rebalance is
  under way (`rd_kafka_cgrp_serve` asks for join state "steady"). So a commit has to prove it: the broker takes one of
  members only, of the present generation.
- After a gap longer than `patience` between two polls only a commit sent since then counts, and until it is taken the
  member is not sure. An answer that was waiting to be read is as old as the gap.
- Without a gap the member is sure for another `patience` after the first commit that has no good answer; one that the
  broker refuses since it is no member ends that at once.
- Where the last answer was not good something is committed, be it the same again: no doubt without a question. Who is
  in no doubt asks nothing: a commit that comes while a topic is being deleted is tried again by librdkafka, and would
  count for the next topic of that name.
- Pure: time is an argument, in monotonic seconds.
"""

from __future__ import annotations

from collections import deque

AGAIN_SECONDS = 1.0
"""Between two commits that are to end a doubt."""
_NOT_SINCE_EVER = float("-inf")


class Sureness:
    """That of one member."""

    def __init__(self, now: float, patience: float) -> None:
        """`patience`: seconds; half of the session's time-out, so that both together are no longer than it."""
        self._patience = patience
        self.anew(now)

    def anew(self, now: float) -> None:
        """It has no partitions, and asked nothing."""
        self.polled_at = now
        """The last poll."""
        self._doubtful_since: float | None = None
        self._asked_at = now
        self._open: deque[float] = deque()
        """When the commits without an answer were sent."""
        self._stale = 0
        """The next so many answers say nothing of now."""

    @property
    def sure_at(self) -> float:
        """When it was last sure."""
        since = self._doubtful_since  # once: another thread sets it
        return self.polled_at if since is None else min(self.polled_at, since + self._patience)

    def needs_proof(self, now: float) -> bool:
        """Whether a commit is to be sent although there may be nothing new to commit."""
        if self._doubtful_since is None or len(self._open) > self._stale:
            return False
        return now - self._asked_at >= AGAIN_SECONDS

    def polled(self, now: float) -> None:
        """It polls."""
        if now - self.polled_at > self._patience:
            self._doubtful_since = _NOT_SINCE_EVER
            self._stale = len(self._open)
        self.polled_at = now

    def owns_nothing(self) -> None:
        """There is nothing to be sure of."""
        self._doubtful_since = None

    def asked(self, now: float) -> None:
        """A commit is sent."""
        self._open.append(now)
        self._asked_at = now
        if self._doubtful_since is None:
            self._doubtful_since = now

    def answered(self, *, is_taken: bool, is_member: bool = True) -> None:
        """A commit has its answer: for the oldest one, as far as can be told. `is_member` False: the broker says that
        it is none."""
        if not self._open:
            return
        self._open.popleft()
        if self._stale:
            self._stale -= 1
        elif is_taken:
            self._doubtful_since = self._open[0] if self._open else None
        elif not is_member:
            self._doubtful_since = _NOT_SINCE_EVER
