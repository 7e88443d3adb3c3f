"""What is sent to one target, in a task of its own: lanes only drop their notices here.

Invariants:
- `take` returns at once and never raises: a target that fails, hangs or refuses disturbs nobody.
- A digest that is not taken is tried again a few times, then given up and logged; what comes meanwhile is
  gathered to few digests, however much it is.
- At the end every digest was taken or is logged: also the one that a target keeps hanging, and those behind it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable

from stream_sync.delivery.notices import Notice
from stream_sync.notify.digest import Digest, Digests
from stream_sync.notify.targets import NotSentError, Target

TRIES = 4
WAIT_SECONDS = 5.0
"""After the first failure; each further one waits four times as long."""
MOST_SECONDS = 60.0
"""For one attempt, whatever the target does."""
CLOSE_SECONDS = 5.0
NO_ANSWER = "no_answer"
STOPPED = "stopped"
"""Why a digest is given up when the process ends: the target has had it and says nothing; it was not tried."""


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
        self._due: deque[Digest] = deque()
        self._closing = asyncio.Event()

    def take(self, activation: str, notice: Notice) -> None:
        """Takes a notice; it is sent when its time has come."""
        if self._closing.is_set():
            return
        self._digests.add(activation, notice)
        self._news.set()
        if self._working is None:
            self._working = asyncio.get_running_loop().create_task(self._work())

    async def close(self) -> None:
        """Sends what waits, within a bounded time."""
        self._closing.set()
        self._news.set()
        if self._working is not None:
            await asyncio.wait((self._working,), timeout=CLOSE_SECONDS)
            self._working.cancel()
            await asyncio.wait((self._working,))
            for digest in (*self._due, *self._digests.due(self._clock(), all_of_them=True)):
                self._gave_up(digest, STOPPED)
        with contextlib.suppress(NotSentError):
            await self._target.close()

    async def _work(self) -> None:
        while True:
            self._news.clear()
            closing = self._closing.is_set()
            self._due.extend(self._digests.due(self._clock(), all_of_them=closing))
            while self._due:
                await self._send(self._due.popleft())
            if closing:
                return
            due = self._digests.next_due()
            with contextlib.suppress(TimeoutError):
                timeout = None if due is None else max(0.0, due - self._clock())
                await asyncio.wait_for(self._news.wait(), timeout)

    async def _send(self, digest: Digest) -> None:
        """Returns when it was taken or given up; cancelled, it says so as well."""
        wait = WAIT_SECONDS
        why = NO_ANSWER
        for attempt in range(TRIES):
            if attempt:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), wait)
                if self._closing.is_set():
                    break
                wait *= 4
            try:
                async with asyncio.timeout(MOST_SECONDS):
                    await self._target.send(digest)
            except TimeoutError:
                why = "timeout"
            except asyncio.CancelledError:
                self._gave_up(digest, why)
                raise
            except NotSentError as error:
                why = str(error)
            except Exception as error:  # noqa: BLE001  a defect here must not end the telling, let alone a lane
                why = type(error).__name__
            else:
                return
        self._gave_up(digest, why)

    def _gave_up(self, digest: Digest, why: str) -> None:
        self._log("notify_failed", target=self._name, activation=digest.activation, code=digest.code, reason=why)
