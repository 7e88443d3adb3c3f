"""When the next request to a destination may start: how many at once, how long after a failure, what the vendor asked.

One gate is shared by all lanes of a destination.

Invariants:
- After a failure one request at a time goes out, each after a longer wait, until one succeeds.
- The wait is exponential with full jitter and capped; the vendor's own wait always holds where it is longer. One that
  is none (not positive, not finite) is not believed, nor is what goes beyond a day.
- Being throttled is not a failure: it uses up no attempt and lengthens no backoff.
- Pure: time and randomness are arguments.
"""

from __future__ import annotations

import math
from collections.abc import Callable

BASE = 0.5
CAP = 60.0
MOST_DOUBLINGS = 10
THROTTLE_DEFAULT = 5.0
LONGEST_WAIT = 86_400.0
"""Seconds; whatever a sink read, it is asked again after a day."""


def backoff(failures: int, random: Callable[[], float]) -> float:
    """Seconds to wait after so many failures in a row (1 = the first): uniform in [0, min(CAP, BASE·2^(n-1))]."""
    return random() * min(CAP, BASE * 2.0 ** min(failures - 1, MOST_DOUBLINGS))


class Gate:
    """The state of one destination as seen from this process."""

    def __init__(self, in_flight: int, random: Callable[[], float]) -> None:
        self._most = in_flight
        self._random = random
        self._not_before = 0.0
        self._failures = 0
        self._probing = False
        self.in_flight = 0
        self.successes = 0
        """Answers so far that were not failures: whether others succeed."""

    @property
    def down(self) -> bool:
        """True while only probing, one request at a time."""
        return self._failures > 0

    @property
    def throttled_until(self) -> float:
        """No request starts before (monotonic seconds)."""
        return self._not_before

    def may_start(self, now: float) -> bool:
        """Whether a request may start now."""
        most = 1 if self.down else self._most
        return self.in_flight < most and now >= self._not_before

    def start(self) -> None:
        """A request starts."""
        self.in_flight += 1
        self._probing = self.down

    def succeeded(self) -> None:
        """The destination answered; what it made of the people is another matter."""
        self.in_flight -= 1
        self._failures = 0
        self.successes += 1

    def failed(self, now: float, after: float | None) -> None:
        """The destination did not take the request; `after` is the wait that it asked for."""
        self.in_flight -= 1
        if self._probing or not self.down:  # what was under way together fails together: that is one failure
            self._failures += 1
        self.defer(now + max(_believed(after) or 0.0, backoff(self._failures, self._random)))

    def throttled(self, now: float, after: float | None) -> None:
        """The vendor wants fewer requests."""
        self.in_flight -= 1
        self.defer(now + (_believed(after) or THROTTLE_DEFAULT))

    def dropped(self) -> None:
        """The request was cancelled: nothing is known."""
        self.in_flight -= 1

    def defer(self, until: float) -> None:
        """Nothing starts before `until`."""
        self._not_before = max(self._not_before, until)


def _believed(after: float | None) -> float | None:
    """The seconds that a sink read somewhere, where they are a wait."""
    return min(after, LONGEST_WAIT) if after is not None and math.isfinite(after) and after > 0 else None
