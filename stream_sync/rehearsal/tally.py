"""Counts what an activation decides about a history, a batch at a time.

Invariants:
- Nothing of a record is kept but hashes and the names of its values; memory is bounded whatever the history.
- Pure: time is the source's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from stream_sync.config.settings import Deletes
from stream_sync.model import Change, Decision, Intent, Kind, Nothing, Refused, Undecodable, Unseen
from stream_sync.rehearsal.budget import DeleteWatch
from stream_sync.rehearsal.crowds import Crowd, Group
from stream_sync.schedule import Continuous, Schedule
from stream_sync.sinks.foreseen import Counted

MOST_SHAPES = 10_000

Shape = tuple[Any, ...]
"""Kind, identifier's name, names of the values: all that a vendor's limits depend on. One tuple, since it is made for
every intent."""


class Tally:
    """What one activation decided."""

    def __init__(self, names: Sequence[str], deletes: Deletes | None, schedule: Schedule = Continuous()) -> None:  # noqa: B008  frozen
        """`names`: of all mapped values; `schedule`: when it runs."""
        self._names = tuple(names)
        self._shapes: Counter[Shape] = Counter()
        self._rounded: Counter[Shape] = Counter()
        self._folded: Counter[str] = Counter()
        """The names in the updates of `_rounded`, as they were."""
        self.nothing: Counter[str] = Counter()
        self.letters: Counter[str] = Counter()
        self.warnings: Counter[str] = Counter()
        self.people = Crowd()
        """Who was written."""
        self.gone = Group()
        """Who was deleted and not written since."""
        self.deletes = None if deletes is None else DeleteWatch(deletes, schedule)

    def take(self, changes: Sequence[Change], decisions: Sequence[Decision]) -> None:
        """Counts the decisions about these changes."""
        intents: list[Intent] = []
        others: list[Nothing | Refused | Unseen] = []
        for decision in decisions:
            if decision.__class__ is Intent:
                intents.append(decision)
            elif decision.__class__ is tuple:
                intents += decision
            else:
                others.append(decision)  # type: ignore[arg-type]
        self._shapes.update([(intent.kind, intent.identified_by, *intent.known) for intent in intents])
        self.people.add(intent.identifier for intent in intents if intent.kind != "delete")
        for other in others:
            if other.__class__ is Refused:
                self.letters[other.code] += 1
            else:
                self._note(other)  # type: ignore[arg-type]
        if self.deletes is not None:
            self._watch(self.deletes, changes, decisions)
        if len(self._shapes) > MOST_SHAPES:
            self._fold()

    def letter(self, why: Undecodable) -> None:
        """A record could not be decoded."""
        self.letters[why.code] += 1

    @property
    def is_rounded(self) -> bool:
        """Whether some intents are `counted` as whole rows, there being too many different ones."""
        return bool(self._rounded)

    @property
    def counted(self) -> list[Counted]:
        """The intents, by what they carry."""
        return [Counted(kind, by, tuple(names), count) for (kind, by, *names), count in self._all().items()]

    @property
    def kinds(self) -> Counter[Kind]:
        """How many inserts, updates and deletes."""
        kinds: Counter[Kind] = Counter()
        for shape, count in self._all().items():
            kinds[shape[0]] += count
        return kinds

    @property
    def updated(self) -> Counter[str]:
        """How many updates carry each value, by its name."""
        updated = Counter(self._folded)
        for (kind, _, *names), count in self._shapes.items():
            if kind == "update":
                for name in names:
                    updated[name] += count
        return updated

    def _all(self) -> Counter[Shape]:
        return self._shapes + self._rounded

    def _note(self, nothing: Nothing | Unseen) -> None:
        if isinstance(nothing, Unseen):  # only the lane can ask its state
            self.nothing["unseen"] += 1
            return
        self.nothing[nothing.reason] += 1
        if nothing.warning is not None:
            self.warnings[nothing.warning] += 1

    def _watch(self, watch: DeleteWatch, changes: Sequence[Change], decisions: Sequence[Decision]) -> None:
        for change, decision in zip(changes, decisions, strict=True):
            for intent in decision if isinstance(decision, tuple) else (decision,):
                if not isinstance(intent, Intent):
                    continue
                record = change.record
                at = (record.timestamp()[1] if change.ts_ms is None else change.ts_ms) / 1000
                if intent.kind == "delete":
                    watch.delete(record.partition() or 0, intent.identifier, at)
                    self.gone.enter(intent.identifier)
                else:
                    watch.write(record.partition() or 0, intent.identifier, at)
                    self.gone.leave(intent.identifier)

    def _fold(self) -> None:
        """The rarer half of the shapes is counted as whole rows from now on."""
        for shape, count in self._shapes.most_common()[MOST_SHAPES // 2 :]:
            kind, by, *names = shape
            del self._shapes[shape]
            self._rounded[kind, by, *self._names] += count
            if kind == "update":
                for name in names:
                    self._folded[name] += count
