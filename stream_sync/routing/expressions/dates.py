"""extract, date_part and date_trunc.

Invariants:
- A field or unit is a literal, checked while the text is compiled.
- extract gives numeric with PostgreSQL's scale (seconds and epoch 6 places), date_part double precision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from stream_sync.routing.expressions.errors import EvaluationError, ExpressionError
from stream_sync.routing.expressions.functions import MOMENT, Function, Parameter, strict, table
from stream_sync.routing.expressions.kinds import Kind, midnight
from stream_sync.routing.expressions.node import Node

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_OF_DATE: dict[str, Callable[[date], int]] = {
    "year": lambda day: day.year,
    "month": lambda day: day.month,
    "day": lambda day: day.day,
    "quarter": lambda day: (day.month + 2) // 3,
    "week": lambda day: day.isocalendar().week,
    "isoyear": lambda day: day.isocalendar().year,
    "dow": lambda day: day.isoweekday() % 7,
    "isodow": lambda day: day.isoweekday(),
    "doy": lambda day: day.timetuple().tm_yday,
    "decade": lambda day: day.year // 10,
    "century": lambda day: (day.year + 99) // 100,
    "millennium": lambda day: (day.year + 999) // 1000,
}
_OF_CLOCK: dict[str, Callable[[datetime | time], int | Decimal]] = {
    "hour": lambda clock: clock.hour,
    "minute": lambda clock: clock.minute,
    "second": lambda clock: _scaled(clock.second * 1_000_000 + clock.microsecond, 6),
    "milliseconds": lambda clock: _scaled(clock.second * 1_000_000 + clock.microsecond, 3),
    "microseconds": lambda clock: clock.second * 1_000_000 + clock.microsecond,
}
_OF_INTERVAL: dict[str, Callable[[timedelta], int | Decimal]] = {
    "epoch": lambda length: _scaled(length // _MICROSECOND, 6),
    "day": lambda length: int(length / timedelta(days=1)),
    "hour": lambda length: _rest_of_day(length) // 3_600_000_000 * _sign(length),
    "minute": lambda length: _rest_of_day(length) // 60_000_000 % 60 * _sign(length),
    "second": lambda length: _scaled(_rest_of_day(length) % 60_000_000 * _sign(length), 6),
}
_FIELDS = frozenset(_OF_DATE) | frozenset(_OF_CLOCK) | {"epoch"}
_ALIASES = {
    "years": "year", "months": "month", "mon": "month", "days": "day", "hours": "hour", "minutes": "minute",
    "min": "minute", "seconds": "second", "sec": "second", "weeks": "week", "quarters": "quarter",
    "millisecond": "milliseconds", "microsecond": "microseconds", "decades": "decade", "centuries": "century",
}  # fmt: skip
_UNITS: dict[str, Callable[[datetime], datetime]] = {
    "microseconds": lambda moment: moment,
    "milliseconds": lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000),
    "second": lambda moment: moment.replace(microsecond=0),
    "minute": lambda moment: moment.replace(second=0, microsecond=0),
    "hour": lambda moment: moment.replace(minute=0, second=0, microsecond=0),
    "day": midnight,
    "week": lambda moment: midnight(moment) - timedelta(days=moment.weekday()),
    "month": lambda moment: datetime(moment.year, moment.month, 1, tzinfo=UTC),
    "quarter": lambda moment: datetime(moment.year, (moment.month - 1) // 3 * 3 + 1, 1, tzinfo=UTC),
    "year": lambda moment: datetime(moment.year, 1, 1, tzinfo=UTC),
    "decade": lambda moment: datetime(moment.year // 10 * 10, 1, 1, tzinfo=UTC),
    "century": lambda moment: datetime((moment.year + 99) // 100 * 100 - 99, 1, 1, tzinfo=UTC),
    "millennium": lambda moment: datetime((moment.year + 999) // 1000 * 1000 - 999, 1, 1, tzinfo=UTC),
}  # fmt: skip
_SOURCE = Parameter(
    "date, timestamp, time or interval", frozenset({Kind.DATE, Kind.TIMESTAMP, Kind.TIME, Kind.INTERVAL})
)


def _scaled(number: int, places: int) -> Decimal:
    return Decimal(number).scaleb(-places)


def _sign(length: timedelta) -> int:
    return -1 if length < timedelta() else 1


def _rest_of_day(length: timedelta) -> int:
    return abs(length) // _MICROSECOND % 86_400_000_000


def _field(field: str, source: Any) -> int | Decimal:
    moment = isinstance(source, datetime)
    if field == "epoch" and isinstance(source, date):
        since = (source if isinstance(source, datetime) else midnight(source)) - _EPOCH
        return _scaled(since // _MICROSECOND, 6) if moment else since.days * 86400
    if field in _OF_DATE and isinstance(source, date):
        return _OF_DATE[field](source)
    if field in _OF_CLOCK and isinstance(source, (datetime, time)):
        return _OF_CLOCK[field](source)
    if field == "epoch" and isinstance(source, time):
        micros = (source.hour * 3600 + source.minute * 60 + source.second) * 1_000_000 + source.microsecond
        return _scaled(micros, 6)
    if field in _OF_INTERVAL and isinstance(source, timedelta):
        return _OF_INTERVAL[field](source)
    raise EvaluationError(f"the type has no field {field}")


def _named(what: str, node: Node, known: Sequence[str] | frozenset[str]) -> str:
    if not node.constant or not isinstance(node.value, str):
        raise ExpressionError(f"the {what} must be a quoted literal, such as 'month'", node.position)
    name = node.value.lower()
    name = _ALIASES.get(name, name)
    if name not in known:
        raise ExpressionError(f"{node.value!r} is not a known {what}; known: {', '.join(sorted(known))}", node.position)
    return name


def extract(field: Node, source: Node, position: int | None) -> Node:
    """`extract(field from source)`."""
    name = _named("field", field, _FIELDS)
    build, _, _ = strict("extract", [_SOURCE], lambda value: Decimal(_field(name, value)), Kind.NUMERIC)
    return build([source], position)


def _date_part(arguments: Sequence[Node], position: int | None) -> Node:
    name = _named("field", arguments[0], _FIELDS)

    def implementation(value: Any) -> float:
        # date_part of a date is that of the timestamp at its midnight: it has an hour, unlike in extract.
        number = _field(name, midnight(value) if type(value) is date else value)
        # PostgreSQL makes the microseconds a double first.
        return float(number * 1_000_000) / 1e6 if name == "epoch" else float(number)

    build, _, _ = strict("date_part", [_SOURCE], implementation, Kind.DOUBLE)
    return build(arguments[1:], position)


def _date_trunc(arguments: Sequence[Node], position: int | None) -> Node:
    cut = _UNITS[_named("unit", arguments[0], tuple(_UNITS))]

    def implementation(value: date) -> datetime:
        return cut(value if isinstance(value, datetime) else midnight(value))

    build, _, _ = strict("date_trunc", [MOMENT], implementation, Kind.TIMESTAMP)
    return build(arguments[1:], position)


FUNCTIONS: dict[str, Function] = table(
    {
        "date_part": (
            "date_part('field', moment)",
            "a field as double precision; also `extract(field from moment)`, as numeric",
            (_date_part, 2, 2),
        ),
        "date_trunc": ("date_trunc('unit', moment)", "the start of the unit, as a timestamp", (_date_trunc, 2, 2)),
    }
)
