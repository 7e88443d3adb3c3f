"""One simulated account: its people, what was asked of it, and in which order.

Invariants:
- `people` holds what the vendor would hold, under the identifier that the vendor looks up by.
- The journal, where it is kept, has every request in the order of arrival and notices when one person is in two
  requests at once.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from stream_sync.config.values import Rate
from stream_sync.sandbox.faults import NONE, Dice, Faults
from stream_sync.sandbox.throttling import Window

LOG_LENGTH = 200


class Asked(msgspec.Struct):
    """One request, as the log shows it. `at` in seconds since the epoch."""

    at: float
    method: str
    path: str
    people: int
    status: int | None = None
    """None = no answer was given."""
    fault: str | None = None


class Entry(msgspec.Struct):
    """One request in the journal. `arrived` and `answered` in seconds of the sandbox's own clock."""

    seq: int
    path: str
    people: Sequence[str]
    rows: Sequence[Any]
    arrived: float
    answered: float | None = None
    status: int | None = None
    done: bool = False


class Overlap(msgspec.Struct, frozen=True):
    """A person who was in the requests `first` and `second` at the same time."""

    person: str
    first: int
    second: int


class Journal:
    """Every request with people in it. Costs memory: everything that was sent is kept."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.overlaps: list[Overlap] = []
        self._open: dict[str, int] = {}

    def begin(self, path: str, people: Sequence[str], rows: Sequence[Any], now: float) -> Entry:
        entry = Entry(len(self.entries), path, people, rows, now)
        self.entries.append(entry)
        for person in people:
            first = self._open.setdefault(person, entry.seq)
            if first != entry.seq:
                self.overlaps.append(Overlap(person, first, entry.seq))
        return entry

    def end(self, entry: Entry, status: int | None, now: float) -> None:
        entry.answered, entry.status = now, status
        for person in entry.people:
            if self._open.get(person) == entry.seq:
                del self._open[person]

    def gap(self) -> float | None:
        """The shortest time, in seconds, from a person's answer to that person's next request."""
        last: dict[str, float] = {}
        shortest: float | None = None
        for entry in self.entries:
            for person in entry.people:
                if person in last:
                    gap = entry.arrived - last[person]
                    shortest = gap if shortest is None else min(shortest, gap)
                if entry.answered is not None:
                    last[person] = entry.answered
        return shortest


class Workspace:
    """`people` maps the vendor's main identifier to what it holds; `counts` says how often what was done."""

    def __init__(
        self,
        vendor: str,
        name: str,
        show: Callable[[Mapping[str, Any]], dict[str, Any]],
        *,
        key: str | None = None,
        rate_limit: Rate | None = None,
        journal: bool = False,
    ) -> None:
        """`show`: how the vendor shows a person. `key`: the only one accepted; None = any."""
        self.vendor = vendor
        self.name = name
        self.key = key
        self._show = show
        self.people: dict[str, dict[str, Any]] = {}
        self.counts: Counter[str] = Counter()
        self.coming: Counter[str] = Counter()
        """In how many requests that were answered and are not done yet each person is."""
        self.log: deque[Asked] = deque(maxlen=LOG_LENGTH)
        self.journal = Journal() if journal else None
        self.window = None if rate_limit is None else Window(rate_limit)
        self.dice = Dice(NONE)

    @property
    def faults(self) -> Faults:
        return self.dice.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self.dice = Dice(faults)

    def shown(self, person: str) -> dict[str, Any]:
        """A person as the vendor would show one."""
        return self._show(self.people[person])

    def clear(self) -> None:
        """Forgets people, counts, log and journal; the knobs stay."""
        self.people.clear()
        self.counts.clear()
        self.log.clear()
        if self.journal is not None:
            self.journal = Journal()


class Answer(msgspec.Struct):
    """What a vendor says to one request, and what is then to be done."""

    status: int
    body: bytes
    people: Sequence[str] = ()
    rows: Sequence[Any] = ()
    apply: Callable[[], None] | None = None
