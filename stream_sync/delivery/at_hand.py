"""Which record a lane is taking in right now: asked for when something is said of it, so that nothing is kept for each
record."""

from __future__ import annotations

from stream_sync.delivery.intake import Intake
from stream_sync.model import Record


class TellingIntake(Intake):
    """An intake that knows the record at hand."""

    taking = False

    def go_on(self, now: float) -> None:
        """See `Intake.go_on`."""
        self.taking = True
        try:
            super().go_on(now)
        finally:
            self.taking = False

    def record_at_hand(self) -> Record | None:
        """The record that is being decoded or routed; None while none is."""
        if not self.taking or not self._left:
            return None
        match self._left[0][1].__reduce__():
            case _, (list(records),), int(following) if 0 < following <= len(records):
                found: Record = records[following - 1]
                return found
        return None
