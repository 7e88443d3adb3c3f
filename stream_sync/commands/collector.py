"""How a process that holds many small objects, all without cycles, collects garbage."""

from __future__ import annotations

import gc


def tune() -> None:
    """What there is now is never looked at again, what comes is seldom: looking through it again and again is a fifth
    of the CPU."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
