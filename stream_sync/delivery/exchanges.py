"""Which requests a call of a sink made, and what came back: for whoever tells of an outcome afterwards.

Invariants:
- Kept by task: `begin` in the task that calls the sink, `note` in that task or in one that it starts.
- An exchange is an endpoint's name and a status or the word for a failure, as metrics have them: nothing of a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar

MOST = 20
"""Of one call: a batch that is halved again and again makes a few more."""

Exchange = tuple[str, str]
"""Endpoint, and status or reason."""

_made: ContextVar[list[Exchange]] = ContextVar("exchanges")


def begin() -> list[Exchange]:
    """A call of a sink begins; what it will have made."""
    made: list[Exchange] = []
    _made.set(made)
    return made


def note(endpoint: str, result: str) -> None:
    """An exchange ended. Of more than MOST the last ones are kept."""
    made = _made.get(None)
    if made is not None:
        made.append((endpoint, result))
        if len(made) > MOST:
            del made[0]


def of_call() -> Sequence[Exchange]:
    """Those of the call that this task is about."""
    return _made.get(())
