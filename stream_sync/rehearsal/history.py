"""One pass over a topic's retained history, through every activation that reads it: the hot loop of `plan`.

Invariants:
- Decoded once for all activations of a source, decided by the router that `run` has, counted, and forgotten.
- No group is joined and nothing is committed. The end is that of the moment in which the pass began.
- An activation whose lane would halt decides no more; the others go on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from itertools import repeat
from operator import attrgetter

import msgspec

from stream_sync.config.settings import Source
from stream_sync.errors import HaltError, WaitError
from stream_sync.formats.decoder import Decoder
from stream_sync.kafka.forward import Bounds, Forward
from stream_sync.model import Change, Decision, NotAChange, Record, Refused, Undecodable
from stream_sync.rehearsal.comparison import Comparison
from stream_sync.rehearsal.deciders import Activated, KeyLearner, Notices, decoder_of, wait_for, would_halt
from stream_sync.rehearsal.tally import Tally
from stream_sync.routing.plan import Plan
from stream_sync.routing.router import Router
from stream_sync.schema_registry import OpenRegistry

MOST_REFUSED = 10_000
_OLD_ROW = frozenset({"u", "d"})
_ts_ms, _op_and_incomplete = attrgetter("ts_ms"), attrgetter("op", "incomplete")


class Images(msgspec.Struct):
    """How much of the row before the changes tell, of updates and deletes."""

    changes: int = 0
    without: int = 0
    partial: int = 0
    """With a column that is needed and did not come."""
    key_only: int = 0
    """Deletes in which nothing but the key has a value: the table does not tell its old rows."""


class Decider:
    """One activation that reads the history."""

    def __init__(self, found: Activated, plan: Plan, notices: Notices) -> None:
        self.found = found
        self.plan = plan
        self.notices = notices
        activation = found.activation
        self.tally = Tally([target.name for target in plan.targets], activation.deletes, activation.schedule)
        self.halted: str | None = None
        """Why its lane would halt, and where."""
        self._router: Router | None = None
        self._refused: dict[tuple[int | None, bytes | None], None] = {}
        """Rows whose last record is a dead letter: the base of their next change is in doubt."""

    def open(self, decoder: Decoder) -> None:
        """Makes the router."""
        self._router = self.found.router(self.plan, decoder, self.notices)

    def learn_key(self, names: Sequence[str] | None) -> None:
        """Tells the router what the records' keys are made of."""
        assert self._router is not None
        try:
            self._router.learn_key(names)
        except HaltError as error:
            self.halted = would_halt(error)
        else:
            if not self._router.key_identifies:
                self.notices.add("identifier_not_key", "")

    def decide(self, changes: Sequence[Change], doubt: bool) -> Sequence[Decision]:
        """The decisions about these changes, as far as they go; counted already."""
        if self.halted is not None or self._router is None:
            return ()
        is_certain = not (doubt or self._refused)
        route = self._router.route if is_certain else partial(self._carefully, doubt)
        foreseen = self._router.foresee(changes) if is_certain else repeat(None)
        decisions: list[Decision] = []
        add = decisions.append
        try:
            for change, quick in zip(changes, foreseen):  # noqa: B905  without end, or as many
                add(route(change) if quick is None else quick)
        except HaltError as error:
            record = changes[len(decisions)].record
            self.halted = f"at {record.partition()}/{record.offset()} {would_halt(error)}"
        self.tally.take(changes[: len(decisions)], decisions)
        for change, decision in zip(changes, decisions, strict=False):
            if decision.__class__ is Refused:
                self._doubt(change.record)
        return decisions

    def undecodable(self, record: Record, why: Undecodable) -> None:
        """A record is a dead letter, whoever reads it."""
        if self.halted is None:
            self.tally.letter(why)
            self._doubt(record)

    def _carefully(self, doubt: bool, change: Change) -> Decision:
        assert self._router is not None
        row = change.record.partition(), change.record.key()
        known = row in self._refused
        decision = self._router.route(change, doubt or known)
        if known and decision.__class__ is not Refused:
            self._refused.pop(row, None)
        return decision

    def _doubt(self, record: Record) -> None:
        if len(self._refused) < MOST_REFUSED:
            self._refused[record.partition(), record.key()] = None


class History:
    """What one source's topic told, and whom it was told to."""

    def __init__(self, source: Source, deciders: Sequence[Decider], comparisons: Sequence[Comparison]) -> None:
        self.source = source
        self.deciders = deciders
        self.comparisons = comparisons
        self.compacted = False
        self.bounds: dict[int, Bounds] = {}
        self.starts: dict[int, int] = {}
        self.records = 0
        self.ops: Counter[str] = Counter()
        self.others: Counter[str] = Counter()
        """Records that are no row changes, by kind."""
        self.oldest: int | None = None
        self.newest: int | None = None
        """The source's commit times that were seen, in milliseconds since the epoch."""
        self.images = Images()
        self.notices = Notices()
        self._key_known = False

    async def read(self, forward: Forward, registry: OpenRegistry | None, tell: Callable[[int], None]) -> None:
        """Reads it all; `tell(n)`: n more offsets are passed. Raises StreamSyncError."""
        try:
            decoder = decoder_of(self.source, [each.plan for each in self.deciders], registry, self.notices)
        except HaltError as error:
            self._halt(error)
            return
        keys = KeyLearner(self.source.key, decoder)
        for decider in self.deciders:
            decider.open(decoder)
        await forward.start(self.starts)
        passed = sum(self.starts.values())
        async for records in forward.to_end():
            left = records
            while (waiting := self._take(left, decoder, keys)) is not None:
                place, needed = waiting
                await wait_for(needed, left[place])
                left = left[place:]
            tell(sum(forward.positions.values()) - passed)
            passed = sum(forward.positions.values())
            if all(decider.halted is not None for decider in self.deciders):
                return

    async def look(self, forward: Forward, since_ms: int | None) -> int:
        """Finds out where to begin; how many offsets there are to pass. Raises StreamSyncError."""
        self.bounds = await forward.existing()
        self.starts = await forward.starts(since_ms)
        return sum(self.bounds[number].high - start for number, start in self.starts.items())

    def _take(self, records: list[Record], decoder: Decoder, keys: KeyLearner) -> tuple[int, WaitError] | None:
        """Takes records in; where one needs a schema that is not here, its place among them, all before it taken."""
        decode = decoder.decode
        changes: list[Change] = []
        waiting = None
        for place, record in enumerate(records):
            try:
                found = decode(record)
            except WaitError as needed:
                waiting = place, needed
                break
            except HaltError as error:
                self._decide(changes, keys)
                self._halt(error)
                return None
            if found.__class__ is Change:
                changes.append(found)
            else:
                self._decide(changes, keys)
                changes = []
                self._other(record, found)  # type: ignore[arg-type]  # as its class says
        self.records += len(records) if waiting is None else waiting[0]
        self._decide(changes, keys)
        return waiting

    def _decide(self, changes: list[Change], keys: KeyLearner) -> None:
        if not changes:
            return
        if not self._key_known:
            self._learn_key(changes, keys)
        self._look_at(changes, keys)
        decisions = {id(decider): decider.decide(changes, self.compacted) for decider in self.deciders}
        for comparison in self.comparisons:
            comparison.take(changes, decisions[id(comparison.new)], decisions[id(comparison.old)])

    def _learn_key(self, changes: list[Change], keys: KeyLearner) -> None:
        for change in changes:
            if keys.learn(change):
                self._key_known = True
                for decider in self.deciders:
                    decider.learn_key(keys.names)
                return

    def _look_at(self, changes: list[Change], keys: KeyLearner) -> None:
        times = set(map(_ts_ms, changes)) - {None}
        if times:
            first, last = min(times), max(times)
            self.oldest = first if self.oldest is None else min(first, self.oldest)
            self.newest = last if self.newest is None else max(last, self.newest)
        images = self.images
        seen = Counter(map(_op_and_incomplete, changes))
        for (op, incomplete), count in seen.items():
            self.ops[op] += count
            if op in _OLD_ROW:
                images.changes += count
                images.partial += count * incomplete
        without = [change for change in changes if change.before is None and change.op in _OLD_ROW]
        images.without += len(without)
        images.partial -= sum(change.incomplete for change in without)
        if ("d", False) in seen or ("d", True) in seen:
            names = frozenset(keys.names or ())
            images.key_only += sum(_tells_only_key(change, names) for change in changes if change.op == "d")

    def _other(self, record: Record, found: NotAChange | Undecodable) -> None:
        if isinstance(found, NotAChange):
            self.others[found.kind] += 1
            return
        for decider in self.deciders:
            decider.undecodable(record, found)

    def _halt(self, error: HaltError) -> None:
        for decider in self.deciders:
            decider.halted = decider.halted or would_halt(error)


def _tells_only_key(change: Change, key: frozenset[str]) -> bool:
    """Whether a delete's row before has nothing but its key, as a table without REPLICA IDENTITY FULL writes it."""
    if change.before is None:
        return False
    others = change.columns.raws([name for name in change.columns.names if name not in key])(change.before)
    return bool(others) and all(value is None for value in others)
