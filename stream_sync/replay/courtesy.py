"""How much of the rate limit is left to the lanes: all that they want.

What a lane of another process takes is not known here, but a vendor that throttles says that both together take too
much. Whoever can wait gives way then: half its share at each throttled answer, and a little back at each other one.

Invariants: never more than the share that it has, never less than a part LEAST of it. Pure.
"""

from __future__ import annotations

from collections.abc import Callable

LEAST = 1 / 32
BACK = 1.1
NOTICEABLE = 1.05
"""A smaller change of the share is not worth telling."""


class Courtesy:
    """The share of one who can wait."""

    def __init__(self, share: float, set_share: Callable[[float], None]) -> None:
        """`share`: of the account's rate limit, 0 < share <= 1; `set_share` is told of every change."""
        self._most = share
        self._now = self._told = share
        self._set_share = set_share
        set_share(share)

    def answered(self, *, throttled: bool) -> None:
        """The destination answered a request."""
        self._now = max(self._now / 2, self._most * LEAST) if throttled else min(self._now * BACK, self._most)
        ratio = self._now / self._told
        if not 1 / NOTICEABLE < ratio < NOTICEABLE or (self._now == self._most != self._told):
            self._told = self._now
            self._set_share(self._now)
