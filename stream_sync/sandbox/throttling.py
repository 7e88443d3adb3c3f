"""A simulated vendor's rate limit: how many requests a window takes, and the headers that tell of it.

Invariants: pure; times are arguments, in seconds; refused requests do not count.
"""

from __future__ import annotations

import math
from collections import deque
from email.utils import formatdate

from stream_sync.config.values import Rate
from stream_sync.sandbox.faults import Throttling


class Window:
    """The requests of the last `rate.seconds`, whenever they began."""

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self._starts: deque[float] = deque()

    def take(self, now: float) -> bool:
        """Whether one more is allowed."""
        starts, since = self._starts, now - self.rate.seconds
        while starts and starts[0] <= since:
            starts.popleft()
        if len(starts) >= self.rate.count:
            return False
        starts.append(now)
        return True

    def remaining(self) -> int:
        return self.rate.count - len(self._starts)

    def wait(self, now: float) -> float:
        """Seconds until one more is allowed, where none is."""
        return max(0.0, self._starts[0] + self.rate.seconds - now) if self._starts else 0.0


def refusal_headers(form: Throttling, wait: float, epoch: float) -> dict[str, str]:
    """What a 429 says of `wait`, in one of the forms there are. `epoch`: now, since 1970."""
    whole = str(math.ceil(wait))
    match form:
        case "mau":
            return {"X-Ratelimit-Retry-After": whole}
        case "classic":
            return {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(math.ceil(epoch + wait))}
        case "retry_after":
            return {"Retry-After": whole}
        case "retry_date":
            return {"Retry-After": formatdate(math.ceil(epoch + wait), usegmt=True)}
        case "empty":
            return dict.fromkeys(("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"), "")
        case "junk":
            return {"X-Ratelimit-Retry-After": "soon", "Retry-After": "-5", "X-RateLimit-Reset": "9e999"}
        case "none":
            return {}


def budget_headers(window: Window, form: Throttling, now: float, epoch: float) -> dict[str, str]:
    """What an accepted request says of the limit: the window's end as an epoch second, or as seconds left."""
    left = window.wait(now)
    return {
        "X-RateLimit-Limit": str(window.rate.count),
        "X-RateLimit-Remaining": str(window.remaining()),
        "X-RateLimit-Reset": str(math.ceil(epoch + left if form == "classic" else left)),
    }
