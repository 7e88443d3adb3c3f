"""Errors, named for what the caller must do.

    StreamSyncError
    ├── WaitError      the lane waits, then goes on with the very same record
    ├── HaltError      the lane stops sending until a person acts; its offsets stay
    ├── StateAwayError the lane sends nothing until the last-delivered state is there again
    └── FatalError     the process ends: only a restart can help

What a single record does wrong is a value (`Undecodable`, `Refused`), not an error.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

FAULTS = (ValueError, ArithmeticError, TypeError, LookupError, RecursionError, MemoryError)
"""What code may raise over the values of one row; the messages may hold them."""


class StreamSyncError(Exception):
    """The root. Every message ends with what the operator can do."""


class WaitError(StreamSyncError):
    """Something that a record needs is not here yet."""

    def __init__(self, message: str, ready: Callable[[], Awaitable[None]]) -> None:
        """`ready` gets what is needed, as long as it takes; it raises HaltError where only a person can help."""
        super().__init__(message)
        self.ready = ready


class HaltError(StreamSyncError):
    """`reason` is of a closed set (`types_missing`, `offset_lost` …); the message explains it."""

    def __init__(self, reason: str, message: str, *, curable: bool = False) -> None:
        """`curable`: it can pass without a restart, so that the lane tries again now and then."""
        super().__init__(message)
        self.reason = reason
        self.curable = curable


class FatalError(StreamSyncError):
    """The process cannot go on."""


class StateAwayError(StreamSyncError):
    """The last-delivered state cannot be reached: nothing is sent meanwhile."""
