"""Whether what a call of a sink is about may still be sent, asked when a request's turn has come: while it waited for
the rate limit the process may have stood still, or its partitions may have become another's.

Invariant: kept by task: `given` in the task that calls the sink, `check` in that task or in one that it starts.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any


class _Leave:
    """What one call of a sink was given. Timers and sockets copy a task's variables, and live longer than it: what was
    sent must not hang on them, so it is emptied where the call ends."""

    __slots__ = ("call", "is_given")

    def __init__(self, is_given: Callable[[], bool], call: asyncio.Task[Any] | None) -> None:
        self.is_given = is_given
        self.call = call


_leave: ContextVar[_Leave | None] = ContextVar("leave", default=None)


@contextlib.contextmanager
def given(is_given: Callable[[], bool]) -> Iterator[None]:
    """The call of a sink that this task makes within may start requests for as long as this says so."""
    mine = _Leave(is_given, asyncio.current_task())
    token = _leave.set(mine)
    try:
        yield
    finally:
        _leave.reset(token)
        mine.is_given, mine.call = _never, None


def check() -> None:
    """Before a request starts: raises CancelledError where it may not any more, and cancels the whole call. Whoever was
    never given a leave needs none."""
    leave = _leave.get()
    if leave is None or leave.is_given():
        return
    if leave.call is not None:
        leave.call.cancel()
    raise asyncio.CancelledError("what it is about may not be sent any more")


def _never() -> bool:
    """A call that ended makes no more requests."""
    return False
