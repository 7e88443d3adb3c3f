"""cast(x as type) and x::type.

Invariants:
- A cast that PostgreSQL does not have is an error for the row, and for the config where the type is known.
- A cast of a literal is done once, while the text is compiled.
"""

from __future__ import annotations

import dataclasses
import math
import struct
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from stream_sync.errors import FAULTS
from stream_sync.model import Row
from stream_sync.routing.expressions import numeric, text_input
from stream_sync.routing.expressions.array_input import array_literal
from stream_sync.routing.expressions.errors import EvaluationError, ExpressionError, failure
from stream_sync.routing.expressions.interval_input import interval
from stream_sync.routing.expressions.kinds import TYPES, CalendarInterval, Json, Kind, kind_of, midnight
from stream_sync.routing.expressions.node import Bound, Node, Reader, constant
from stream_sync.routing.expressions.text_output import text

Conversion = Callable[[Any], Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """A type to cast to: how to convert each Python type."""

    name: str
    kind: Kind
    conversions: dict[type, Conversion]


def _after(first: Conversion, then: Conversion) -> Conversion:
    return lambda value: then(first(value))


def _same(value: Any) -> Any:
    return value


def _whole(value: float | Decimal) -> int:
    if isinstance(value, float):
        return round(value)
    return int(numeric.rounded(value))


def _integers(name: str, bits: int) -> Target:
    limit = 1 << (bits - 1)

    def checked(convert: Callable[[Any], int]) -> Conversion:
        def run(value: Any) -> int:
            result = convert(value)
            if -limit <= result < limit:
                return result
            raise EvaluationError(f"the number is outside {name}")

        return run

    sources: dict[type, Callable[[Any], int]] = {
        int: _same,
        float: _whole,
        Decimal: _whole,
        str: text_input.integer,
        Json: lambda value: _whole(_json_number(value)),
    }
    if name == "integer":
        sources[bool] = int
    return Target(name, Kind.INTEGER, {source: checked(convert) for source, convert in sources.items()})


def _json_number(value: Json) -> Decimal:
    if type(value.value) in (int, float, Decimal):
        return Decimal(repr(value.value)) if isinstance(value.value, float) else Decimal(value.value)
    raise EvaluationError("the JSON value is not a number")


def _json_boolean(value: Json) -> bool:
    if isinstance(value.value, bool):
        return value.value
    raise EvaluationError("the JSON value is not a boolean")


def _decimal_of_float(value: float) -> Decimal:
    # PostgreSQL keeps 15 significant digits (DBL_DIG) of a double that becomes numeric.
    return numeric.plain(Decimal(f"{value:.15g}")) if math.isfinite(value) else Decimal(value)


def numerics(precision: int | None = None, scale: int = 0) -> Target:
    """numeric, or numeric(p, s)."""

    def fitted(value: Decimal) -> Decimal:
        if precision is None or value.is_nan():
            return value
        result = numeric.rounded(value, scale)
        if not result.is_finite() or (result and result.adjusted() >= precision - scale):
            raise EvaluationError(f"the number is outside numeric({precision}, {scale})")
        return result

    sources: dict[type, Callable[[Any], Decimal]] = {
        int: Decimal,
        Decimal: _same,
        float: _decimal_of_float,
        str: text_input.decimal,
        Json: _json_number,
    }
    return Target("numeric", Kind.NUMERIC, {source: _after(convert, fitted) for source, convert in sources.items()})


def _double_of_decimal(value: Decimal) -> float:
    result = float(value)
    if math.isinf(result) and value.is_finite():
        raise EvaluationError("the number is outside double precision")
    return result


def single(value: float) -> float:
    """The nearest 4-byte float, as the shortest decimal that stands for it."""
    try:
        packed = struct.pack("f", value)
    except OverflowError:
        raise EvaluationError("the number is outside real") from None
    (bits,) = struct.unpack("I", packed)
    nearest, below, above = (
        struct.unpack("f", struct.pack("I", one & 0xFFFFFFFF))[0] for one in (bits, bits - 1, bits + 1)
    )
    # A decimal half-way between two floats stands for neither, as in PostgreSQL.
    halves = ((nearest + below) / 2, (nearest + above) / 2)
    shortest = (float(f"{nearest:.{digits}g}") for digits in range(1, 10))
    return next((one for one in shortest if one not in halves and struct.pack("f", one) == packed), float(nearest))


_DOUBLES: dict[type, Conversion] = {
    int: float,
    float: _same,
    Decimal: _double_of_decimal,
    str: text_input.double,
    Json: lambda value: _double_of_decimal(_json_number(value)),
}


def texts(length: int | None = None) -> Target:
    """text, or varchar(n), which cuts."""
    sources = (
        str,
        int,
        float,
        Decimal,
        bool,
        date,
        datetime,
        time,
        timedelta,
        bytes,
        dict,
        Json,
        list,
        CalendarInterval,
    )
    convert = text if length is None else lambda value: text(value)[:length]
    return Target("text", Kind.TEXT, dict.fromkeys(sources, convert))


_TIMESTAMPS: dict[type, Conversion] = {datetime: _same, date: midnight}
_JSON: dict[type, Conversion] = {dict: Json, list: Json, Json: _same, str: text_input.json_value}
TARGETS: dict[str, Target] = {
    "smallint": _integers("smallint", 16),
    "integer": _integers("integer", 32),
    "bigint": _integers("bigint", 64),
    "numeric": numerics(),
    "real": Target("real", Kind.DOUBLE, {source: _after(convert, single) for source, convert in _DOUBLES.items()}),
    "double precision": Target("double precision", Kind.DOUBLE, _DOUBLES),
    "text": texts(),
    "boolean": Target(
        "boolean",
        Kind.BOOLEAN,
        {bool: _same, int: bool, str: text_input.boolean, Json: _json_boolean},
    ),
    "date": Target("date", Kind.DATE, {date: _same, datetime: datetime.date, str: text_input.calendar_date}),
    "timestamp": Target("timestamp", Kind.TIMESTAMP, {**_TIMESTAMPS, str: text_input.timestamp}),
    "timestamptz": Target("timestamptz", Kind.TIMESTAMP, {**_TIMESTAMPS, str: text_input.timestamptz}),
    "time": Target("time", Kind.TIME, {time: _same, datetime: datetime.time, str: text_input.clock}),
    "interval": Target("interval", Kind.INTERVAL, {timedelta: _same, CalendarInterval: _same, str: interval}),
    "uuid": Target("uuid", Kind.TEXT, {str: text_input.uuid_text}),
    "json": Target("json", Kind.JSON, _JSON),
    "jsonb": Target("jsonb", Kind.JSON, _JSON),
}


def arrays(element: Target) -> Target:
    """An array of another type."""

    def convert_list(values: list[Any]) -> list[Any]:
        return [None if value is None else converted(element, value) for value in values]

    return Target(
        f"{element.name}[]", Kind.ARRAY, {list: convert_list, str: lambda value: convert_list(array_literal(value))}
    )


def converted(target: Target, value: Any) -> Any:
    """The value as the target's type. Raises EvaluationError."""
    conversion = target.conversions.get(type(value))
    if conversion is None:
        raise EvaluationError(f"{kind_of(value)} cannot be cast to {target.name}")
    return conversion(value)


def cast(operand: Node, target: Target, position: int | None) -> Node:
    """The node of `operand::target`."""
    where = f"{operand.label}::{target.name}"
    if operand.constant:
        if operand.value is None:
            return dataclasses.replace(operand, kind=target.kind)
        try:
            return constant(converted(target, operand.value), operand.position, target.kind)
        except FAULTS as fault:
            raise ExpressionError(str(failure(where, fault)), operand.position) from None
    if operand.kind and not any(type_ in target.conversions for type_ in TYPES[operand.kind]):
        raise ExpressionError(f"{operand.label} is {operand.kind}: it cannot be cast to {target.name}", position)

    def bind(reader: Reader) -> Bound:
        read, find = operand.bind(reader), target.conversions.get

        def run(row: Row) -> Any:
            value = read(row)
            if value is None:
                return None
            conversion = find(type(value))
            try:
                return conversion(value) if conversion else converted(target, value)
            except FAULTS as fault:
                raise failure(where, fault) from None

        return run

    return Node(bind, target.kind, where, position)
