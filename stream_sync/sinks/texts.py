"""Values that JSON has no word for, as text: dates, moments, times, durations, bytes.

Invariants: pure; equal values give equal texts; every text is ISO 8601 or base64, so that a vendor can read it back.
"""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from stream_sync.model import Value


def moment_text(value: dt.datetime) -> str:
    """In UTC with `Z`; a fraction (6 digits) only where it is not zero. Zone-less is taken as UTC."""
    text = value.isoformat()
    if text.endswith("+00:00"):
        return text[:-6] + "Z"
    return text + "Z" if value.tzinfo is None else moment_text(_in_utc(value))


def _in_utc(value: dt.datetime) -> dt.datetime:
    try:
        return value.astimezone(dt.UTC)
    except OverflowError:  # within hours of year 1 or 9999, where losing the offset is the smaller error
        return value.replace(tzinfo=dt.UTC)


def time_text(value: dt.time) -> str:
    """`HH:MM:SS[.f]`; a zone is not said."""
    return value.replace(tzinfo=None).isoformat()


def day(value: Value) -> Value:
    """The date of a date, of a moment, or of a moment's text; anything else as it is."""
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, str) and len(value) > 10 and value[10] in "T ":
        try:
            return dt.datetime.fromisoformat(value).date()
        except ValueError:
            return value
    return value


def duration_text(value: dt.timedelta) -> str:
    """P1DT2H3M4.5S, PT0S, -PT1M."""
    sign, value = ("-", -value) if value < dt.timedelta(0) else ("", value)
    minutes, seconds = divmod(value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{value.microseconds:06}".rstrip("0") if value.microseconds else ""
    parts = [(hours, "", "H"), (minutes, "", "M"), (seconds, fraction, "S")]
    clock = "".join(f"{count}{more}{unit}" for count, more, unit in parts if count or more)
    days = f"{value.days}D" if value.days else ""
    return f"{sign}P{days}{'T' + clock if clock else ''}" if days or clock else "PT0S"


def bytes_text(value: bytes) -> str:
    """base64"""
    return base64.b64encode(value).decode("ascii")


TEXTS: dict[type, Callable[[Any], str]] = {
    dt.datetime: moment_text,
    dt.date: dt.date.isoformat,
    dt.time: time_text,
    dt.timedelta: duration_text,
    bytes: bytes_text,
}
"""The types that are sent as text wherever they stand, each with its text."""


def scalar_text(value: Value) -> Value:
    """Any single finite value as text, for fields that are text (a phone number in a bigint column); lists and dicts
    stay what they are."""
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return str(int(value)) if value.is_integer() else repr(value)
        case Decimal():
            return format(value, "f")
        case int():
            return str(value)
    text = TEXTS.get(type(value))
    return value if text is None else text(value)
