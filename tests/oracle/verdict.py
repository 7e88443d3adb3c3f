"""The oracle's verdict over everything that reached a destination: what was promised, held against what was done.

Invariants:
- Independent of the service: it knows the source's history, the journal of the destination, and the promises.
- Age: within a session (a sender's ownership of a partition) a person's writes and deletes never go back. A session
  that begins may repeat what was applied before it began, since that may not have been committed; whoever writes
  something older than what was applied after its own session began overtook it, or is a zombie.
- Invention: every value that was written stood in the source at that version, and whoever is deleted had left.
- Pure.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from tests.oracle.destination import DELETE, TRACK
from tests.oracle.history import VERSION, History, State
from tests.oracle.journal import Entry, Journal

WAKING = 0.5
"""Seconds within which what was under way goes out."""
MOST_TOLD = 10
"""Violations of a kind that are told one by one."""


class Promise(NamedTuple):
    """What the config promises of an activation."""

    mode: Literal["update", "upsert", "mirror"] = "mirror"
    most_deletes: int | None = None
    per: float = 3600.0
    """Seconds."""
    by_hand: frozenset[str] = frozenset()
    """Senders whom a person told to delete: no budget is theirs."""
    woke: Mapping[str, Sequence[float]] = {}
    """When a sender went on after it had been frozen. A request that had started before may still go out then: the one
    late write that nobody can take back, told apart from the inversions."""


class Verdict(NamedTuple):
    """Violations by kind, and figures."""

    inversions: list[str]
    """Something older was applied after something newer."""
    late: int
    """The same, by a request that was under way when its sender was frozen."""
    inventions: list[str]
    """What the source never said."""
    overlaps: list[str]
    """A person in two requests of one sender."""
    forbidden: list[str]
    """What the mode may not do, or no client may ask."""
    beyond_budget: int
    """How many deletes more than the budget any period held."""
    requests: int
    writes: int
    """People written and taken, repeats included."""
    deletes: int
    duplicates: int
    """Of writes and deletes: those of a version that had been applied."""

    @property
    def violations(self) -> list[str]:
        """One line each, at most MOST_TOLD of a kind."""
        kinds = (self.inversions, self.inventions, self.overlaps, self.forbidden)
        told = [line for kind in kinds for line in kind[:MOST_TOLD]]
        told += [f"{len(kind) - MOST_TOLD} more like this: {kind[0]}" for kind in kinds if len(kind) > MOST_TOLD]
        if self.beyond_budget:
            told.append(f"{self.beyond_budget} deletes beyond the budget")
        return told


class _Applied(NamedTuple):
    """One person's part of a request. `version` None: the write did not say."""

    entry: Entry
    person: str
    row: Mapping[str, Any] | None
    """None = deleted."""


def judge(journal: Journal, history: History, promise: Promise) -> Verdict:
    """The verdict over all that is in the journal."""
    ages = _Ages(journal, history, promise.woke)
    inventions: list[str] = []
    writes = deletes = 0
    for applied in _applied(journal):
        if applied.row is None:
            deletes += 1
            state = history.left_before(applied.person, applied.entry.arrived)
            if state is None:
                inventions.append(f"{applied.person} was deleted, but never left (request {applied.entry.seq})")
        else:
            writes += 1
            version = applied.row.get(VERSION)
            state = None if version is None else history.at_version(applied.person, version)
            inventions += _invented(applied, version, state)
        if state is not None:
            ages.add(applied, state)
    return Verdict(
        inversions=ages.inversions,
        late=ages.late,
        inventions=inventions,
        overlaps=[f"{o.person} was in requests {o.first.seq} and {o.second.seq} at once" for o in journal.overlaps],
        forbidden=[*journal.malformed, *_forbidden(journal, promise)],
        beyond_budget=_beyond(journal, promise),
        requests=len(journal.entries),
        writes=writes,
        deletes=deletes,
        duplicates=ages.duplicates,
    )


class _Ages:
    """Watches that nothing goes back."""

    def __init__(self, journal: Journal, history: History, woke: Mapping[str, Sequence[float]]) -> None:
        self._journal = journal
        self._history = history
        self._woke = woke
        self._seen: dict[str, list[tuple[int, float, Entry]]] = {}
        """By person: versions applied, ascending, with the latest time of each."""
        self.inversions: list[str] = []
        self.late = self.duplicates = 0

    def add(self, applied: _Applied, state: State) -> None:
        entry, person, version = applied.entry, applied.person, state.version
        began = self._journal.began(entry.who, self._history.partition(person), entry.arrived)
        seen = self._seen.setdefault(person, [])
        place = bisect_left(seen, version, key=lambda each: each[0])
        if place < len(seen) and seen[place][0] == version:
            self.duplicates += 1
            newer = seen[place + 1 :]
            seen[place] = (version, entry.arrived, entry)
        else:
            newer = seen[place:]
            seen.insert(place, (version, entry.arrived, entry))
        overtaken = next((each for each in newer if each[1] >= began), None)
        if overtaken is None:
            return
        if any(0 <= entry.arrived - at <= WAKING for at in self._woke.get(entry.who, ())):
            self.late += 1
        else:
            self.inversions.append(
                f"{person}: version {version} in request {entry.seq} of {entry.who} ({_at(entry)}) after version "
                f"{overtaken[0]} in request {overtaken[2].seq} of {overtaken[2].who} ({_at(overtaken[2])})"
            )


def _at(entry: Entry) -> str:
    return f"at {entry.arrived:.3f}"


def _applied(journal: Journal) -> Iterator[_Applied]:
    for entry in journal.entries:
        for each in entry.taken:
            if entry.path == TRACK:
                yield _Applied(entry, each["external_id"], each)
            else:
                yield _Applied(entry, each, None)


def _invented(applied: _Applied, version: int | None, state: State | None) -> list[str]:
    if version is None or applied.row is None:
        return []
    where = f"{applied.person} in request {applied.entry.seq}"
    if state is None or state.row is None:
        return [f"{where}: the source has no version {version}"]
    row = state.row
    return [
        f"{where}: {name} was not {value!r} in version {version}"
        for name, value in applied.row.items()
        if name in row and row[name] != value
    ]


def _forbidden(journal: Journal, promise: Promise) -> Iterator[str]:
    for entry in journal.entries:
        if entry.path == DELETE and promise.mode != "mirror":
            yield f"{len(entry.people)} people deleted in mode {promise.mode} (request {entry.seq})"
        if entry.path == TRACK and promise.mode == "update":
            creating = sum(1 for row in entry.rows if row.get("_update_existing_only") is not True)
            if creating:
                yield f"{creating} people could be created in mode update (request {entry.seq})"


def _beyond(journal: Journal, promise: Promise) -> int:
    """The most deletes, repeats included, that any period held beyond what it may."""
    if promise.most_deletes is None:
        return 0
    deletes = [entry for entry in journal.entries if entry.path == DELETE and entry.taken]
    deletes = [entry for entry in deletes if entry.who not in promise.by_hand]
    held = first = most = 0
    for entry in deletes:
        held += len(entry.taken)
        while deletes[first].arrived <= entry.arrived - promise.per:
            held -= len(deletes[first].taken)
            first += 1
        most = max(most, held)
    return max(0, most - promise.most_deletes)
