"""Text to values, as PostgreSQL's input functions read it: for casts from text and for untyped literals.

Invariants:
- Every function raises EvaluationError without the text in the message.
- Dates and times are read in ISO 8601 only; moving ones ('now', 'today') and infinite ones are refused.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

from stream_sync.errors import FAULTS
from stream_sync.routing.expressions import numeric
from stream_sync.routing.expressions.errors import EvaluationError
from stream_sync.routing.expressions.interval_input import interval
from stream_sync.routing.expressions.kinds import Json

_SPACE = " \t\n\r\f\v"
_INTEGER = re.compile(r"[+-]?[0-9]{1,30}")
_DOUBLE = re.compile(r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|inf|infinity)|nan", re.IGNORECASE)
_NUMERIC = re.compile(r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]{1,5})?|inf|infinity)|nan", re.IGNORECASE)
_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})", re.ASCII)
_CLOCK = r"(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?"
_TIME = re.compile(_CLOCK, re.ASCII)
_TIMESTAMP = re.compile(
    rf"{_DATE.pattern}(?:[T\s]\s*{_CLOCK})?\s*(Z|UTC|GMT|[+-]\d{{1,2}}(?::?\d{{2}})?)?", re.ASCII | re.IGNORECASE
)
_TRUE = frozenset({"t", "tr", "tru", "true", "y", "ye", "yes", "on", "1"})
_FALSE = frozenset({"f", "fa", "fal", "fals", "false", "n", "no", "of", "off", "0"})


def _matched(pattern: re.Pattern[str], text: str, needs: str) -> re.Match[str]:
    if len(text) <= numeric.MAX_DIGITS and (found := pattern.fullmatch(text.strip(_SPACE))):
        return found
    raise EvaluationError(f"the text is not {needs}")


def integer(text: str) -> int:
    """A bigint."""
    value = int(_matched(_INTEGER, text, "an integer").group())
    if -(2**63) <= value < 2**63:
        return value
    raise EvaluationError("the integer is outside bigint")


def decimal(text: str) -> Decimal:
    """A numeric of any scale."""
    return numeric.parsed(_matched(_NUMERIC, text, "a number").group())


def double(text: str) -> float:
    """A double precision."""
    found = _matched(_DOUBLE, text, "a number").group()
    value = float(found)
    if value in (float("inf"), float("-inf")) and "n" not in found.lower():
        raise EvaluationError("the number is outside double precision")
    return value


def boolean(text: str) -> bool:
    """true, yes, on, 1 and their beginnings, and the opposites."""
    word = text.strip(_SPACE).lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise EvaluationError("the text is not a boolean")


def calendar_date(text: str) -> date:
    """`YYYY-MM-DD`; a time of day after it is dropped."""
    return _moment(text, "a date (YYYY-MM-DD)", zoned=False).date()


def timestamp(text: str) -> datetime:
    """`YYYY-MM-DD[ HH:MM[:SS[.f]]]`; a zone is ignored, as PostgreSQL does for timestamp."""
    return _moment(text, "a timestamp (YYYY-MM-DD HH:MM:SS)", zoned=False)


def timestamptz(text: str) -> datetime:
    """As `timestamp`, with an optional offset such as +02:00; UTC without one."""
    return _moment(text, "a timestamp (YYYY-MM-DD HH:MM:SS+00)", zoned=True)


def _moment(text: str, needs: str, zoned: bool) -> datetime:
    found = _matched(_TIMESTAMP, text, needs)
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    try:
        start = datetime(int(year), int(month), int(day), tzinfo=_zone(zone) if zoned and zone else UTC)
        return (start + _clock(hour, minute, second, fraction)).astimezone(UTC)
    except FAULTS:
        raise EvaluationError(f"the text is not {needs}") from None


def _zone(text: str) -> timezone:
    if text[0] not in "+-":
        return UTC
    digits = text[1:].replace(":", "")
    hours, minutes = (digits[:-2], digits[-2:]) if len(digits) > 2 else (digits, "0")
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return timezone(-offset if text[0] == "-" else offset)


def _clock(hour: str | None, minute: str | None, second: str | None, fraction: str | None) -> timedelta:
    hours, minutes, seconds = int(hour or 0), int(minute or 0), int(second or 0)
    micros = int(numeric.rounded(Decimal(f"0.{fraction or 0}"), 6).scaleb(6))
    if minutes > 59 or seconds > 60 or timedelta(hours=hours, minutes=minutes, seconds=seconds) > timedelta(days=1):
        raise ValueError
    return timedelta(hours=hours, minutes=minutes, seconds=seconds, microseconds=micros)


def clock(text: str) -> time:
    """`HH:MM[:SS[.f]]`."""
    found = _matched(_TIME, text, "a time (HH:MM:SS)")
    try:
        since = _clock(*found.groups())
        if since >= timedelta(days=1):
            raise ValueError
        return (datetime(2000, 1, 1, tzinfo=UTC) + since).time()
    except FAULTS:
        raise EvaluationError("the text is not a time (HH:MM:SS)") from None


def uuid_text(text: str) -> str:
    """A UUID in lower case with hyphens."""
    try:
        return str(uuid.UUID(text.strip(_SPACE)))
    except FAULTS:
        raise EvaluationError("the text is not a uuid") from None


def json_value(text: str) -> Json:
    """A JSON document."""

    def constant(_: str) -> Any:
        raise ValueError

    try:
        return Json(json.loads(text, parse_constant=constant))
    except FAULTS:
        raise EvaluationError("the text is not JSON") from None


def binary(text: str) -> bytes:
    """Hexadecimal bytea: a backslash, x, and digits."""
    try:
        if not text.startswith("\\x"):
            raise ValueError
        return bytes.fromhex(text[2:])
    except FAULTS:
        raise EvaluationError("the text is not bytea (\\x and hexadecimal digits)") from None


LITERALS: dict[type, Callable[[str], Any]] = {
    str: str,
    int: integer,
    Decimal: decimal,
    float: double,
    bool: boolean,
    date: calendar_date,
    datetime: timestamptz,
    time: clock,
    timedelta: interval,
    bytes: binary,
    dict: json_value,
    Json: json_value,
}
"""How an untyped literal is read beside a value of a type."""
