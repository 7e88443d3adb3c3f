"""An event loop whose clock jumps to the next timer: hours of waiting pass in milliseconds.

Invariants:
- The clock jumps only when nothing else can happen: no callback is due and no socket is ready.
- A loop in which everything waits for nothing ends with an error instead of hanging.
"""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

Result = TypeVar("Result")
Parameters = ParamSpec("Parameters")

GRACE = 0.002
"""Real seconds in which a socket of this machine hears what was sent to it."""
_LONG_GRACE = 1.0
"""The same, before it is said that nothing can ever happen."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """`time()` starts at 0. A turn of the loop takes a nanosecond, or as long as it would have slept."""

    def __init__(self, grace: float = 0.0) -> None:
        """`grace`: real seconds to wait for sockets before the clock jumps."""
        super().__init__(_JumpingSelector(self, grace))
        self.now = 0.0

    def time(self) -> float:
        return self.now


class _JumpingSelector(selectors.SelectSelector):
    def __init__(self, loop: VirtualTimeLoop, grace: float) -> None:
        super().__init__()
        self._loop = loop
        self._grace = grace

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and self._grace and timeout != 0:
            ready = super().select(self._grace if timeout is not None else _LONG_GRACE)
        if timeout is None and not ready:
            raise RuntimeError("everything waits, and for nothing")
        self._loop.now += max(timeout or 0.0, 1e-9) if not ready else 1e-9
        return ready


def run(main: Coroutine[Any, Any, Result], grace: float = 0.0) -> Result:
    """`asyncio.run` in virtual time."""
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(grace)) as runner:
        return runner.run(main)


def in_virtual_time(test: Callable[Parameters, Coroutine[Any, Any, None]]) -> Callable[Parameters, None]:
    """A test that is a coroutine, as one that is not: it runs in virtual time, with real sockets."""

    @functools.wraps(test)
    def runs(*args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
        run(test(*args, **kwargs), GRACE)

    return runs
