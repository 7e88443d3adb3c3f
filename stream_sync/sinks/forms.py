"""A column's Python value in the form a destination takes: the table of values, as pieces a sink puts together.

Invariants:
- A form never raises for a value: what a vendor cannot hold is left out (`Omitted.UNREPRESENTABLE`), with a warning.
- Equal values give equal forms; NaN and infinity are left out, so they equal each other.
- What comes out is made of None, bool, int, float, Decimal, str, list and dict, all finite; `encode` writes it as JSON
  with Decimals as numbers, every digit kept.
- Text, numbers and NULL take the short way: one look at the type.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

import msgspec

from stream_sync.model import Omitted, Sent, Value
from stream_sync.sinks.texts import TEXTS, scalar_text

Form = Callable[[Value], "Sent | Omitted"]
Nulls = Literal["unset", "skip"]
Tell = Callable[[str], None]
"""Tells a warning (its code) about the one name a form is for."""

LARGEST = 10**308
"""Numbers as large as this may be beyond a double's range."""
MOST_LEVELS = 100
"""Of lists and objects in one another; JSON readers and writers give up at some hundreds."""
TRUNCATED = "value_truncated"
UNREPRESENTABLE = "value_unrepresentable"

encode = msgspec.json.Encoder(decimal_format="number").encode


class Dialect(msgspec.Struct, frozen=True):
    """How one vendor takes lists, dicts and text."""

    lists: Literal["list", "comma"] = "list"
    """A list, or text with commas."""
    dicts: Literal["nested", "json"] = "nested"
    """A nested object, or JSON text."""
    nested_moment: Callable[[str], Sent] = str
    """What becomes of a date's or moment's text inside a nested object."""
    takes_key: Callable[[str], bool] = bool
    """Which keys may stand in a nested object; members with others are left out."""
    takes_object: Callable[[Mapping[Any, Value]], bool] = lambda value: True
    """Which objects may be sent at all."""
    text_limit: int | None = None
    """Longer text is cut, in characters."""
    blank_is_null: bool = False
    """Empty and blank text means the same as NULL."""


def general(dialect: Dialect, nulls: Nulls, tell: Tell) -> Form:
    """The form of a value in a target of any type."""
    nest = _Nest(dialect, tell)
    null = None if nulls == "unset" else Omitted.NULL_SKIPPED
    limit = math.inf if dialect.text_limit is None else dialect.text_limit
    blank_is_null = dialect.blank_is_null
    written_of = TEXTS.get

    def form(value: Value) -> Sent | Omitted:
        kind = type(value)
        if kind is str:
            if blank_is_null and (not value or value.isspace()):
                return null
            return value if len(value) <= limit else nest.text(value)
        if kind is bool:
            return value
        if value is None:
            return null
        if kind is int or kind is float or kind is Decimal:
            return value if is_finite(value) else nest.top(value)
        if written := written_of(kind):
            return written(value)
        return nest.top(value)

    return form


def text(dialect: Dialect, nulls: Nulls, tell: Tell) -> Form:
    """The form of a text field: numbers, dates and the like as text; lists and dicts as `general` has them."""
    inner = general(dialect, nulls, tell)

    def form(value: Value) -> Sent | Omitted:
        return inner(value if type(value) is str or value is None or not is_finite(value) else scalar_text(value))

    return form


def comma_text(values: Sequence[Sent]) -> str:
    """Values with commas between; numbers as JSON writes them, inner lists and objects as JSON text."""
    return ",".join(value if isinstance(value, str) else json_text(value) for value in values)


def json_text(value: Sent) -> str:
    return encode(value).decode()


def is_finite(value: Value) -> bool:
    """Whether a number is one in JSON; beyond a double's range it is infinite to whoever reads it. What is no number
    is finite."""
    kind = type(value)
    if kind is int:
        return bool(-LARGEST < value < LARGEST)
    if kind is float:
        return math.isfinite(value)
    return kind is not Decimal or (value.is_finite() and value.adjusted() < 308)


class _Nest:
    """Turns what is not plain text, number or NULL: inner NULLs dropped, what cannot be said left out."""

    def __init__(self, dialect: Dialect, tell: Tell) -> None:
        self._dialect = dialect
        self._tell = tell

    def top(self, value: Value) -> Sent | Omitted:
        """A value that stands by itself."""
        try:
            sent = self._inner(value, MOST_LEVELS, in_object=False)
            if isinstance(value, list | tuple) and self._dialect.lists == "comma":
                return self.text(comma_text(sent))
            if isinstance(value, dict) and sent is not None and self._dialect.dicts == "json":
                return self.text(json_text(sent))
        except (_TooDeepError, UnicodeEncodeError):  # the other: half a surrogate pair
            sent = None
            self._tell(UNREPRESENTABLE)
        return Omitted.UNREPRESENTABLE if sent is None else sent

    def text(self, value: str) -> str:
        limit = self._dialect.text_limit
        if limit is None or len(value) <= limit:
            return value
        self._tell(TRUNCATED)
        return value[:limit]

    def _inner(self, value: Value, levels: int, *, in_object: bool) -> Sent:
        """None where it is NULL or cannot be said. `levels`: so many more may be in it."""
        kind = type(value)
        if kind is str:
            return self.text(value)
        if (kind is dict or kind is list or kind is tuple) and not levels:
            raise _TooDeepError
        if kind is dict:
            return self._object(value, levels - 1)
        if kind is list or kind is tuple:
            turned = [self._inner(element, levels - 1, in_object=in_object) for element in value]
            return [element for element in turned if element is not None]
        if written := TEXTS.get(kind):
            is_moment = in_object and isinstance(value, dt.date)
            return self._dialect.nested_moment(written(value)) if is_moment else written(value)
        if is_finite(value):
            return value
        self._tell(UNREPRESENTABLE)
        return None

    def _object(self, values: Mapping[Any, Value], levels: int) -> dict[str, Sent] | None:
        turned: dict[str, Sent] = {}
        for key, value in values.items():
            if not self._dialect.takes_key(name := str(key)):
                self._tell(UNREPRESENTABLE)
            elif (inner := self._inner(value, levels, in_object=True)) is not None:
                turned[name] = inner
        if not self._dialect.takes_object(turned):  # as it would be sent: some members may be left out
            self._tell(UNREPRESENTABLE)
            return None
        return turned


class _TooDeepError(Exception):
    """Lists and objects are nested deeper than MOST_LEVELS."""
