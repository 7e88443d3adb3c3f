"""The words of the service as types: what flows from Kafka to a destination, and what comes back.

Invariants:
- A `Change` is one decoded source record, an `Intent` is what one activation wants for one person, an `Outcome` is
  what became of an intent.
- Rows hold *wire* values. `Columns` reads them as Python values (design: int, float, bool, str, Decimal, date, time,
  datetime, timedelta, bytes, list, dict, None), on demand: a value that did not change is never decoded.
- Nothing here does I/O or knows a library's types; a Kafka message is seen through the `Record` protocol only.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

Mode = Literal["update", "upsert", "mirror"]
Section = Literal["fields", "attributes"]
Op = Literal["r", "c", "u", "d", "t", "tombstone"]
Kind = Literal["insert", "update", "delete"]
Stage = Literal["KEY_CONVERTER", "VALUE_CONVERTER", "TRANSFORMATION", "TASK_PUT"]

Value = Any
"""A column's Python value, see the module's docstring."""
Sent = Any
"""A value in the form a destination takes: made of None, bool, int, float, Decimal, str, list and dict."""
Row = Any
"""One row image: an object whose attributes are wire values; only `Columns` knows how to read it."""


class Absent(enum.Enum):
    """What a column can hold besides a value. Never sent."""

    UNAVAILABLE = "unavailable"
    """Unchanged TOAST and its like: the database did not say."""
    MISSING = "missing"
    """The record has no such column."""


class Omitted(enum.Enum):
    """Why a mapped value is left out of what is sent."""

    UNAVAILABLE = "unavailable"
    MISSING = "missing"
    UNREPRESENTABLE = "unrepresentable"
    NULL_SKIPPED = "null_skipped"


class UnrepresentableError(ValueError):
    """A wire value that no Python value can hold (an infinite timestamp, a date out of range). Not a type error."""


class WireValueError(ValueError):
    """A wire value that is not of its column's type. The message names the column, never the value."""


class Record(Protocol):
    """One Kafka record as consumed: what confluent_kafka.Message offers."""

    def topic(self) -> str | None: ...
    def partition(self) -> int | None: ...
    def offset(self) -> int | None: ...
    def key(self) -> bytes | None: ...
    def value(self) -> bytes | None: ...
    def headers(self) -> Sequence[tuple[str, bytes | None]] | None: ...
    def timestamp(self) -> tuple[int, int]: ...


class Place(msgspec.Struct, frozen=True):
    """Where a record is."""

    topic: str
    partition: int
    offset: int


class Held(NamedTuple):
    """How a row holds a column."""

    attribute: str
    """Where its wire value is."""
    read: Callable[[Any], Value] | None
    """Makes the Python value of a wire value that is not None; it may raise any of FAULTS. None: they are the same."""
    canonical: bool
    """Whether different wire values are always different values, also in the form sent."""


class Columns(Protocol):
    """How to read the rows of one wire schema. One object per schema, compared by identity, so that whoever compiles
    something against it does so once per schema."""

    def reader(self, name: str) -> Callable[[Row], Value]:
        """Reads a column as a Python value. Valid only where `raw` gives no `Absent`. The returned function raises
        UnrepresentableError or WireValueError."""
        ...

    def raw(self, name: str) -> Callable[[Row], Any]:
        """Reads a column's wire value, or an `Absent` member. Cheap; equal wire values mean equal values."""
        ...

    @property
    def names(self) -> Sequence[str]:
        """The columns that rows have, in the order of `wire`."""
        ...

    def wire(self, row: Row) -> tuple[Any, ...]:
        """All wire values of a row, as `raw` gives them, in the order of `names`. The cheapest way to compare rows."""
        ...

    def held(self, name: str) -> Held | None:
        """For whoever reads many rows. Valid as `reader`; None where rows do not hold their columns themselves."""
        ...

    def raws(self, names: Sequence[str]) -> Callable[[Row], tuple[Any, ...]]:
        """Reads several columns' wire values at once, in the order of `names`, which may be empty."""
        ...

    def fill(self, after: Row, before: Row) -> None:
        """Puts before's wire value where after's is UNAVAILABLE and before has one."""
        ...


class Change(msgspec.Struct, gc=False):
    """One decoded row change."""

    op: Op
    before: Row | None
    after: Row | None
    columns: Columns
    record: Record
    ts_ms: int | None = None
    """The source's commit time, milliseconds since the epoch."""
    incomplete: bool = False
    """True where some needed column of `before` or `after` may be `Absent`."""
    key: Row | None = None
    """The record key's columns as a row (all others MISSING); given for `d` and `tombstone` only."""
    key_columns: Columns | None = None
    new_key: Row | None = None
    """For `d` and `tombstone` with the header `__debezium.newkey`: that key as a row, read with `key_columns`."""
    key_changed: bool = False
    """True where the header `__debezium.newkey` was there, readable or not."""


class NotAChange(msgspec.Struct, frozen=True):
    """A record that is no row change: heartbeat, transaction, schema change, message, notification."""

    kind: str


class Undecodable(msgspec.Struct, frozen=True):
    """A record that cannot be decoded: a dead letter. The message carries no data of the record."""

    stage: Stage
    code: str
    message: str


Decoded = Change | NotAChange | Undecodable


class Intent(msgspec.Struct, frozen=True, gc=False):
    """What an activation wants done to one person.

    `known` holds the values that are worked out: all of the mapped row where `whole`, else the changed ones. The rest
    of the row is worked out only when `values` is read: most updates send only what changed.
    """

    kind: Kind
    identifier: str
    """The person at the destination, normalised."""
    identified_by: str
    """Which identifier it is: `external_id`, `email` …"""
    known: Mapping[str, Sent] = {}
    """Name to value in the form sent."""
    whole: bool = True
    """True where the whole row is to be sent, False where only what changed."""
    record: Record | None = None
    mapped: Callable[[Record], dict[str, Sent]] | None = None
    """Works the mapped values of `record` out."""
    older: Mapping[str, Sent] | None = None
    """Values of merged, older intents: they stand in for names that the newest row does not know."""
    follows: str | None = None
    """For the Delete of an old identifier: the new identifier whose Insert must be Delivered first."""
    formerly: str | None = None
    """For a whole write with `on_identifier_change: rename`: the identifier under which the destination may still know
    the person, who gets the new one before anything else. In a request it stands for both identifiers."""

    @property
    def values(self) -> Mapping[str, Sent]:
        """The whole mapped row; names whose value is omitted are not in it."""
        if self.whole:
            return self.known
        rest = self.mapped(self.record) if self.mapped is not None and self.record is not None else {}
        return {**(self.older or {}), **rest, **self.known}

    @property
    def to_send(self) -> Mapping[str, Sent]:
        """What a write should carry: the changed values, or the whole row where the intent is `whole`."""
        return self.known

    def as_whole(self, kind: Kind | None = None) -> Intent:
        """The same intent with the whole row to be sent."""
        return Intent(kind or self.kind, self.identifier, self.identified_by, self.values, formerly=self.formerly)


class Nothing(msgspec.Struct, frozen=True):
    """A change that asks for nothing, for this reason; `warning` is the code of what a person should know."""

    reason: str
    warning: str | None = None


class Refused(msgspec.Struct, frozen=True):
    """A change that is a dead letter. The message carries no data of the record."""

    stage: Stage
    code: str
    message: str


class Unseen(msgspec.Struct, frozen=True):
    """Somebody who is not in the segment, and may have been: a Delete of whom the activation ever wrote, and nothing
    else. Only the last-delivered state knows."""

    identifier: str
    identified_by: str

    @property
    def delete(self) -> Intent:
        """What it is where the state knows them."""
        return Intent("delete", self.identifier, self.identified_by)


Decision = Intent | tuple[Intent, ...] | Nothing | Refused | Unseen
"""What a change means for one activation."""


class Delivered(msgspec.Struct, frozen=True):
    """The destination took it."""


class Ignored(msgspec.Struct, frozen=True):
    """Rightly without effect, for instance an update of a person the destination does not know."""

    reason: str


class Parked(msgspec.Struct, frozen=True):
    """Put aside for a person to decide."""

    reason: str


class Rejected(msgspec.Struct, frozen=True):
    """Refused for good: a dead letter. `code` is of a closed set, `message` is without personal data and secrets."""

    code: str
    message: str
    status: int | None = None


class Retry(msgspec.Struct, frozen=True):
    """Not yet: the destination failed. `after` in seconds where the vendor said so."""

    reason: str
    after: float | None = None


class Throttled(msgspec.Struct, frozen=True):
    """Not yet: the vendor asks to wait `after` seconds (None: it did not say). Uses up no attempt."""

    reason: str
    after: float | None = None


class Halt(msgspec.Struct, frozen=True):
    """Nothing can go on until a person acts: credentials, permissions, a wrong address."""

    reason: str


Outcome = Delivered | Ignored | Parked | Rejected | Retry | Throttled | Halt
DELIVERED = Delivered()
UNCHANGED = Ignored("unchanged")
"""The destination is known to have all of it already: nothing was sent."""
