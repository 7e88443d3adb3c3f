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

_leave: ContextVar[tuple[Callable[[], bool], asyncio.Task[Any] | None]] = ContextVar("leave")


@contextlib.contextmanager
def given(is_given: Callable[[], bool]) -> Iterator[None]:
    """The call of a sink that this task makes within may start requests for as long as this says so."""
    token = _leave.set((is_given, asyncio.current_task()))
    try:
        yield
    finally:  # a task that kept it would keep itself, with all that it sent, until the garbage collector comes
        _leave.reset(token)


def check() -> None:
    """Before a request starts: raises CancelledError where it may not any more, and cancels the whole call. Whoever was
    never given a leave needs none."""
    is_given, call = _leave.get((_always, None))
    if is_given():
        return
    if call is not None:
        call.cancel()
    raise asyncio.CancelledError("what it is about may not be sent any more")


def _always() -> bool:
    return True
