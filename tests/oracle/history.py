"""What the source held, change by change: the truth that a destination is compared with.

Invariants:
- A version is a number that no two changes share and that grows with each: it stands in the row's column `version`,
  so a value at the destination tells how old it is.
- A person's states are in the order of the source's commits.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any, NamedTuple

VERSION = "version"
"""The column, and the attribute at the destination."""

Row = Mapping[str, Any]


class State(NamedTuple):
    """A person from one change on. `row`: None = left; `at`: monotonic seconds, before the record was written."""

    version: int
    at: float
    row: Row | None
    partition: int | None = None
    """Of the source topic; None where the test has one session at a time."""


class History:
    """The states of every person there ever was."""

    def __init__(self) -> None:
        self._states: dict[str, list[State]] = {}

    def add(self, person: str, state: State) -> None:
        """A further state of a person."""
        self._states.setdefault(person, []).append(state)

    def at_version(self, person: str, version: int) -> State | None:
        """The state that a change made, None where no change of this person has that version."""
        states = self._states.get(person, [])
        place = bisect_right(states, version, key=lambda state: state.version)
        found = states[place - 1] if place else None
        return found if found is not None and found.version == version else None

    def left_before(self, person: str, at: float) -> State | None:
        """The newest change by which the person left and that was made before `at`."""
        states = (state for state in reversed(self._states.get(person, ())) if state.at <= at)
        return next((state for state in states if state.row is None), None)

    def partition(self, person: str) -> int | None:
        """Of the source topic, where the person's changes are."""
        states = self._states.get(person)
        return states[0].partition if states else None

    def last(self) -> dict[str, State]:
        """Everybody as the last change left them."""
        return {person: states[-1] for person, states in self._states.items()}
