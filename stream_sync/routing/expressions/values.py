"""Comparing two values that are not NULL, as PostgreSQL does.

Invariants:
- Text is ordered by code point (PostgreSQL's C collation).
- NaN equals NaN and is above every number; a double beside an exact number compares as doubles.
- Types that PostgreSQL cannot compare raise EvaluationError, never give False.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from stream_sync.routing.expressions.errors import EvaluationError
from stream_sync.routing.expressions.kinds import CalendarInterval, Json, kind_of, midnight, unwrapped

Compare = Callable[[Any, Any], bool]
SYMBOLS: dict[str, Compare] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
MIRRORED = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
PLAIN = frozenset({str, int, bool, date, datetime, time, timedelta, bytes})
"""Types whose own comparison is SQL's, between two values of the same type."""

_NUMBERS = frozenset({int, float, Decimal})
_MOMENTS = frozenset({date, datetime})
_INTERVALS = frozenset({timedelta, CalendarInterval})
_DOCUMENTS = frozenset({dict, list, Json})


def compare(symbol: str, left: Any, right: Any) -> bool:
    """`left symbol right`, neither NULL."""
    one, other = type(left), type(right)
    if one is other and one in PLAIN:
        return SYMBOLS[symbol](left, right)
    if one in _NUMBERS and other in _NUMBERS:
        return _compare_numbers(symbol, left, right)
    if one in _MOMENTS and other in _MOMENTS:
        return SYMBOLS[symbol](_moment(left), _moment(right))
    if one in _INTERVALS and other in _INTERVALS:
        return SYMBOLS[symbol](length(left), length(right))
    if one in _DOCUMENTS and other in _DOCUMENTS and symbol in ("=", "<>"):
        return documents_equal(unwrapped(left), unwrapped(right)) is (symbol == "=")
    raise EvaluationError(f"{kind_of(left)} {symbol} {kind_of(right)} is not defined; cast one of them")


def _compare_numbers(symbol: str, left: float | Decimal, right: float | Decimal) -> bool:
    if isinstance(left, float) or isinstance(right, float):
        left, right = float(left), float(right)
    if math.isnan(left) or math.isnan(right):
        return SYMBOLS[symbol](math.isnan(left), math.isnan(right))
    return SYMBOLS[symbol](left, right)


def _moment(value: date) -> datetime:
    return value if isinstance(value, datetime) else midnight(value)


def length(interval: timedelta | CalendarInterval) -> timedelta:
    """An interval for comparison: a month counts 30 days, as in PostgreSQL."""
    if isinstance(interval, CalendarInterval):
        return timedelta(days=30 * interval.months) + interval.rest
    return interval


def documents_equal(left: Any, right: Any) -> bool:
    """Equality of arrays and JSON values: NULL equals NULL, true is not 1."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(documents_equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(documents_equal(left[name], right[name]) for name in left)
    if type(left) in _NUMBERS and type(right) in _NUMBERS:
        return _compare_numbers("=", left, right)
    return type(left) is type(right) and left == right


def contains(whole: Any, part: Any, top: bool = True) -> bool:
    """jsonb's @>: members and elements of `part` are all in `whole`, at their level."""
    if isinstance(whole, dict) and isinstance(part, dict):
        return all(name in whole and contains(whole[name], item, top=False) for name, item in part.items())
    if isinstance(whole, list) and isinstance(part, list):
        return all(any(contains(own, item, top=False) for own in whole) for item in part)
    if top and isinstance(whole, list) and not isinstance(part, dict):
        return any(documents_equal(own, part) for own in whole)
    return documents_equal(whole, part)
