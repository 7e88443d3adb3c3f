"""The people of one destination who may not be in a further request now: in flight, or in their pause after one.

One object is shared by all lanes of a destination: a person is never in two requests of this process at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

Released = Callable[[Collection[str]], None]


class People:
    """Who is busy, by identifier."""

    def __init__(self) -> None:
        self.busy: set[str] = set()
        self._listeners: list[Released] = []

    def listen(self, released: Released) -> None:
        """`released(identifiers)` is called whenever people become free."""
        self._listeners.append(released)

    def forget(self, released: Released) -> None:
        """`released` is not called any more."""
        self._listeners.remove(released)

    def occupy(self, identifiers: Collection[str]) -> None:
        """These are in a request from now on."""
        self.busy.update(identifiers)

    def release(self, identifiers: Collection[str]) -> None:
        """These may be in a request again."""
        self.busy.difference_update(identifiers)
        for released in self._listeners:
            released(identifiers)
