"""A person as Crisp's two addresses take one: the profile, and the custom data.

Invariants:
- Pure. Values come under the names that `name_of` gives: a dotted path into the profile, or `data.` and a key.
- `person` and `company` are always sent with all their mapped values: whether Crisp merges into such an object or
  replaces it is not documented.
- An e-mail address that identifies the person is not changed by a value of the same row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

from stream_sync.model import Intent, Mode, Section, Sent
from stream_sync.sinks.foreseen import PERSON, Counted, Request

Kind = Literal["profile", "data"]

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


def renaming(email: str) -> dict[str, Any]:
    """The change of a profile that gives it another e-mail address."""
    return {"email": email}


def changes(parts: Parts) -> Iterator[tuple[Kind, Mapping[str, Any]]]:
    """What is changed where, in order, each if there is something of it: its address and the body."""
    if parts.profile:
        yield "profile", parts.profile
    if parts.data:
        yield "data", {"data": parts.data}


def may_create(intent: Intent, mode: Mode) -> bool:
    """Whether somebody whom Crisp does not know is created."""
    return mode != "update" and intent.identified_by == "email"


def requests(intent: Intent, mode: Mode) -> list[Request]:
    """What is asked of Crisp for somebody who is to be written, in order."""
    person, parts, new = intent.identifier, to_send(intent), may_create(intent, mode)
    found = "if Crisp knows the person: a 404 of the first request says that it does not" if new else ""
    renamed = []
    if intent.formerly is not None:
        renamed = [Request("PATCH", path_of("profile"), renaming(person), intent.formerly)]
    asked = [Request("PATCH", path_of(kind), body, person, found) for kind, body in changes(parts)]
    if new:
        unknown = "if Crisp does not know the person" if asked else ""
        whole = everything(intent)
        asked.append(Request("POST", path_of("profile", new=True), new_profile(person, whole.profile), only=unknown))
        asked += [
            Request("PATCH", path_of(kind), body, person, unknown) for kind, body in changes(Parts({}, whole.data))
        ]
    return renamed + asked


def known_takes(counted: Counted) -> int:
    """How many requests an intent takes where Crisp knows the person."""
    if counted.kind == "delete":
        return 1
    data = sum(name.startswith(_DATA) for name in counted.names)
    return (len(counted.names) > data) + (data > 0)


def new_takes(counted: Counted) -> int:
    """How many it takes where an Insert finds that Crisp does not: one that says so, a POST, and the data."""
    known = known_takes(counted)
    if counted.kind != "insert" or counted.identified_by != "email":
        return known
    return (known > 0) + 1 + any(name.startswith(_DATA) for name in counted.names)


def path_of(kind: Kind, *, new: bool = False) -> str:
    """Where a person's profile or data is, with PERSON for who it is; or where a new one is made."""
    return f"/people/{kind}" if new else f"/people/{kind}/{PERSON}"


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
