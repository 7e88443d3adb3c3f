"""Braze's standard fields and custom attributes: in what form each is taken (Braze's docs: "user attributes object",
"custom attributes", "nested custom attributes").

Invariants:
- A value that a field cannot take is sent as it is, for Braze to refuse row by row; what Braze would take and damage in
  silence (an empty e-mail, a nested NULL, an operation that looks like data) is mended or left out here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from stream_sync.model import Value
from stream_sync.sinks import forms
from stream_sync.sinks.forms import Dialect, Form, Nulls, Tell
from stream_sync.sinks.texts import day

TEXT_LIMIT = 255
"""Characters of custom text; what Braze does with longer text sent by REST is not documented."""
KEY_LIMIT = 255
_OPERATIONS = frozenset(("inc", "add", "remove"))


def _takes_key(key: str) -> bool:
    # For a key it forbids Braze drops the whole attribute in silence, and `$add` and its like it takes as operations.
    return bool(key) and "$" not in key and "." not in key and len(key) <= KEY_LIMIT


def _takes_object(value: Mapping[Any, Value]) -> bool:
    # {"inc": 1} would be counted up at each repetition instead of stored.
    return not value or not _OPERATIONS.issuperset(value)


_STANDARD = Dialect()
_EMAIL = Dialect(blank_is_null=True)
_CUSTOM = Dialect(
    nested_moment=lambda text: {"$time": text},
    takes_key=_takes_key,
    takes_object=_takes_object,
    text_limit=TEXT_LIMIT,
)


def custom(nulls: Nulls, tell: Tell) -> Form:
    """A custom attribute. Text that looks like a date is sent as it is (Braze makes a time of it)."""
    return forms.general(_CUSTOM, nulls, tell)


def _general(nulls: Nulls, tell: Tell) -> Form:
    return forms.general(_STANDARD, nulls, tell)


def _text(nulls: Nulls, tell: Tell) -> Form:
    return forms.text(_STANDARD, nulls, tell)


def _email(nulls: Nulls, tell: Tell) -> Form:
    """Empty or blank text is a NULL: Braze refuses the whole person for `""`."""
    return forms.text(_EMAIL, nulls, tell)


def _turned(turn: Callable[[Value], Value]) -> Callable[[Nulls, Tell], Form]:
    """The general form after `turn`."""

    def make(nulls: Nulls, tell: Tell) -> Form:
        inner = _general(nulls, tell)
        return lambda value: inner(turn(value))

    return make


_GENDERS = {letter.lower(): letter for letter in "MFONP"} | {
    "male": "M",
    "man": "M",
    "female": "F",
    "woman": "F",
    "other": "O",
    "not applicable": "N",
    "prefer not to say": "P",
}


def _gender(value: Value) -> Value:
    return _GENDERS.get(value.strip().lower(), value) if isinstance(value, str) else value


_LONGITUDES = ("longitude", "lon", "lng", "long", "x")
_LATITUDES = ("latitude", "lat", "y")


def _location(value: Value) -> Value:
    """{longitude, latitude} from an object with those, their usual short names or a point's x and y, also where the
    object is JSON text (which SQL can put together from two columns)."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            return value
    if not isinstance(value, dict):
        return value
    longitude, latitude = _number(_first(value, _LONGITUDES)), _number(_first(value, _LATITUDES))
    return value if longitude is None or latitude is None else {"longitude": longitude, "latitude": latitude}


def _first(values: dict[str, Value], names: Sequence[str]) -> Value:
    return next((values[name] for name in names if values.get(name) is not None), None)


def _number(value: Value) -> Value:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool) and forms.is_finite(value)
    return value if is_number else None


FIELDS: dict[str, Callable[[Nulls, Tell], Form]] = {
    "country": _text,
    "current_location": _turned(_location),
    "date_of_first_session": _general,
    "date_of_last_session": _general,
    "dob": _turned(day),
    "email": _email,
    "email_click_tracking_disabled": _general,
    "email_open_tracking_disabled": _general,
    "facebook": _general,
    "first_name": _text,
    "gender": _turned(_gender),
    "home_city": _text,
    "image_url": _text,
    "language": _text,
    "last_name": _text,
    "marked_email_as_spam_at": _general,
    "phone": _text,
    "time_zone": _text,
    "twitter": _general,
}
"""Standard profile fields (facts 2.6), and `image_url`, which Braze's partners send."""
