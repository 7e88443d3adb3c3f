"""The types that a column can have on the wire, by the names of the config's `types:`.

Invariants:
- One ColumnType says everything about a column: what may be on the wire, how it becomes a Python value, and which
  wire values mean unavailable. Equal names mean equal types.
- Where `read` is None, a wire value of the annotation `wire` is the Python value as it is.
- A reader gets no NULL: None is None in every type.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec

from stream_sync.formats import numerics, temporal, unavailable
from stream_sync.model import UnrepresentableError, Value, WireValueError

Read = Callable[[Any], Value]

_DECIMAL = re.compile(r"decimal\(\s*(\d{1,4})\s*\)")
_ARRAY = re.compile(r"array\((.*)\)")
_parse_json = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class ColumnType:
    """`wire` is what msgspec may decode it to (besides None); `check` reads a value that nobody proved to be of it."""

    name: str
    wire: Any = field(compare=False)
    read: Read | None = field(compare=False)
    check: Read = field(compare=False)
    marks: unavailable.Marks = field(compare=False, default=unavailable.TEXT)
    canonical: bool = field(compare=False, default=False)
    """Whether different wire values are always different values, also in the form sent."""


def _converted(
    name: str, read: Read, marks: unavailable.Marks = unavailable.TEXT, *, canonical: bool = False
) -> ColumnType:
    return ColumnType(name, Any, read, read, marks, canonical)


def _proven(name: str, wire: type) -> ColumnType:
    """A type whose wire value is the Python value."""

    def check(value: Any) -> Value:
        if type(value) is not wire:
            raise WireValueError(f"is not a value of type {name}")
        return value

    return ColumnType(name, wire, None, check)


def as_shown(wire: Any) -> Value:
    """The value as JSON shows it: texts stay texts, numbers int or float; Avro's bytes are base64 there."""
    if isinstance(wire, Decimal):
        return numerics.read_float(wire)
    if isinstance(wire, bytes):
        return base64.b64encode(wire).decode()
    if isinstance(wire, list):
        return [as_shown(item) for item in wire]
    if isinstance(wire, dict):
        return {name: as_shown(member) for name, member in wire.items()}
    return wire


def read_json(wire: Any) -> Value:
    """From JSON text, parsed; 'null' (which jsonb has besides NULL) is None. What is no text is taken as shown."""
    if type(wire) is not str:
        return as_shown(wire)
    try:
        return _parse_json(wire)
    except msgspec.ValidationError:
        raise UnrepresentableError("holds a number beyond a float's range") from None
    except msgspec.DecodeError:
        raise WireValueError("is not JSON") from None


TEXT = _proven("text", str)
INT = _proven("int", int)
UUID = _proven("uuid", str)
BOOLEAN = _proven("boolean", bool)
"""A schema's boolean: never 0 or 1."""
BOOL = _converted("bool", numerics.read_bool)
# Typed, so that a float column's numbers stay floats where a row's other numbers are decoded as Decimals. NaN and the
# infinities, which come as text, are left to `check`.
FLOAT = ColumnType("float", float, None, numerics.read_float)
BYTES = _converted("bytes", numerics.read_bytes, unavailable.BYTES)
JSON = _converted("json", read_json, unavailable.ANY)
SHOWN = _converted("shown", as_shown, unavailable.ANY)
DATE = _converted("date", temporal.read_date)
TIMESTAMP = _converted("timestamp", temporal.timestamp_reader(1_000))
MICRO_TIMESTAMP = _converted("micro_timestamp", temporal.timestamp_reader(1_000_000))
NANO_TIMESTAMP = _converted("nano_timestamp", temporal.timestamp_reader(1_000_000_000))
ZONED_TIMESTAMP = _converted("zoned_timestamp", temporal.read_zoned_timestamp)
TIME = _converted("time", temporal.read_unmarked_time)
MILLI_TIME = _converted("milli_time", temporal.time_reader(1_000))
MICRO_TIME = _converted("micro_time", temporal.time_reader(1_000_000))
NANO_TIME = _converted("nano_time", temporal.time_reader(1_000_000_000))
ISO_TIME = _converted("iso_time", temporal.read_iso_time)
INTERVAL = _converted("interval", temporal.read_interval)
DURATION = _converted("duration", temporal.read_duration)
NANO_DURATION = _converted("nano_duration", temporal.duration_reader(1_000_000_000))
STRUCTURED = _converted("structured", temporal.read_structured)
VARIABLE_SCALE_DECIMAL = _converted("variable_scale_decimal", numerics.read_variable_scale_decimal)


def decimal(scale: int) -> ColumnType:
    return _converted(f"decimal({scale})", numerics.decimal_reader(scale), canonical=True)


def array(items: ColumnType) -> ColumnType:
    """A list whose items are of one type, or None."""
    check = items.check

    def read_array(wire: Any) -> list[Value]:
        if not isinstance(wire, list):
            raise WireValueError(f"is not a value of type array({items.name})")
        return [None if item is None else check(item) for item in wire] if wire else []

    return _converted(f"array({items.name})", read_array, unavailable.ARRAY)


_PLAIN = (
    *(TEXT, INT, FLOAT, BOOL, DATE, TIMESTAMP, MICRO_TIMESTAMP, NANO_TIMESTAMP, ZONED_TIMESTAMP),
    *(TIME, MILLI_TIME, MICRO_TIME, NANO_TIME, DURATION, UUID, JSON, BYTES),
)
_BY_NAME = {kind.name: kind for kind in _PLAIN}


def named(name: str) -> ColumnType:
    """The type of a name in the config's `types:`; ValueError, saying what would be right, for any other."""
    name = name.strip()
    if name in _BY_NAME:
        return _BY_NAME[name]
    if match := _DECIMAL.fullmatch(name):
        return decimal(int(match[1]))
    if match := _ARRAY.fullmatch(name):
        return array(named(match[1]))
    raise ValueError(f"{name!r} is not a column type; write one of {', '.join(_BY_NAME)}, decimal(S) or array(T)")


def declared_types(types: Mapping[str, str], needed: frozenset[str]) -> dict[str, ColumnType]:
    """The config's `types:` of the needed columns; `"*"` stands for every other one, `"*": json` meaning as JSON
    shows it. Raises ValueError for a name that is no type."""
    found = {name: named(types[name]) for name in needed if name in types}
    if "*" in types:
        rest = SHOWN if types["*"] == "json" else named(types["*"])
        found = {name: found.get(name, rest) for name in needed}
    return found
