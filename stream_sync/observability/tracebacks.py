"""An exception as text for a log: where it came from and of which type, but not what it says.

Invariants:
- A message of somebody else's exception may hold a row's value (`KeyError: 'ann@…'`): it is left out. What our own
  errors and the operating system say holds none.
- No local variables; causes, contexts and groups are followed, each exception once.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from typing import Any

from stream_sync.errors import StreamSyncError

SAYS_NO_DATA = (StreamSyncError, AttributeError, NameError, ImportError, RecursionError, MemoryError)
"""Whose messages are made of code's names, or are our own words."""
CLIENTS_OWN = "KafkaException"
"""Says what the broker or the client says: codes and addresses. By name: its library has another home."""


def text_of(error: BaseException) -> str:
    """The exception with its traceback, after those that led to it."""
    return "".join(_lines(error, set())).rstrip()


def _lines(error: BaseException, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    before: Any = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and id(before) not in seen:
        yield from _lines(before, seen)
        yield "\nwhich led to:\n\n"
    yield "Traceback (most recent call last):\n"
    yield from traceback.format_tb(error.__traceback__)
    yield f"{type(error).__module__}.{type(error).__qualname__}{_said(error)}\n"
    if isinstance(error, BaseExceptionGroup):
        for number, each in enumerate(error.exceptions, 1):
            if id(each) not in seen:
                yield f"\n{number} of {len(error.exceptions)} in it:\n\n"
                yield from _lines(each, seen)


def _said(error: BaseException) -> str:
    if isinstance(error, OSError):
        return f": [Errno {error.errno}] {error.strerror}" if error.strerror else ""
    return f": {error}" if isinstance(error, SAYS_NO_DATA) or type(error).__name__ == CLIENTS_OWN else ""
