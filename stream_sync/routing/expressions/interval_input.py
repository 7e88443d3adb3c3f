"""Interval literals: `1 day`, `2 weeks 3 hours`, `1 month`, `01:30:00`, `-5 minutes`, `1 year ago`.

Invariants:
- Days are 24 hours (everything is at UTC); only months and years stay calendar units.
"""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

from stream_sync.errors import FAULTS
from stream_sync.routing.expressions.errors import EvaluationError
from stream_sync.routing.expressions.kinds import CalendarInterval

_UNITS = {
    "microsecond": timedelta(microseconds=1),
    "millisecond": timedelta(milliseconds=1),
    "second": timedelta(seconds=1),
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}
_MONTHS = {"month": 1, "year": 12}
_SHORT = {"sec": "second", "s": "second", "min": "minute", "m": "minute", "hr": "hour", "h": "hour", "d": "day"}
_SHORT |= {"w": "week", "mon": "month", "yr": "year", "y": "year"}
_PART = re.compile(
    r"\s*(?:([+-]?)(\d{1,9}):(\d{2})(?::(\d{2}(?:\.\d{1,6})?))?|([+-]?\d{1,9}(?:\.\d{1,6})?)\s*([a-z]+))", re.ASCII
)


def interval(text: str) -> timedelta | CalendarInterval:
    """An interval; a CalendarInterval where it has months. Raises EvaluationError."""
    rest = text.strip().lower()
    past = rest.endswith(" ago")
    rest = rest.removesuffix(" ago")
    months, length = 0, timedelta()
    try:
        if not rest:
            raise ValueError
        while rest:
            if (part := _PART.match(rest)) is None:
                raise ValueError
            rest = rest[part.end() :].rstrip()
            if part[5] is None:
                sign = -1 if part[1] == "-" else 1
                length += sign * timedelta(hours=int(part[2]), minutes=int(part[3]), seconds=float(part[4] or 0))
            elif (unit := _unit(part[6])) in _MONTHS:
                months += _MONTHS[unit] * int(part[5])
            else:
                length += _scaled(_UNITS[unit], part[5])
        if past:
            months, length = -months, -length
    except FAULTS:
        message = "the text is not an interval; write for instance '1 day', '2 hours 30 minutes' or '3 months'"
        raise EvaluationError(message) from None
    return CalendarInterval(months, length) if months else length


def _unit(word: str) -> str:
    word = word if word in _SHORT else word.removesuffix("s")
    return _SHORT.get(word, word)


def _scaled(unit: timedelta, amount: str) -> timedelta:
    return unit * int(amount) if "." not in amount else unit * float(Decimal(amount))
