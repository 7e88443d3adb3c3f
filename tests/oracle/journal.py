"""Every request that reached the oracle: whose it was, when it came and ended, and what of it was taken.

Times are monotonic seconds of this machine. A request whose sender went away has ended when its connection did.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

ANY = -1
"""Instead of a partition's number."""


@dataclass(slots=True)
class Entry:
    """One request. `taken`: the objects (`/users/track`) or identifiers (`/users/delete`) that were applied, which was
    on arrival."""

    seq: int
    who: str
    """The sender, by its API key."""
    path: str
    people: Sequence[str]
    rows: Sequence[Any]
    arrived: float
    answered: float | None = None
    status: int | None = None
    """None = no answer was given."""
    taken: Sequence[Any] = ()

    @property
    def done(self) -> bool:
        """Whether anything of it was applied."""
        return bool(self.taken)


class Overlap(NamedTuple):
    """A person who was in the requests `first` and `second` of one sender at the same time."""

    person: str
    first: Entry
    second: Entry


@dataclass(slots=True)
class Journal:
    """All requests with people in them, in the order of arrival, and what was wrong with any request."""

    entries: list[Entry] = field(default_factory=list)
    malformed: list[str] = field(default_factory=list)
    """What no client of Braze may ask, a line each."""
    _began: dict[tuple[str, int | None], list[float]] = field(default_factory=dict)
    """By sender and partition; under None those of all partitions."""

    def begin(self, who: str, path: str, people: Sequence[str], rows: Sequence[Any], now: float) -> Entry:
        entry = Entry(len(self.entries), who, path, people, rows, now)
        self.entries.append(entry)
        return entry

    def session(self, who: str, at: float, partition: int | None = None) -> None:
        """A sender begins to own a partition (None: all there are), so it may repeat what was not committed."""
        insort(self._began.setdefault((who, partition), []), at)
        if partition is not None:
            insort(self._began.setdefault((who, ANY), []), at)

    def began(self, who: str, partition: int | None, at: float) -> float:
        """When the session began of which a request that arrived at `at` is; -inf where it was never told. `partition`
        None: where it is not known, it is the latest of any."""
        latest = float("-inf")
        for part in (ANY if partition is None else partition, None):
            times = self._began.get((who, part), [])
            if place := bisect_right(times, at):
                latest = max(latest, times[place - 1])
        return latest

    @property
    def overlaps(self) -> list[Overlap]:
        """Of one sender."""
        return [overlap for overlap in self.crossings if overlap.first.who == overlap.second.who]

    @property
    def crossings(self) -> list[Overlap]:
        """Of one sender, or of two."""
        found: list[Overlap] = []
        under_way: dict[str, list[Entry]] = {}
        for entry in self.entries:
            for person in entry.people:
                earlier = [one for one in under_way.get(person, ()) if (one.answered or entry.arrived) >= entry.arrived]
                earlier = [one for one in earlier if one.answered is None or one.answered > entry.arrived]
                found += [Overlap(person, one, entry) for one in earlier]
                under_way[person] = [*earlier, entry]
        return found

    def gap(self) -> float | None:
        """The shortest time, in seconds, from a person's answer to that person's next request."""
        last: dict[str, float] = {}
        gaps: list[float] = []
        for entry in self.entries:
            for person in entry.people:
                if person in last:
                    gaps.append(entry.arrived - last[person])
                if entry.answered is not None:
                    last[person] = entry.answered
        return min(gaps, default=None)

    def most_in(self, seconds: float, path: str = "/users/track") -> int:
        """The most requests that any window of so many seconds held."""
        arrived = [entry.arrived for entry in self.entries if entry.path == path]
        return max((place - bisect_right(arrived, at - seconds) + 1 for place, at in enumerate(arrived)), default=0)
