"""Voyado's contact attributes: in what form each is taken, and which values the config's `known_fields` lets through.

Invariants:
- Ids are flat, dots in them are literal; standard and custom attributes stand side by side in one object.
- Voyado stores what is sent, also `null` and `""`: NULL, empty and blank text, and lists of nothing, are all a NULL.
- Ids that a contact type does not have are ignored by Voyado without a word, so names and values are checked here,
  before anything is sent (facts: Voyado's pages "Updating contacts" and "Standard attributes").
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, WithJsonSchema

from stream_sync.config.values import refuse, shown
from stream_sync.model import Omitted, Sent, Value
from stream_sync.sinks import forms
from stream_sync.sinks.forms import Dialect, Form, Nulls, Tell
from stream_sync.sinks.texts import day

Word = Literal["text", "number", "bool", "date", "datetime", "any"]
WORDS: tuple[str, ...] = get_args(Word)
_DIALECT = Dialect(lists="comma", dicts="json", blank_is_null=True)


def _field_type(value: object) -> object:
    """A word, or the allowed values."""
    if isinstance(value, list | tuple):
        if value and all(isinstance(one, str | int | float) for one in value):
            return tuple(value)
        refuse("should be the allowed values, texts or numbers, for instance [Male, Female, Other]")
    if value not in WORDS:
        given = shown(value) if isinstance(value, str) else "this"
        refuse(f"{given} is not a type; write one of {' '.join(WORDS)}, or the allowed values as a list")
    return value


FieldType = Annotated[
    Any,
    BeforeValidator(_field_type),
    WithJsonSchema({"anyOf": [{"enum": list(WORDS)}, {"type": "array", "minItems": 1}]}),
]
"""A `Word`, or a tuple of the allowed values."""

STANDARD: Mapping[str, Any] = {
    "birthDay": "date",
    "careOf": "text",
    "city": "text",
    "country": "text",
    "countryCode": "text",
    "createdInStore": "any",
    "email": "text",
    "externalId": "text",
    "firstName": "text",
    "gender": ("Male", "Female", "Other"),
    "lang": "text",
    "lastName": "text",
    "memberNumber": "text",
    "mobilePhone": "text",
    "socialSecurityNumber": "text",
    "store": "any",
    "street": "text",
    "zipCode": "text",
}
"""Attributes that every account has (Voyado's "Standard attributes", and its examples)."""
AT_CREATION = frozenset(("createdInStore",))
"""What Voyado never changes once it is set."""
_GENDERS = {"m": "Male", "man": "Male", "f": "Female", "woman": "Female", "o": "Other"} | {
    gender.lower(): gender for gender in STANDARD["gender"]
}


def form(name: str, nulls: Nulls, tell: Tell) -> Form:
    """The form of an attribute: a standard one as its type is, a custom one as the value is."""
    if name == "birthDay":
        turn: Callable[[Value], Value] = day
    elif name == "gender":
        turn = _gender
    else:
        turn = _same
    make = forms.text if STANDARD.get(name) == "text" else forms.general
    inner = make(_DIALECT, nulls, tell)
    null = None if nulls == "unset" else Omitted.NULL_SKIPPED

    def sent(value: Value) -> Sent | Omitted:
        turned = inner(turn(value))
        return null if type(turned) is str and not turned.strip() else turned

    return sent


def _same(value: Value) -> Value:
    return value


def _gender(value: Value) -> Value:
    return _GENDERS.get(value.strip().lower(), value) if isinstance(value, str) else value


def problem(values: Mapping[str, Sent], known: Mapping[str, Any]) -> str | None:
    """What is wrong with the first value that is not as the config says; tells its name and never its value."""
    for name, value in values.items():
        if value is None:
            continue
        kind = known.get(name)
        if kind is None:
            return f"{name} is not in known_fields: Voyado would ignore it without a word"
        if isinstance(kind, tuple):
            if not any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in kind):
                return f"{name} holds a value that known_fields does not allow"
        elif not _CHECKS[kind](value):
            return f"{name} is not {_TOLD[kind]}, as known_fields says"
    return None


def _is_number(value: Sent) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _is_date(value: Sent) -> bool:
    try:
        return isinstance(value, str) and dt.date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def _is_moment(value: Sent) -> bool:
    try:
        return isinstance(value, str) and dt.datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


_CHECKS: Mapping[str, Callable[[Sent], bool]] = {
    "text": lambda value: isinstance(value, str),
    "number": _is_number,
    "bool": lambda value: isinstance(value, bool),
    "date": _is_date,
    "datetime": _is_moment,
    "any": lambda value: True,
}
_TOLD = {
    "text": "text",
    "number": "a number",
    "bool": "true or false",
    "date": "a date (YYYY-MM-DD)",
    "datetime": "a moment with its zone (ISO 8601)",
}
