"""A person as Crisp's two addresses take one: the profile, and the custom data.

Invariants:
- Pure. Values come under the names that `name_of` gives: a dotted path into the profile, or `data.` and a key.
- `person` and `company` are always sent with all their mapped values: whether Crisp merges into such an object or
  replaces it is not documented.
- An e-mail address that identifies the person is not changed by a value of the same row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from stream_sync.model import Intent, Section, Sent

_DATA = "data."
_OBJECTS = frozenset(("company", "person"))


class Parts(msgspec.Struct, frozen=True):
    """What goes to `/people/profile` and what to `/people/data`."""

    profile: Mapping[str, Any]
    data: Mapping[str, Sent]


def name_of(section: Section, name: str) -> str:
    """The name of a mapped value."""
    return f"{_DATA}{name}" if section == "attributes" else name


def to_send(intent: Intent) -> Parts:
    """What changed, or everything where the intent is whole."""
    known = intent.known
    touched = _OBJECTS.intersection(map(_root, known))
    if intent.whole or not touched:
        return _parts(intent, known)
    return _parts(intent, {name: v for name, v in intent.values.items() if name in known or _root(name) in touched})


def everything(intent: Intent) -> Parts:
    """The whole mapped row."""
    return _parts(intent, intent.values)


def new_profile(email: str, profile: Mapping[str, Any]) -> dict[str, Any]:
    """The profile of a person who is to be created: `email` and a nickname are required."""
    person = profile.get("person", {})
    if not person.get("nickname"):
        person = {**person, "nickname": email.partition("@")[0] or email}
    return {**profile, "email": email, "person": person}


def _root(name: str) -> str:
    return name.partition(".")[0]


def _parts(intent: Intent, values: Mapping[str, Sent]) -> Parts:
    profile: dict[str, Any] = {}
    data: dict[str, Sent] = {}
    for name, value in values.items():
        if name.startswith(_DATA):
            data[name.removeprefix(_DATA)] = value
        elif name != "email" or intent.identified_by != "email":
            *path, last = name.split(".")
            inner = profile
            for step in path:
                inner = inner.setdefault(step, {})
            inner[last] = value
    return Parts(profile, data)
