"""The latest changes and what became of them, for whoever looks on.

Invariants:
- The lanes tell nothing while nobody looks: they are asked to begin when somebody does, and to end LOOK_SECONDS after
  the last look. Nothing is kept before and afterwards.
- At most MOST_A_SECOND of all are kept a second, the rest is only counted; the latest MOST_KEPT are remembered.
- A person is a mask and names stand without their values: see `views.Seen`.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections import deque
from collections.abc import Callable
from itertools import islice

from stream_sync.admin import views
from stream_sync.admin.letters import Mask
from stream_sync.delivery.ports import Journal, Settled

LOOK_SECONDS = 15.0
MOST_A_SECOND = 40
MOST_KEPT = 200
MOST_NAMES = 12

Watch = Callable[[Callable[[str], Journal] | None], None]
"""Asks all lanes to tell the journal that is made for each activation; None = no longer."""


class Changes:
    """The ring, shared by all lanes. Used from the event loop."""

    def __init__(self, watch: Watch, mask: Mask) -> None:
        self._watch = watch
        self._mask = mask
        self._kept: deque[views.Seen] = deque(maxlen=MOST_KEPT)
        self._number = 0
        self._missed = 0
        self._left = MOST_A_SECOND
        self._looked_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def look(self, after: int) -> views.Changes:
        """What came after the number that the last look gave; from now on the lanes tell."""
        self._looked_at = time.monotonic()
        if self._timer is None:
            self._watch(lambda activation: _Journal(self, activation))
            self._tick()
        found = [seen for seen in reversed(self._kept) if seen.number > after]
        return views.Changes(found, self._missed, self._number)

    def close(self) -> None:
        """The lanes tell nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._watch(None)
            self._kept.clear()
            self._missed = 0

    def add(self, activation: str, settled: Settled) -> None:
        """One intent was settled."""
        if self._left <= 0:
            self._missed += 1
            return
        self._left -= 1
        self._number += 1
        self._kept.append(self._seen(activation, settled))

    def _tick(self) -> None:
        self._left = MOST_A_SECOND
        if time.monotonic() - self._looked_at > LOOK_SECONDS:
            self.close()
        else:
            self._timer = asyncio.get_running_loop().call_later(1.0, self._tick)

    def _seen(self, activation: str, settled: Settled) -> views.Seen:
        record, intent, now = settled.record, settled.intent, time.time()
        names = [] if intent is None or intent.kind == "delete" else [*islice(intent.known, MOST_NAMES)]
        at_ms = record.timestamp()[1]
        return views.Seen(
            number=self._number,
            at=dt.datetime.fromtimestamp(now, dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            activation=activation,
            kind=None if intent is None else intent.kind,
            person="" if intent is None else self._mask(intent.identified_by.encode(), _bytes(intent.identifier)),
            names=names,
            more_names=0 if intent is None or not names else len(intent.known) - len(names),
            records=len(settled.offsets),
            partition=record.partition() or 0,
            offset=record.offset() or 0,
            seconds=max(0.0, round(now - at_ms / 1000, 3)) if at_ms > 0 else None,
            outcome=settled.outcome,
            code=settled.code,
        )


class _Journal:
    """What one lane tells; see `delivery.ports.Journal`."""

    def __init__(self, changes: Changes, activation: str) -> None:
        self._changes = changes
        self._activation = activation

    def tell(self, settled: Settled) -> None:
        """See `delivery.ports.Journal`."""
        self._changes.add(self._activation, settled)


def _bytes(identifier: str) -> bytes:
    return identifier.encode(errors="surrogatepass")
