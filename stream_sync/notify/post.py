"""What is sent to one target, in a task of its own: lanes only drop their notices here.

Invariants:
- `take` returns at once and never raises: a target that fails, hangs or refuses disturbs nobody.
- A digest that is not taken is tried again a few times, then given up and logged; nothing piles up meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from stream_sync.delivery.notices import Notice
from stream_sync.notify.digest import Digest, Digests
from stream_sync.notify.targets import NotSentError, Target

TRIES = 4
WAIT_SECONDS = 5.0
"""After the first failure; each further one waits four times as long."""
MOST_SECONDS = 60.0
"""For one attempt, whatever the target does."""
MOST_NOTICES = 1_000
CLOSE_SECONDS = 5.0


class Post:
    """Of one target. Used inside one running event loop."""

    def __init__(
        self, name: str, target: Target, period: float, log: Callable[..., None], clock: Callable[[], float]
    ) -> None:
        """`period`: seconds, see `Digests`; `clock`: seconds since the epoch."""
        self._name = name
        self._target = target
        self._digests = Digests(period)
        self._log = log
        self._clock = clock
        self._news = asyncio.Event()
        self._working: asyncio.Task[None] | None = None
        self._closing = False
        self._taken = 0

    def take(self, activation: str, notice: Notice) -> None:
        """Takes a notice; it is sent when its time has come."""
        if self._closing or self._taken >= MOST_NOTICES:
            return
        self._taken += 1
        self._digests.add(activation, notice)
        self._news.set()
        if self._working is None:
            self._working = asyncio.get_running_loop().create_task(self._work())

    async def close(self) -> None:
        """Sends what waits, within a bounded time."""
        self._closing = True
        self._news.set()
        if self._working is not None:
            await asyncio.wait((self._working,), timeout=CLOSE_SECONDS)
            self._working.cancel()
            await asyncio.wait((self._working,))
        with contextlib.suppress(NotSentError):
            await self._target.close()

    async def _work(self) -> None:
        while True:
            self._news.clear()
            self._taken = 0
            closing = self._closing
            for digest in self._digests.due(self._clock(), all_of_them=closing):
                await self._send(digest)
            if closing:
                return
            due = self._digests.next_due()
            with contextlib.suppress(TimeoutError):
                timeout = None if due is None else max(0.0, due - self._clock())
                await asyncio.wait_for(self._news.wait(), timeout)

    async def _send(self, digest: Digest) -> None:
        wait = WAIT_SECONDS
        why = ""
        for attempt in range(TRIES):
            if attempt:
                if self._closing:
                    break
                await asyncio.sleep(wait)
                wait *= 4
            try:
                async with asyncio.timeout(MOST_SECONDS):
                    await self._target.send(digest)
            except TimeoutError:
                why = "timeout"
            except NotSentError as error:
                why = str(error)
            except Exception as error:  # noqa: BLE001  a defect here must not end the telling, let alone a lane
                why = type(error).__name__
            else:
                return
        self._log("notify_failed", target=self._name, activation=digest.activation, code=digest.code, reason=why)
