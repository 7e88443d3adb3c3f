"""What every row change means for one activation: the table of the docs' "What every change means", and nothing else.

Invariants:
- Pure: a `Change` in, a decision out. It remembers only which deleted keys still await their tombstone (bounded) and
  what it compiled per wire schema.
- UPDATE never creates, UPSERT never deletes, and MIRROR deletes only a person who is known to have left.
- What cannot be known is never guessed: it is a warning, and nothing is sent.
- Whoever is renamed is never deleted under the old identifier: the destination moves them, or refuses to.
- Only `before: full` makes a before image worth reading; otherwise only the record's key is real. Who left a segment is
  then known to the last-delivered state alone: with one, they are `Unseen`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence

import msgspec

from stream_sync.errors import FAULTS, HaltError
from stream_sync.model import (
    Change,
    Columns,
    Decision,
    Decoded,
    Intent,
    Kind,
    Mode,
    Nothing,
    Record,
    Refused,
    Row,
    Sent,
    Unseen,
    WireValueError,
)
from stream_sync.routing.careful import ColumnMissingError
from stream_sync.routing.compilations import MOST_SCHEMAS, Compilations
from stream_sync.routing.compiled import Compiled, DataError
from stream_sync.routing.plan import Member, Notice, Person, Plan, Standing
from stream_sync.routing.staying import OUTSIDE, UNCHANGED, Stay

MOST_AWAITED_TOMBSTONES = 10_000
_WRITES = frozenset({"r", "c", "u"})

EXPECTED_TOMBSTONE = Nothing("tombstone")
TRUNCATE = Nothing("truncate", "truncate_ignored")
MEMBERSHIP_UNKNOWN = Nothing("unknown", "membership_unknown")
EXIT_UNKNOWN = Nothing("unknown", "exit_unknown")
IDENTIFIER_MISSING = Nothing("nameless", "identifier_missing")
NO_KEY = Refused(
    "KEY_CONVERTER", "no_key", "the record has no key: give the table a primary key or message.key.columns"
)


class Router:
    """Decides for one activation. `learn_key` must have been called before the first `route` of a mirror."""

    def __init__(
        self,
        plan: Plan,
        mode: Mode,
        *,
        before_full: bool,
        whole: bool,
        notice: Notice,
        decode: Callable[[Record], object],
        renamed: frozenset[str] = frozenset(),
        recalls: bool = False,
    ) -> None:
        """`decode` decodes a record once more, for the values of its row that were not needed at first. `renamed`: the
        identifiers that the destination is to change where a row's own changed. `recalls`: there is a state that
        knows who was written."""
        self._plan = plan
        self._decode = decode
        self._mirror = mode == "mirror"
        self._enter: Kind = "update" if mode == "update" else "insert"
        self._before_full = before_full
        self._recalls = recalls and self._mirror and not before_full and plan.where is not None
        """Whether everybody outside of the segment may have been in it, and can be asked for."""
        self._whole = whole
        self._notice = notice
        self._renamed = renamed
        self._compilations = Compilations(plan, notice)
        self._stays: dict[Compiled, Stay | None] = {}
        self._columns: Columns | None = None
        self._quick: Compiled | None = None
        self._stay: Stay | None = None
        self._awaited: OrderedDict[tuple[int | None, bytes], None] = OrderedDict()
        self._key_names: frozenset[str] = frozenset()
        self._key_identifies = False

    @property
    def key_identifies(self) -> bool:
        """Whether the identifier is made of key columns: the condition of a promised order."""
        return self._key_identifies

    @property
    def renamed(self) -> frozenset[str]:
        """The identifiers that the destination changes where a row's own changed."""
        return self._renamed

    def learn_key(self, names: Sequence[str] | None) -> None:
        """Takes note of the record key's columns (None = records without key).

        Raises HaltError(`before_not_full`) for a mirror that needs before images which the source does not have.
        """
        self._key_names = frozenset(names or ())
        columns = self._plan.identifier_columns
        self._key_identifies = bool(columns) and columns <= self._key_names
        # By a part of the key a person may have several rows: one outside of the segment says nothing of the others.
        is_blind = self._plan.where is not None and not (self._recalls and columns == self._key_names)
        if self._mirror and not self._before_full and (is_blind or not self._key_identifies):
            message = (
                "a mirror with a `where`, or with an identifier that is not made of key columns, must know the row "
                "before a change: set REPLICA IDENTITY FULL on the table and `before: full` on the source; a flattened "
                "source never shows it: have the connector write envelopes, without ExtractNewRecordState. By all "
                "key columns, a `state` knows who was written, and a `where` is possible without"
            )
            raise HaltError("before_not_full", message)

    def foresee(self, decoded: Sequence[Decoded]) -> list[Intent | Nothing | None]:
        """What `route` would decide on these records, in their order, where none is in doubt and that is quickly said;
        None where it is to be asked. Nobody is told anything, and no tombstone awaited."""
        stay, columns, silence = self._stay, self._columns, self._plan.silence
        if stay is None:
            return [None] * len(decoded)
        gone: set[bytes | None] = set()
        """Keys that these records may have let a tombstone be awaited of."""
        decisions: list[Intent | Nothing | None] = []
        for change in decoded:
            decision = None
            if change.__class__ is Change:
                if change.op == "u":
                    before, record = change.before, change.record
                    if (
                        before is not None
                        and change.columns is columns
                        and not change.incomplete
                        and (not self._mirror or self._is_ordinary(record, gone))
                    ):
                        try:
                            decision = stay(before, change.after, record)
                        except FAULTS:
                            decision = None
                        if silence.is_broken:
                            silence.is_broken, decision = False, None
                elif change.op == "d":
                    gone.add(change.record.key())
            decisions.append(decision)
        return decisions

    def _is_ordinary(self, record: Record, gone: Collection[bytes | None]) -> bool:
        """Whether a mirror has nothing to do with a write but to decide on its row."""
        key = record.key()
        return key is not None and key not in gone and (record.partition(), key) not in self._awaited

    def route(self, change: Change, doubt: bool = False, whole: bool = False) -> Decision:
        """What this change asks for. `whole`: an Update carries the whole row. `doubt`: it does, and is sent even where
        nothing seems to have changed, since what the row was before was surely not delivered.

        Raises HaltError(`before_missing`) where the table is not what the config says.
        """
        try:
            op = change.op
            if op == "t":
                return TRUNCATE
            if self._mirror:
                key = change.record.key()
                if key is None:
                    return NO_KEY
                if self._awaited and op in _WRITES:
                    self._awaited.pop((change.record.partition(), key), None)
            if op == "u":
                return self._update(change, doubt, whole)
            if op == "d":
                return self._delete(change)
            if op == "tombstone":
                return self._tombstone(change)
            compiled = self._for(change)
            now = compiled.member(change.after)
            if self._recalls and now is Standing.OUTSIDE:  # of a `c`, too: a truncate or compaction hides the delete
                return self._unseen(compiled, change.after)
            return self._entered(compiled, now, change.after)
        except ColumnMissingError as error:
            return Refused("TRANSFORMATION", "column_missing", str(error))
        except WireValueError as error:
            return Refused("VALUE_CONVERTER", "bad_value", str(error))
        except DataError as error:
            return Refused("TRANSFORMATION", "type_error", str(error))
        except FAULTS as error:  # a defect of ours: its message may hold the row's data, and the other rows go on
            return Refused("TRANSFORMATION", "type_error", f"the row cannot be mapped ({type(error).__name__})")

    def _update(self, change: Change, doubt: bool, whole: bool) -> Decision:
        before, after = change.before if self._before_full else None, change.after
        compiled = self._for(change)
        if before is None:
            return self._update_blind(change, compiled)
        if change.incomplete:
            change.columns.fill(after, before)
        differing = compiled.differing(before, after)
        was = now = compiled.member(after)
        for use in differing:
            if use.standing:
                was = self._was(compiled, before)
                break
        if now.__class__ is not Person or was != now:
            return self._moved(compiled, was, now, after)
        if doubt:
            return Intent("update", now.identifier, now.identified_by, compiled.whole(after))
        if whole or self._whole:
            if not compiled.is_other(differing, before, after):
                return UNCHANGED
            return Intent("update", now.identifier, now.identified_by, compiled.whole(after))
        changed = compiled.changed(differing, before, after)
        if not changed:
            return UNCHANGED
        return Intent("update", now.identifier, now.identified_by, changed, False, change.record, self._rest)

    def _update_blind(self, change: Change, compiled: Compiled) -> Decision:
        """An update without a before image: its key is as before, the rest of `was` cannot be known."""
        if self._before_full and self._mirror and self._plan.where is not None:
            message = (
                "an update came without its before image although the source says `before: full`: set REPLICA "
                "IDENTITY FULL on the table (a snapshot then brings the lane up to date)"
            )
            raise HaltError("before_missing", message)
        now = compiled.member(change.after)
        if self._recalls and now is Standing.OUTSIDE:
            return self._unseen(compiled, change.after)
        if not self._key_identifies or self._plan.where is not None:
            return self._moved(compiled, Standing.UNKNOWN, now, change.after)
        if isinstance(now, Person):
            return Intent("update", now.identifier, now.identified_by, compiled.whole(change.after))
        return self._moved(compiled, now, now, change.after)

    def _moved(self, compiled: Compiled, was: Member, now: Member, after: Row) -> Decision:
        """The person of the row is not surely the one it was: somebody enters, leaves, or both."""
        entered = self._entered(compiled, now, after)
        if self._renamed and isinstance(entered, Intent) and isinstance(was, Person) and self._is_renamed(was, entered):
            return msgspec.structs.replace(entered, formerly=was.identifier)
        if now is Standing.UNKNOWN or not self._mirror:
            return entered
        if isinstance(entered, Intent):
            if not isinstance(was, Person):
                return entered
            return entered, Intent("delete", was.identifier, was.identified_by, follows=entered.identifier)
        if not isinstance(was, Person) and was is not Standing.UNKNOWN:
            return entered
        if now is Standing.NAMELESS:
            self._notice("identifier_missing", "")
        return _delete_of(was) if isinstance(was, Person) else EXIT_UNKNOWN

    def _is_renamed(self, was: Person, entered: Intent) -> bool:
        return was.identified_by == entered.identified_by and was.identified_by in self._renamed

    def _entered(self, compiled: Compiled, now: Member, after: Row) -> Intent | Nothing:
        if isinstance(now, Person):
            return Intent(self._enter, now.identifier, now.identified_by, compiled.whole(after))
        if now is Standing.OUTSIDE:
            return OUTSIDE
        return MEMBERSHIP_UNKNOWN if now is Standing.UNKNOWN else IDENTIFIER_MISSING

    def _delete(self, change: Change) -> Decision:
        if not self._mirror:
            return OUTSIDE
        self._await_tombstone(change)
        missing: ColumnMissingError | None = None
        if self._before_full and change.before is not None:
            try:
                was = self._for(change).member(change.before)
            except ColumnMissingError as error:
                missing, was = error, Standing.UNKNOWN
            except FAULTS:
                was = Standing.UNKNOWN
            if was is not Standing.UNKNOWN:
                if not isinstance(was, Person):
                    return OUTSIDE
                return self._left(change, was) if change.key_changed else _delete_of(was)
        left = self._left_unseen(change)
        if missing is not None and left is EXIT_UNKNOWN:
            if change.key_changed and self._lives_on(change):
                return OUTSIDE
            raise missing
        return left

    def _tombstone(self, change: Change) -> Decision:
        if not self._mirror:
            return EXPECTED_TOMBSTONE
        key = change.record.key()
        if key is not None and self._awaited.pop((change.record.partition(), key), self) is None:
            return EXPECTED_TOMBSTONE
        return self._left_unseen(change)

    def _left_unseen(self, change: Change) -> Decision:
        """A delete of which only the key is known."""
        if not self._key_identifies or (self._plan.where is not None and not self._recalls):
            return EXIT_UNKNOWN
        was = self._key_member(change, change.key)
        if not isinstance(was, Person):
            return EXIT_UNKNOWN if was is Standing.UNKNOWN else OUTSIDE
        left = self._left(change, was) if change.key_changed else _delete_of(was)
        return Unseen(was.identifier, was.identified_by) if self._recalls and isinstance(left, Intent) else left

    def _unseen(self, compiled: Compiled, row: Row) -> Decision:
        """A row outside of the segment, of which nobody knows what it was: its key is as it was."""
        was = compiled.name(row) if self._key_identifies else Standing.UNKNOWN
        return Unseen(was.identifier, was.identified_by) if isinstance(was, Person) else EXIT_UNKNOWN

    def _left(self, change: Change, was: Person) -> Decision:
        """The old key of a changed one: a Delete only where the person is another one under the new key."""
        if not self._key_identifies:
            return OUTSIDE
        if change.new_key is None:
            return _delete_of(was) if self._plan.identifier_columns == self._key_names else EXIT_UNKNOWN
        return OUTSIDE if self._key_member(change, change.new_key) == was else _delete_of(was)

    def _lives_on(self, change: Change) -> bool:
        """Whether a row whose key changed is the same person under the new one, whatever else it holds."""
        if not self._key_identifies:
            return True
        return change.new_key is not None and (
            self._key_member(change, change.new_key) == self._key_member(change, change.key)
        )

    def _key_member(self, change: Change, key: Row | None) -> Member:
        if key is None or change.key_columns is None:
            return Standing.UNKNOWN
        return self._compilations.careful(change.key_columns).name(key)

    def _rest(self, record: Record) -> dict[str, Sent]:
        """The mapped values of a record's row, as far as they can be worked out."""
        change = self._decode(record)
        if not isinstance(change, Change) or change.after is None:
            return {}
        compiled = self._for(change)
        if change.incomplete and change.before is not None and self._before_full:
            change.columns.fill(change.after, change.before)
        return compiled.rest(change.after)

    def _was(self, compiled: Compiled, before: Row) -> Member:
        """How the row stood before; what its data does to an expression makes it unknown, not a dead letter."""
        try:
            return compiled.member(before)
        except FAULTS:
            return Standing.UNKNOWN

    def _await_tombstone(self, change: Change) -> None:
        key = change.record.key()
        if key is None:
            return
        self._awaited[change.record.partition(), key] = None
        if len(self._awaited) > MOST_AWAITED_TOMBSTONES:
            del self._awaited[next(iter(self._awaited))]

    def _for(self, change: Change) -> Compiled:
        columns = change.columns
        if change.incomplete:
            return self._compilations.careful(columns)
        if columns is not self._columns or self._quick is None:
            self._quick = self._compilations.complete(columns)
            self._columns = columns
            self._stay = self._staying(self._quick)
        return self._quick

    def _staying(self, compiled: Compiled) -> Stay | None:
        if not self._before_full or self._whole:
            return None
        if compiled not in self._stays:
            if len(self._stays) >= MOST_SCHEMAS:
                self._stays.clear()
            self._stays[compiled] = compiled.staying(self._rest)
        return self._stays[compiled]


def _delete_of(person: Person) -> Intent:
    return Intent("delete", person.identifier, person.identified_by)
