"""What Crisp does with a person's profile and custom data: refuse them, or put them into the person (Crisp's REST
reference: "People").

Invariants:
- Pure but for the person given; a person is what Crisp holds: the profile's fields as they are written, and `data`.
- Where the documents leave a choice, the stricter: a PATCH replaces `person`, `company` and `segments` whole, unknown
  fields and NULL are refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_TEXT, _NUMBER, _TEXTS, _OBJECTS = "text", "number", "texts", "objects"
_PLACE = {
    "country": _TEXT,
    "region": _TEXT,
    "city": _TEXT,
    "coordinates": {"latitude": _NUMBER, "longitude": _NUMBER},
}
_EMPLOYMENT = dict.fromkeys(("name", "domain", "title", "role", "seniority"), _TEXT)
_PROFILE: dict[str, Any] = {
    "email": _TEXT,
    "person": {
        **dict.fromkeys(("nickname", "avatar", "gender", "phone", "address", "description", "website"), _TEXT),
        "timezone": _NUMBER,
        "profiles": _OBJECTS,
        "employment": _EMPLOYMENT,
        "geolocation": _PLACE,
        "locales": _TEXTS,
    },
    "company": {
        **dict.fromkeys(("name", "legal_name", "domain", "url", "description"), _TEXT),
        "timezone": _NUMBER,
        "phones": _TEXTS,
        "emails": _TEXTS,
        "geolocation": _PLACE,
        "metrics": dict.fromkeys(("employees", "market_cap", "raised", "arr"), _NUMBER),
        "tags": _TEXTS,
    },
    "segments": _TEXTS,
    "notepad": _TEXT,
    "active": _NUMBER,
}
_looks_like_email = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+").fullmatch
_is_key = re.compile(r"[^\s.$?]+").fullmatch


def profile_refusal(body: Any, *, whole: bool) -> bool:
    """Whether Crisp refuses a profile. `whole`: POST and PUT, which need an e-mail and a nickname."""
    if not isinstance(body, dict) or not _fits(body, _PROFILE):
        return True
    if "email" in body and _looks_like_email(body["email"]) is None:
        return True
    return whole and not ("email" in body and body.get("person", {}).get("nickname"))


def data_refusal(body: Any) -> bool:
    """Whether Crisp refuses custom data: it is wrapped, `{"data": {…}}`, and flat."""
    if not isinstance(body, dict) or set(body) != {"data"} or not isinstance(body["data"], dict):
        return True
    return not all(_is_key(key) and isinstance(value, str | int | float) for key, value in body["data"].items())


def _fits(value: Any, form: Any) -> bool:
    if isinstance(form, dict):
        return isinstance(value, dict) and all(name in form and _fits(v, form[name]) for name, v in value.items())
    if form is _TEXT:
        return isinstance(value, str)
    if form is _NUMBER:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, list) and all(isinstance(each, str if form is _TEXTS else dict) for each in value)


def profile(person: Mapping[str, Any]) -> dict[str, Any]:
    """A profile as Crisp shows one: `active` is a number when written and an object when read."""
    shown = {name: value for name, value in person.items() if name != "data"}
    shown["active"] = {"now": False, **({"last": person["active"]} if "active" in person else {})}
    return {"company": {}, "segments": [], "notepad": "", "score": 0, **shown}


def show(person: Mapping[str, Any]) -> dict[str, Any]:
    """A profile and its custom data, which Crisp shows apart."""
    return {**profile(person), "data": person["data"]}
