"""Ports of 127.0.0.1 for programs that must be told one before they start."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Iterator

_DICE = random.SystemRandom()
"""Nobody's seed: hypothesis and others set that of `random`, and then every process would choose the same ports."""
_GIVEN: set[int] = set()


def free_port() -> int:
    """One that nobody uses, below those that Linux gives to outgoing connections (32768 and above): one of these may be
    somebody's before its program has it, or while that one is down. No port is given twice by one process."""
    while True:
        port = _DICE.randrange(12_000, 32_000)
        with socket.socket() as attempt, contextlib.suppress(OSError):
            attempt.bind(("127.0.0.1", port))
            if port not in _GIVEN:
                _GIVEN.add(port)
                return port


@contextlib.contextmanager
def refusing_port() -> Iterator[int]:
    """One that refuses every connection while the block lasts: it is taken, and nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        yield port
