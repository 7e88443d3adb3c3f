"""Whether what a call of a sink is about may still be sent, asked when a request's turn has come: while it waited for
the rate limit the process may have stood still, or its partitions may have become another's.

Invariant: kept by task: `give` in the task that calls the sink, `check` in that task or in one that it starts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

_leave: ContextVar[tuple[Callable[[], bool], asyncio.Task[Any] | None]] = ContextVar("leave")


def give(is_given: Callable[[], bool]) -> None:
    """The call of a sink that this task makes may start requests for as long as this says so."""
    _leave.set((is_given, asyncio.current_task()))


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
