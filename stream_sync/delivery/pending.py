"""An intent that is not settled yet, and how two of one person become one.

Invariants:
- A merge keeps every offset: merged records are settled together.
- A Delete is deferred for as long as it has a `holds`; a write that it is merged with frees it of them.
- A merged intent knows the oldest identifier that the destination may know its person by.
- Latest value of each name, union of what changed; anything then Delete is Delete; Delete then Insert or Update is an
  Insert of the whole row.
- The newest record stands for the merged ones where it becomes a dead letter; the oldest commit time counts for
  freshness.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Protocol

import msgspec

from stream_sync.model import Intent, Kind, Record


class Acknowledgement(Protocol):
    """What came out with a record and is told when its intents are settled: `kafka.offsets.Offsets`."""

    partition: int
    revoked: bool

    def settle(self, offsets: Iterable[int]) -> None: ...


class State(enum.Enum):
    """Where a pending intent is."""

    READY = enum.auto()
    """A write that may be sent."""
    DUE = enum.auto()
    """A Delete that may be sent."""
    BLOCKED = enum.auto()
    """Its person is busy at the destination, or an older intent of theirs comes first."""
    FOLLOWING = enum.auto()
    """A Delete that waits for something else: the Insert of the person's new identifier, the end of a first pass."""
    WAITING = enum.auto()
    """A Delete in its waiting time."""
    SENT = enum.auto()
    GONE = enum.auto()
    """Merged, settled or revoked."""


class Pending(msgspec.Struct, gc=False):
    """One person's unsettled intent with the records it came from, all of one partition."""

    intent: Intent
    acknowledgement: Acknowledgement
    offsets: list[int]
    record: Record
    ts_ms: int | None
    """The commit time of the oldest merged record: how old what is sent is."""
    newest_ms: int | None
    """The commit time of the newest merged record: what is newer than this intent."""
    since: float
    """When the oldest merged record was taken in (monotonic seconds)."""
    state: State = State.READY
    waited: bool = False
    """A Delete whose waiting time is over."""
    due: float = 0.0
    holds: frozenset[object] = frozenset()
    """What a FOLLOWING Delete waits for, each by its own mark."""
    attempts: int = 0
    """Failed attempts while the destination took others."""
    successes_seen: int = 0
    behind: Pending | None = None
    """The same person's next intent, of another partition."""
    followers: tuple[tuple[str, object], ...] = ()
    """Old identifiers whose Deletes wait until this is Delivered, each with the mark in the Delete's `holds`."""

    @property
    def is_delete(self) -> bool:
        return self.intent.kind == "delete"


def merge_intents(older: Intent, newer: Intent) -> Intent:
    """The one intent that does what `older` and then `newer` would."""
    if newer.kind == "delete":
        return newer
    if older.kind == "delete":
        return newer.as_whole("insert")
    kind: Kind = "insert" if "insert" in (older.kind, newer.kind) else "update"
    known = {**older.known, **newer.known}
    if older.whole or newer.whole:
        formerly = older.formerly or newer.formerly
        return Intent(kind, newer.identifier, newer.identified_by, known, formerly=formerly)
    before = {**(older.older or {}), **older.known}
    return Intent(kind, newer.identifier, newer.identified_by, known, False, newer.record, newer.mapped, before)


def merge(older: Pending, newer: Pending) -> Pending:
    """Merges the newer into the older, in place, so that a person with many changes keeps their place in the queue.

    The newer one is GONE afterwards; the state of the merged one is the caller's to set.
    """
    newer.state = State.GONE
    older.intent = merge_intents(older.intent, newer.intent)
    older.acknowledgement = newer.acknowledgement
    older.offsets += newer.offsets
    older.record = newer.record
    older.ts_ms = min((ts for ts in (older.ts_ms, newer.ts_ms) if ts is not None), default=None)
    older.newest_ms = newer.newest_ms
    older.since = min(older.since, newer.since)
    older.waited = False
    older.holds = older.holds | newer.holds if older.is_delete else frozenset()
    older.followers += newer.followers
    return older
