"""How long to leave Crisp alone after it asked for fewer requests; it does not say for how long.

Crisp's guide names two limits, a rate that is not disclosed and a daily quota, and no header tells them apart: only
time does. Invariants:
- Pure: times are arguments, in seconds of one clock that never goes back.
- Waits grow while Crisp goes on refusing; after SPENT_AFTER seconds without one request taken, the quota of the day is
  spent, and it is asked again each PROBE_EVERY seconds.
- A longer wait that Crisp itself asks for holds.
"""

from __future__ import annotations

from stream_sync.model import Throttled

SPENT_AFTER = 300.0
PROBE_EVERY = 900.0
FIRST_WAIT = 5.0
LONGEST_WAIT = 60.0


class Quota:
    """What this process knows of one account's limits."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._until = 0.0

    @property
    def is_refusing(self) -> bool:
        """Whether the last that Crisp said is to wait."""
        return self._since is not None

    def taken(self, now: float) -> None:
        """Crisp looked at a request. During a wait it is one from before, and says nothing of it."""
        if now >= self._until:
            self._since = None

    def refused(self, now: float, asked: float | None) -> Throttled:
        """Crisp refused a request; `asked`: the seconds that it asked for, if it did."""
        if self._since is None or now > self._until + LONGEST_WAIT:  # nobody asked for a while: nothing is known of it
            self._since = now
        lasted = now - self._since
        wait = PROBE_EVERY if lasted >= SPENT_AFTER else min(max(lasted, FIRST_WAIT), LONGEST_WAIT)
        self._until = max(self._until, now + max(wait, asked or 0.0))
        return self._throttled(now)

    def still_refused(self, now: float) -> Throttled | None:
        """Why no request should be made now."""
        return self._throttled(now) if self.is_refusing and now < self._until else None

    def _throttled(self, now: float) -> Throttled:
        is_spent = self._since is not None and now - self._since >= SPENT_AFTER
        return Throttled("quota_spent" if is_spent else "rate_limited", self._until - now)
