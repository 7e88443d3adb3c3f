"""How many there are, of people or rows too many to keep: in a place of fixed size.

Invariants: nobody's identifier or key is kept, only hashes of this process.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable

SLOTS = 1 << 22
"""Bytes. With 1,000 people the count is exact but for one time in ten, with 10 million it is 0.1 % off."""
MOST_ROWS = 1_000_000


class Crowd:
    """How many different texts were seen: linear counting (Whang et al., 1990)."""

    def __init__(self) -> None:
        self._seen = bytearray(SLOTS)

    def add(self, ones: Iterable[str]) -> None:
        """Those were seen, again or for the first time."""
        seen, mask = self._seen, SLOTS - 1
        for one in ones:
            seen[hash(one) & mask] = 1

    @property
    def size(self) -> int:
        """About how many."""
        free = self._seen.count(0)
        return round(-SLOTS * math.log(max(1, free) / SLOTS))


class Group:
    """Who is in it now; at most MOST_ROWS are told apart."""

    def __init__(self) -> None:
        self._hashes: set[int] = set()
        self.is_cut = False
        """Whether there were more than can be kept: there are at least so many then."""

    def __bool__(self) -> bool:
        return bool(self._hashes)

    def __len__(self) -> int:
        return len(self._hashes)

    def enter(self, one: Hashable) -> None:
        """It is in the group now."""
        if len(self._hashes) < MOST_ROWS:
            self._hashes.add(hash(one))
        elif hash(one) not in self._hashes:
            self.is_cut = True

    def leave(self, one: Hashable) -> None:
        """It is not."""
        self._hashes.discard(hash(one))
