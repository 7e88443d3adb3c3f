"""How fast requests may start: the vendor's rate limit, this process's share of it, and the vendor's own waits.

Invariants:
- No closed window of the rate's `seconds` holds more than count x share starts; a changed share does not reopen the
  window, the larger of both shares bounds it.
- Where the share is less than one request a window, the window is stretched: one request each `seconds / (count x
  share)`.
- Nothing starts before a held time is over, whatever the limiter would allow.
- First come, first served. The only home of aiolimiter; time is the running loop's.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from aiolimiter import AsyncLimiter

from stream_sync.config.values import Rate

BURST = 0.02
"""How much of a window's count may start at once. The rest is what flows steadily: more burst, less flow."""
_MARGIN = 1.001
"""Stretches the gap between single requests, so that two of them never share a closed window."""


class Bucket(NamedTuple):
    """A leaky bucket as aiolimiter takes it: `burst` at once, and again each `period` seconds."""

    burst: float
    period: float


def bucket(rate: Rate, share: float = 1.0) -> Bucket:
    """The bucket that lets at most rate.count x share requests start in any closed window of rate.seconds.

    A bucket of b that leaks r a second lets b + r x W through its first window, so r must be (N - b) / W, which is b
    each b x W / (N - b). ValueError for a share outside 0 < share <= 1.
    """
    if not 0 < share <= 1:
        raise ValueError(f"a share is more than 0 and at most 1, not {share}")
    count = rate.count * share
    if count < 2:
        return Bucket(1.0, rate.seconds / min(count, 1.0) * _MARGIN)
    burst = float(max(1, int(count * BURST)))
    return Bucket(burst, burst * rate.seconds / (count - burst))


class Pace:
    """Gives out the starts of requests to one limit of one account; shared by everyone who sends there."""

    def __init__(self, rate: Rate, share: float = 1.0) -> None:
        self._rate = rate
        self._wanted = self._bucket = bucket(rate, share)
        self._limiter = AsyncLimiter(*self._bucket)
        self._turn = asyncio.Lock()
        self._waiting: asyncio.Future[None] | None = None
        self._not_before = float("-inf")

    async def acquire(self) -> None:
        """Returns when one request may start, at once."""
        loop = asyncio.get_running_loop()
        async with self._turn:
            while True:
                if self._not_before > loop.time():
                    await asyncio.sleep(self._not_before - loop.time())
                    continue
                if self._wanted != self._bucket:
                    await self._rebuild()
                if self._limiter.has_capacity():
                    await self._limiter.acquire()
                    return
                await self._wait()
                # A start that a hold or a new share overtook is given up: kept, it would come on top of the next ones.
                if self._waiting is not None and self._not_before <= loop.time() and self._wanted == self._bucket:
                    return

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits for a start."""
        return self._turn.locked()

    def set_share(self, fraction: float) -> None:
        """From now on this process may use `fraction` (more than 0; more than 1 is 1) of the rate."""
        self._wanted = bucket(self._rate, min(fraction, 1.0))
        if self._waiting is not None and self._wanted != self._bucket:
            self._waiting.cancel()

    def hold(self, seconds: float) -> None:
        """Nothing starts for that long; a shorter hold never shortens a longer one."""
        self._not_before = max(self._not_before, asyncio.get_running_loop().time() + seconds)

    async def _wait(self) -> None:
        """Waits for the limiter; `_waiting` is None afterwards if a new share came in between."""
        waiting = self._waiting = asyncio.ensure_future(self._limiter.acquire())
        try:
            await asyncio.wait((waiting,))
        finally:
            waiting.cancel()
        if waiting.cancelled():
            self._waiting = None

    async def _rebuild(self) -> None:
        """A new limiter with no more free room than the old one had."""
        room = _room(self._limiter)
        self._bucket = self._wanted
        self._limiter = AsyncLimiter(*self._bucket)
        await self._limiter.acquire(max(0.0, self._bucket.burst - room))


def _room(limiter: AsyncLimiter) -> float:
    """How much the limiter would let through at once, a little less rather than more. It only answers yes or no."""
    low, high = 0.0, limiter.max_rate
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if limiter.has_capacity(middle) else (low, middle)
    return low
