"""Dates, times and intervals with + - * /, as tables by operand types.

Invariants:
- Datetimes are aware and at UTC; a date with an interval is a timestamp, date - date is a number of days.
- Months are added before days and clamp to the month's last day, as in PostgreSQL.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from stream_sync.routing.expressions.errors import EvaluationError
from stream_sync.routing.expressions.kinds import CalendarInterval, midnight

_Table = dict[tuple[type, type], Callable[[Any, Any], Any]]


def add_calendar(moment: date, interval: CalendarInterval) -> datetime:
    """A date or timestamp plus an interval with months."""
    start = moment if isinstance(moment, datetime) else midnight(moment)
    years, month = divmod(start.month - 1 + interval.months, 12)
    year = start.year + years
    day = min(start.day, monthrange(year, month + 1)[1])
    return start.replace(year=year, month=month + 1, day=day) + interval.rest


def _subtract_calendar(moment: date, interval: CalendarInterval) -> datetime:
    return add_calendar(moment, CalendarInterval(-interval.months, -interval.rest))


def _add_to_time(clock: time, interval: timedelta) -> time:
    return (
        datetime.combine(date(2000, 1, 1), clock, UTC)
        + timedelta(seconds=interval.seconds, microseconds=interval.microseconds)
    ).time()


def _since_midnight(clock: time) -> timedelta:
    return timedelta(hours=clock.hour, minutes=clock.minute, seconds=clock.second, microseconds=clock.microsecond)


def _times(interval: timedelta, factor: float | Decimal) -> timedelta:
    return interval * (factor if isinstance(factor, int) else float(factor))


def _calendar_times(interval: CalendarInterval, factor: int) -> CalendarInterval:
    if abs(factor) > 1_000_000:
        raise EvaluationError("the interval is too long")
    return CalendarInterval(interval.months * factor, interval.rest * factor)


def _swapped(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda left, right: function(right, left)


def _both_ways(table: _Table) -> _Table:
    return {**{(right, left): _swapped(function) for (left, right), function in table.items()}, **table}


ADD: _Table = {
    **_both_ways(
        {
            (date, int): lambda day, days: day + timedelta(days=days),
            (date, timedelta): lambda day, interval: midnight(day) + interval,
            (datetime, timedelta): lambda moment, interval: moment + interval,
            (date, CalendarInterval): add_calendar,
            (datetime, CalendarInterval): add_calendar,
            (date, time): lambda day, clock: datetime.combine(day, clock, UTC),
            (time, timedelta): _add_to_time,
        }
    ),
    (timedelta, timedelta): lambda left, right: left + right,
}
SUBTRACT: _Table = {
    (date, int): lambda day, days: day - timedelta(days=days),
    (date, date): lambda left, right: (left - right).days,
    (date, timedelta): lambda day, interval: midnight(day) - interval,
    (datetime, timedelta): lambda moment, interval: moment - interval,
    (date, CalendarInterval): _subtract_calendar,
    (datetime, CalendarInterval): _subtract_calendar,
    (datetime, datetime): lambda left, right: left - right,
    (datetime, date): lambda left, right: left - midnight(right),
    (date, datetime): lambda left, right: midnight(left) - right,
    (timedelta, timedelta): lambda left, right: left - right,
    (time, timedelta): lambda clock, interval: _add_to_time(clock, -interval),
    (time, time): lambda left, right: _since_midnight(left) - _since_midnight(right),
}
MULTIPLY: _Table = _both_ways(
    {
        **{(timedelta, number): _times for number in (int, float, Decimal)},
        (CalendarInterval, int): _calendar_times,
    }
)
DIVIDE: _Table = {
    **{(timedelta, number): lambda interval, divisor: interval / float(divisor) for number in (int, float, Decimal)}
}
