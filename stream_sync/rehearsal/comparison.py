"""Whom an edited activation has in its segment and the one before it had not, and the other way round.

Invariants:
- Rows as they are at the end of the history: of each its newest record counts.
- A row about which either config cannot decide counts for neither.
- Memory is bounded: hashes of keys, at most so many.
"""

from __future__ import annotations

from collections.abc import Sequence

from stream_sync.model import Change, Decision, Intent, Nothing, Unseen
from stream_sync.rehearsal.crowds import Group


class Comparison:
    """An activation as it is and as it would be."""

    def __init__(self, new: object, old: object) -> None:
        """The sides, as whoever hands their decisions in tells them apart."""
        self.new = new
        self.old = old
        self.leave = Group()
        """Rows that the old one has in its segment, and the new one has not."""
        self.enter = Group()

    def take(self, changes: Sequence[Change], new: Sequence[Decision], old: Sequence[Decision]) -> None:
        """Takes both decisions about these changes in; where one of the sides halted, what it still decided."""
        leave, enter = self.leave, self.enter
        for change, now, before in zip(changes, new, old, strict=False):
            is_in, was_in = _is_in(change, now), _is_in(change, before)
            if is_in is not was_in and is_in is not None and was_in is not None:
                row = change.record.partition(), change.record.key()
                (enter if is_in else leave).enter(row)
                (leave if is_in else enter).leave(row)
            elif leave or enter:
                row = change.record.partition(), change.record.key()
                leave.leave(row)
                enter.leave(row)


def _is_in(change: Change, decision: Decision) -> bool | None:
    """Whether the row is in the segment after the change; None where that cannot be known."""
    if decision.__class__ is Intent:
        return decision.kind != "delete"
    if change.after is None or decision.__class__ is Unseen:
        return False
    if isinstance(decision, tuple):
        return True
    if isinstance(decision, Nothing):
        return None if decision.reason == "unknown" else decision.reason == "unchanged"
    return None
