"""Crisp's profile fields and custom data: in what form each is taken (Crisp's REST reference: "Add New People Profile",
"Update People Data").

Invariants:
- A field is a dotted path into the profile; custom data is one flat object, so a list in it is text with commas and an
  object JSON text.
- A value that a field cannot take is sent as it is, for Crisp to refuse person by person; an empty e-mail or nickname,
  which it would refuse for no good, is as NULL.
- NULL is never sent: what Crisp makes of it is not documented.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation

from stream_sync.model import Omitted, Sent, Value
from stream_sync.sinks import forms
from stream_sync.sinks.forms import Dialect, Form, Tell
from stream_sync.sinks.texts import scalar_text

Maker = Callable[[Tell], Form]

_FLAT = Dialect(lists="comma", dicts="json")
_NAMING = Dialect(lists="comma", dicts="json", blank_is_null=True)
_NESTED = Dialect()


def custom(tell: Tell) -> Form:
    """A value of custom data: text, number or bool."""
    return forms.general(_FLAT, "skip", tell)


def _text(tell: Tell) -> Form:
    return forms.text(_FLAT, "skip", tell)


def _naming(tell: Tell) -> Form:
    return forms.text(_NAMING, "skip", tell)


def _objects(tell: Tell) -> Form:
    return forms.general(_NESTED, "skip", tell)


def _texts(tell: Tell) -> Form:
    """A list of texts, also from one text with commas, as in Crisp's own CSV import."""
    inner = forms.general(_NESTED, "skip", tell)

    def form(value: Value) -> Sent | Omitted:
        if isinstance(value, str):
            value = [part for part in map(str.strip, value.split(",")) if part]
        elif value is not None and not isinstance(value, list | tuple):
            value = [value]
        sent = inner(value)
        return [scalar_text(element) for element in sent] if isinstance(sent, list) else sent

    return form


def _number(tell: Tell) -> Form:
    inner = forms.general(_FLAT, "skip", tell)
    return lambda value: inner(_as_number(value))


def _moment(tell: Tell) -> Form:
    """Milliseconds since the epoch: what `active` is on write (on read it is an object)."""
    inner = forms.general(_FLAT, "skip", tell)

    def form(value: Value) -> Sent | Omitted:
        if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
            value = dt.datetime.combine(value, dt.time())
        if isinstance(value, dt.datetime):
            since = (value if value.tzinfo else value.replace(tzinfo=dt.UTC)) - _EPOCH
            value = since // dt.timedelta(milliseconds=1)
        return inner(_as_number(value))

    return form


_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def _as_number(value: Value) -> Value:
    """A number that came as text, or with a fraction of nothing: Crisp wants whole ones whole (a time zone)."""
    if isinstance(value, str):
        try:
            value = Decimal(value.strip())
        except InvalidOperation:
            return value
    is_whole = isinstance(value, Decimal) and value.is_finite() and value.adjusted() < 18 and value == int(value)
    return int(value) if is_whole else value


_PLACE: dict[str, Maker] = {
    "city": _text,
    "coordinates.latitude": _number,
    "coordinates.longitude": _number,
    "country": _text,
    "region": _text,
}
_EMPLOYMENT = dict.fromkeys(("domain", "name", "role", "seniority", "title"), _text)
_METRICS = dict.fromkeys(("arr", "employees", "market_cap", "raised"), _number)


def _within(path: str, inner: Mapping[str, Maker]) -> dict[str, Maker]:
    return {f"{path}.{name}": maker for name, maker in inner.items()}


FIELDS: dict[str, Maker] = {
    "active": _moment,
    "email": _naming,
    "notepad": _text,
    "segments": _texts,
    **_within(
        "person",
        {
            **dict.fromkeys(("address", "avatar", "description", "gender", "phone", "website"), _text),
            **_within("employment", _EMPLOYMENT),
            **_within("geolocation", _PLACE),
            "locales": _texts,
            "nickname": _naming,
            "profiles": _objects,
            "timezone": _number,
        },
    ),
    **_within(
        "company",
        {
            **dict.fromkeys(("description", "domain", "legal_name", "name", "url"), _text),
            **dict.fromkeys(("emails", "phones", "tags"), _texts),
            **_within("geolocation", _PLACE),
            **_within("metrics", _METRICS),
            "timezone": _number,
        },
    ),
}
"""By dotted path."""
