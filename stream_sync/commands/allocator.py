"""How memory is taken from the system: told once, before the first thread starts."""

from __future__ import annotations

import contextlib
import ctypes

M_ARENA_MAX = -8
"""Of glibc's malloc.h."""
MOST_ARENAS = 2


def tune() -> None:
    """Each of Kafka's threads would keep an arena of malloc's for itself: a fifth more memory with three lanes. glibc
    only; elsewhere there is no `mallopt`, and nothing is done."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, MOST_ARENAS)
