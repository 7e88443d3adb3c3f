"""Errors, named for what the caller must do.

    StreamSyncError
    ├── HaltError      the lane stops sending until a person acts; its offsets stay
    └── FatalError     the process ends: only a restart can help

What a single record does wrong is a value (`Undecodable`, `Refused`), not an error.
"""

from __future__ import annotations


class StreamSyncError(Exception):
    """The root. Every message ends with what the operator can do."""


class HaltError(StreamSyncError):
    """`reason` is of a closed set (`types_missing`, `offset_lost` …); the message explains it."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class FatalError(StreamSyncError):
    """The process cannot go on."""
