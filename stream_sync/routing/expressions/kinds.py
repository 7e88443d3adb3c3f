"""SQL's types as seen from Python values, and the two kinds of value that exist only inside an expression.

Invariants:
- A value's kind is decided by its exact Python type: bool is not int, datetime is not date.
- `Json` and `CalendarInterval` never leave an expression.
"""

from __future__ import annotations

import enum
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple


class Kind(enum.StrEnum):
    """A type as PostgreSQL names it (all datetimes are timestamps at UTC, all texts text, all integers bigint)."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    NUMERIC = "numeric"
    DOUBLE = "double precision"
    TEXT = "text"
    DATE = "date"
    TIMESTAMP = "timestamp"
    TIME = "time"
    INTERVAL = "interval"
    BYTEA = "bytea"
    ARRAY = "array"
    JSON = "json"
    UNKNOWN = "an untyped literal"
    """A quoted literal whose type the context decides, as in PostgreSQL."""
    NULL = "NULL"


class Json:
    """A JSON value inside an expression, so that a JSON null is not NULL and a JSON string is not text."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class CalendarInterval(NamedTuple):
    """An interval with months, which have no length until they are added to a date."""

    months: int
    rest: timedelta


KINDS: dict[type, Kind] = {
    bool: Kind.BOOLEAN,
    int: Kind.INTEGER,
    Decimal: Kind.NUMERIC,
    float: Kind.DOUBLE,
    str: Kind.TEXT,
    date: Kind.DATE,
    datetime: Kind.TIMESTAMP,
    time: Kind.TIME,
    timedelta: Kind.INTERVAL,
    CalendarInterval: Kind.INTERVAL,
    bytes: Kind.BYTEA,
    list: Kind.ARRAY,
    dict: Kind.JSON,
    Json: Kind.JSON,
    type(None): Kind.NULL,
}
TYPES: dict[Kind, tuple[type, ...]] = {
    kind: tuple(type_ for type_, its_kind in KINDS.items() if its_kind is kind) for kind in Kind
}
NUMBERS = frozenset({Kind.INTEGER, Kind.NUMERIC, Kind.DOUBLE})


def kind_of(value: Any) -> str:
    """The type of a value, for messages."""
    return KINDS.get(type(value), "of no SQL type")


def midnight(day: date) -> datetime:
    """A date as a timestamp."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def unwrapped(value: Any) -> Any:
    """A JSON value as plain Python."""
    return value.value if type(value) is Json else value
