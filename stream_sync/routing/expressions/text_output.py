"""Values to PostgreSQL's text form.

Invariants:
- A timestamp is written as a timestamptz at UTC (`2024-01-31 10:00:00+00`): all datetimes are that here.
- JSON is written as jsonb writes it, members in the order they were parsed.
"""

from __future__ import annotations

import json
import math
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from stream_sync.routing.expressions.errors import EvaluationError
from stream_sync.routing.expressions.kinds import Json, kind_of

_DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)


def float_text(value: float) -> str:
    """The shortest text that reads back as the same double; an exponent from 1e15 and below 1e-4."""
    if math.isnan(value):
        return "NaN"
    text = repr(value)
    if "inf" in text:
        return "-Infinity" if value < 0 else "Infinity"
    if "e" not in text and abs(value) < 1e15:
        return text.removesuffix(".0")
    mantissa, _, exponent = f"{Decimal(text).normalize():e}".partition("e")
    power = int(exponent)
    return f"{mantissa}e{'-' if power < 0 else '+'}{abs(power):02}" if power >= 15 or power < -4 else text


def decimal_text(value: Decimal) -> str:
    """All digits, no exponent."""
    if value.is_nan():
        return "NaN"
    return f"{value:f}"


def clock_text(value: time | datetime) -> str:
    """`HH:MM:SS[.f]`, the fraction without trailing zeros."""
    fraction = f".{value.microsecond:06}".rstrip("0") if value.microsecond else ""
    return f"{value.hour:02}:{value.minute:02}:{value.second:02}{fraction}"


def timestamp_text(value: datetime) -> str:
    """As timestamptz at UTC."""
    return f"{value.date().isoformat()} {clock_text(value)}+00"


def interval_text(value: timedelta) -> str:
    """`3 days 04:05:06`, every 24 hours a day."""
    days = abs(value) // _DAY * (-1 if value < timedelta() else 1)
    micros = abs(value - days * _DAY) // _MICROSECOND
    seconds, micros = divmod(micros, 1_000_000)
    fraction = f".{micros:06}".rstrip("0") if micros else ""
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{fraction}"
    if days and not (seconds or micros):
        return f"{days} day{'' if days == 1 else 's'}"
    sign = "-" if value < timedelta() and (seconds or micros) else ""
    return f"{days} day{'' if days == 1 else 's'} {sign}{clock}" if days else sign + clock


def json_text(value: Any) -> str:
    """A JSON value as jsonb writes it."""
    match value:
        case dict():
            return "{" + ", ".join(f"{json_text(str(name))}: {json_text(item)}" for name, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(json_text, value)) + "]"
        case str():
            return json.dumps(value, ensure_ascii=False)
        case None:
            return "null"
    return json_scalar_text(value)


def json_scalar_text(value: Any) -> str:
    """What ->> gives for a JSON scalar that is not null."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case float():
            return f"{Decimal(repr(value)):f}"
        case int():
            return str(value)
        case Decimal():
            return decimal_text(value)
    raise EvaluationError(f"{kind_of(value)} inside JSON")


def text(value: Any) -> str:
    """What ::text gives. Raises EvaluationError for a list (array and JSON write it differently)."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return float_text(value)
        case Decimal():
            return decimal_text(value)
        case datetime():
            return timestamp_text(value)
        case date():
            return value.isoformat()
        case time():
            return clock_text(value)
        case timedelta():
            return interval_text(value)
        case bytes():
            return "\\x" + value.hex()
        case dict():
            return json_text(value)
        case Json():
            return json_text(value.value)
        case list():
            raise EvaluationError("a list has no single text form; use array_to_string, or ::jsonb::text for JSON")
    raise EvaluationError(f"{kind_of(value)} has no text form; add it to a date or timestamp")


def concatenated(value: Any) -> str:
    """What concat() makes of a value: as ::text, but booleans as t and f."""
    return ("t" if value else "f") if type(value) is bool else text(value)
