"""Which names an activation may use at Crisp, and what is wrong with the others.

Invariants: every finding gives the reason and, where there is one, the name that was meant; nothing is asked of Crisp,
which may drop what it does not know without a word.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from stream_sync.sinks.base import Finding, MappedName
from stream_sync.sinks.crisp_fields import FIELDS

_READ_ONLY = "is set by Crisp itself and cannot be written"
_CONSENT = "is the person's own choice of e-mails, not this service's work; keep it in Crisp"
_NOT_A_FIELD = {
    **dict.fromkeys(("score", "created_at", "updated_at"), _READ_ONLY),
    "people_id": "is an identifier of Crisp; name it under `identifier` and nowhere else",
    **dict.fromkeys(("subscription", "subscriptions"), _CONSENT),
    **dict.fromkeys(("events", "event"), "are events, not this service's work"),
    "data": "is the custom data; name what is in it under `attributes`",
}
_NEAR_MISSES = {"email", "notepad", "person.nickname", "person.phone", "segments"}
"""Fields whose last word, as an attribute, is most likely a mistake."""
_LEAVES = {name.rpartition(".")[2]: name for name in sorted(FIELDS, key=lambda name: -name.count("."))}
_FORBIDDEN = re.compile(r"[\x00-\x2c./:-@\[-^`{-\x7f]|\s")
"""What Crisp's help forbids in a key: blanks, and every sign but `_` and `-`."""


def check(identifiers: Sequence[str], mapped: Sequence[MappedName]) -> list[Finding]:
    """What is wrong with the names, each with the reason and what would be right."""
    found = [finding for each in mapped if (finding := _finding(each))]
    if "email" in identifiers and MappedName("fields", "email") in mapped:
        told = "is the identifier of this activation: people are written under it, and this value is not sent"
        found.append(Finding("fields.email", told, "warning"))
    return found


def _finding(at: MappedName) -> Finding | None:
    place = f"{at.section}.{at.name}"
    if at.section == "fields":
        return None if at.name in FIELDS else Finding(place, _unknown_field(at.name))
    if problem := _bad_key(at.name):
        return Finding(place, problem)
    own = _LEAVES.get(at.name.lower())
    if own in _NEAR_MISSES:
        told = f"{at.name!r} will be custom data; Crisp's own field is {own!r}, under `fields`"
        return Finding(place, told, "warning")
    return None


def _bad_key(name: str) -> str | None:
    if not name.strip():
        return "the name is empty; give the attribute a name"
    if _FORBIDDEN.search(name):
        right = _FORBIDDEN.sub("_", name.strip().lstrip("$")).strip("_") or "a name of letters, digits, _ and -"
        return f"{name!r}: Crisp's custom data has no blank, dot, $ or other sign but _ and - in a key; write {right!r}"
    return None


def _unknown_field(name: str) -> str:
    lowered = name.strip().lower().replace("-", "_").replace(" ", "_")
    if told := _NOT_A_FIELD.get(lowered):
        return f"{name!r} {told}"
    if lowered.startswith("data."):
        return f"{name!r} is custom data; write it as {lowered.removeprefix('data.')!r} under `attributes`"
    inner = [path for path in FIELDS if path.startswith(f"{lowered}.")]
    if inner:
        return f"{name!r} is an object; map what is in it, for instance {inner[0]!r}"
    close = [_LEAVES[lowered]] if lowered in _LEAVES else difflib.get_close_matches(lowered, FIELDS, n=1, cutoff=0.75)
    meant = f"did you mean {close[0]!r}?" if close else "a custom one belongs under `attributes`"
    return f"{name!r} is not a profile field of Crisp; {meant}"
