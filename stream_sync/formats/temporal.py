"""Wire values of dates, times and durations as Python values.

Invariants:
- Zone-less times are taken as UTC; a datetime is always aware and in UTC, a time is naive (its clock is UTC).
- What Python cannot hold (infinity, years outside 1-9999, 24:00) raises UnrepresentableError; what is no such value at
  all raises WireValueError. No message holds the value.
- Finer than a microsecond is cut, towards the past.

Sources: io.debezium.time.*, org.apache.kafka.connect.data.{Date,Time,Timestamp}; special values from captures of
Debezium 3.6.3 on PostgreSQL 15.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any

from stream_sync.model import UnrepresentableError, WireValueError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL = _EPOCH.toordinal()
_DAY_MICROS = 86_400_000_000
_INT64_LIMITS = (2**63 - 1, -(2**63))
_REPEATING = 8192
"""How many distinct wire values a conversion remembers."""

# Bounded, since what matches is remembered.
_DATE = re.compile(r"\d{4}-\d\d-\d\dZ?", re.ASCII)
_CLOCK = re.compile(r"\d\d:\d\d(:\d\d(\.\d{1,12})?)?(Z|[+-]\d\d(:?\d\d)?)?", re.ASCII)
_STAMP = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,12})?)?(Z|[+-]\d\d(:?\d\d)?)?", re.ASCII)
# Java writes years outside 0-9999 with a sign: -0043-03-15, +292278994-08-16.
_FAR = re.compile(r"[+-]?infinity|[+-]\d{4,}-\d\d-\d\d.*", re.IGNORECASE | re.DOTALL)
_PERIOD = re.compile(r"P(?:(-?\d+)Y)?(?:(-?\d+)M)?(?:(-?\d+)D)?(?:T(?:(-?\d+)H)?(?:(-?\d+)M)?(?:(-?\d+(?:\.\d+)?)S)?)?")


def _refused(text: str, kind: str) -> UnrepresentableError | WireValueError:
    if _FAR.fullmatch(text):
        return UnrepresentableError(f"is a {kind} outside the years 1-9999")
    return WireValueError(f"is not a {kind}")


@lru_cache(_REPEATING, typed=True)
def read_date(wire: int | str) -> date:
    """From days since the epoch, or ISO text with or without a Z (time.precision.mode=isostring)."""
    if type(wire) is int:
        try:
            return date.fromordinal(_EPOCH_ORDINAL + wire)
        except (ValueError, OverflowError):
            raise UnrepresentableError("is a date outside the years 1-9999") from None
    if isinstance(wire, str):
        if not _DATE.fullmatch(wire):
            raise _refused(wire, "date")
        try:
            return date.fromisoformat(wire.removesuffix("Z"))
        except ValueError:
            raise UnrepresentableError("is a date that no calendar here holds") from None
    raise WireValueError("is not a date")


@lru_cache(_REPEATING, typed=True)
def read_zoned_timestamp(wire: str) -> datetime:
    """From ISO text; without a zone it is UTC."""
    if not isinstance(wire, str):
        raise WireValueError("is not a timestamp with a zone")
    if not _STAMP.fullmatch(wire):
        raise _refused(wire, "timestamp")
    try:
        moment = datetime.fromisoformat(wire)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise UnrepresentableError("is a timestamp that no calendar here holds") from None


def timestamp_reader(per_second: int) -> Callable[[Any], datetime]:
    """For timestamps without zone: a count of 1/`per_second` seconds since the epoch, or ISO text."""

    def read_timestamp(wire: int | str) -> datetime:
        if type(wire) is int:
            if wire in _INT64_LIMITS:  # infinity in nanoseconds
                raise UnrepresentableError("is an infinite timestamp")
            try:
                return _EPOCH + timedelta(microseconds=wire * 1_000_000 // per_second)
            except OverflowError:
                raise UnrepresentableError("is a timestamp outside the years 1-9999") from None
        if isinstance(wire, str):
            return read_zoned_timestamp(wire)
        raise WireValueError("is not a timestamp")

    return read_timestamp


def _clock(micros: int) -> time:
    if not 0 <= micros < _DAY_MICROS:
        raise UnrepresentableError("is a time outside 00:00-24:00")
    seconds, microsecond = divmod(micros, 1_000_000)
    return time(seconds // 3600, seconds // 60 % 60, seconds % 60, microsecond)


def time_reader(per_second: int) -> Callable[[Any], time]:
    """For times of day: a count of 1/`per_second` seconds since midnight, or ISO text."""

    def read_time(wire: int | str) -> time:
        if type(wire) is int:
            return _clock(wire * 1_000_000 // per_second)
        return read_iso_time(wire)

    return read_time


def read_iso_time(wire: Any) -> time:
    """From `11:14:15.123456Z`; another zone than UTC is converted."""
    if not isinstance(wire, str) or not _CLOCK.fullmatch(wire):
        raise WireValueError("is not a time of day")
    try:
        clock = time.fromisoformat(wire)
    except ValueError:
        raise UnrepresentableError("is a time outside 00:00-24:00") from None
    if clock.tzinfo is None:
        return clock
    offset = clock.utcoffset() or timedelta(0)
    return (datetime.combine(date(2000, 1, 2), clock.replace(tzinfo=None)) - offset).time()


_MILLI_TIME, _MICRO_TIME, _NANO_TIME = time_reader(1_000), time_reader(1_000_000), time_reader(1_000_000_000)


def read_unmarked_time(wire: int | str) -> time:
    """For a time of day whose unit nobody said: the finest day it fits in decides. Milliseconds run to 86,400,000, so
    microseconds within the first 86.4 seconds after midnight are taken for milliseconds."""
    if type(wire) is int and abs(wire) > 86_400_000:
        return _MICRO_TIME(wire) if abs(wire) <= _DAY_MICROS else _NANO_TIME(wire)
    return _MILLI_TIME(wire)


def duration_reader(per_second: int) -> Callable[[Any], timedelta]:
    """For durations: a count of 1/`per_second` seconds."""

    def read_duration(wire: int) -> timedelta:
        if type(wire) is not int:
            raise WireValueError("is not a duration")
        try:
            return timedelta(microseconds=wire * 1_000_000 // per_second)
        except OverflowError:
            raise UnrepresentableError("is a duration that is too long") from None

    return read_duration


def read_interval(wire: Any) -> timedelta:
    """From ISO text `P1Y2M3DT4H5M6.789S`; a month is 30.4375 days, as in Debezium's own MicroDuration."""
    match = _PERIOD.fullmatch(wire) if isinstance(wire, str) and len(wire) < 200 else None
    if match is None:
        raise WireValueError("is not an interval")
    years, months, days, hours, minutes = (int(part or 0) for part in match.groups()[:5])
    try:
        return timedelta(
            days=(years * 12 + months) * 30.4375 + days, hours=hours, minutes=minutes, seconds=float(match[6] or 0)
        )
    except OverflowError:
        raise UnrepresentableError("is a duration that is too long") from None


_MICRO_DURATION = duration_reader(1_000_000)


def read_duration(wire: Any) -> timedelta:
    """From microseconds (interval.handling.mode=numeric) or ISO text (=string)."""
    return read_interval(wire) if isinstance(wire, str) else _MICRO_DURATION(wire)


def read_structured(wire: Any) -> date | time | datetime:
    """From a struct of io.debezium.time.Structured*: year, month, day, hour, minute, second, nanos, offsetSeconds,
    specialValue (Debezium 3.7, time.precision.mode=structured; read from its documentation)."""
    if not isinstance(wire, Mapping):
        raise WireValueError("is not a structured date or time")
    if wire.get("specialValue") is not None:
        raise UnrepresentableError("is a special value such as infinity")
    parts = {name: wire.get(name) or 0 for name in ("year", "month", "day", "hour", "minute", "second", "nanos")}
    offset = wire.get("offsetSeconds") or 0
    if any(type(part) is not int for part in (*parts.values(), offset)):
        raise WireValueError("is not a structured date or time")
    try:
        shift = timedelta(seconds=offset)
        if "hour" not in wire:
            return date(parts["year"], parts["month"], parts["day"])
        clock = time(parts["hour"], parts["minute"], parts["second"], parts["nanos"] // 1000)
        if "year" not in wire:
            return (datetime.combine(date(2000, 1, 2), clock) - shift).time()
        day = date(parts["year"], parts["month"], parts["day"])
        return datetime.combine(day, clock, tzinfo=UTC) - shift
    except (ValueError, OverflowError):
        raise UnrepresentableError("is a date or time that no calendar here holds") from None
