"""What the lanes of one destination share: the account's sink, its gate, its people in flight.

Invariant: whoever changes what another lane may wait for (a free place, a free person) wakes all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from stream_sync.delivery.pacing import Gate
from stream_sync.delivery.people import People
from stream_sync.observability.metrics import DestinationMetrics
from stream_sync.sinks.base import Sink


class Destination:
    """One account at a vendor, as this process uses it."""

    def __init__(self, name: str, sink: Sink, metrics: DestinationMetrics, random: Callable[[], float]) -> None:
        self.name = name
        self.sink = sink
        self.metrics = metrics
        self.gate = Gate(sink.limits.in_flight, random)
        self.people = People()
        self._shares: dict[str, float] = {}
        self._wakers: list[Callable[[], None]] = []

    def join(self, wake: Callable[[], None], released: Callable[[Collection[str]], None]) -> None:
        """A lane joins: `wake` is called when a request may start, `released` when people become free."""
        self._wakers.append(wake)
        self.people.listen(released)

    def leave(self, wake: Callable[[], None], released: Callable[[Collection[str]], None]) -> None:
        """What joined goes, when nothing of it is in flight any more."""
        self._wakers.remove(wake)
        self.people.forget(released)

    def wake(self) -> None:
        """Lets every lane look whether it may send."""
        for wake in self._wakers:
            wake()

    def set_share(self, lane: str, fraction: float) -> None:
        """The part of a lane's partitions that this process owns; the destination's limit is shared by their mean."""
        self._shares[lane] = fraction
        owned = [share for share in self._shares.values() if share > 0]
        if owned:
            self.sink.set_share(sum(owned) / len(self._shares))
