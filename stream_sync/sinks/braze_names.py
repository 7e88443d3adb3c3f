"""Which names an activation may use at Braze, and what is wrong with the others.

Invariants: names are lower-case and case-sensitive at Braze (`Email` would silently become a custom attribute); every
finding gives the reason and, where there is one, the name that was meant.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from stream_sync.model import Section
from stream_sync.sinks.base import Finding, MappedName
from stream_sync.sinks.braze_fields import FIELDS

NAME_LIMIT = 255
_CONSENT = "is a consent or preference of everybody who shares the address, not this service's work; keep it in Braze"
_IDENTIFIER = "is an identifier of Braze; name it under `identifier`, where the activation uses it, and nowhere else"
_CONTROL = "is a control key of Braze's API, set by this service"
_NOT_A_FIELD = {
    **dict.fromkeys(("email_subscribe", "push_subscribe", "subscription_groups"), _CONSENT),
    "email_subscription_info": "is refused by Braze; subscription states are kept in Braze, not by this service",
    "push_tokens": "belongs to a device and is registered by the app's SDK, not from a warehouse row",
    **dict.fromkeys(("events", "purchases"), "are events, not this service's work"),
    **dict.fromkeys(("external_id", "braze_id", "user_alias", "alias_name", "alias_label", "appboy_id"), _IDENTIFIER),
    **dict.fromkeys(("_update_existing_only", "_merge_objects", "push_token_import"), _CONTROL),
}


def check(mapped: Sequence[MappedName]) -> list[Finding]:
    """What is wrong with the names, each with the reason and what would be right."""
    found = [(name, _problem(name.section, name.name)) for name in mapped]
    problems = [Finding(f"{at.section}.{at.name}", problem) for at, problem in found if problem]
    return problems + [_near_miss(at.name) for at, problem in found if not problem and _is_near_miss(at)]


def _is_near_miss(at: MappedName) -> bool:
    return at.section == "attributes" and at.name.lower() in FIELDS


def _near_miss(name: str) -> Finding:
    own = f"Braze's own field is {name.lower()!r}, under `fields`"
    return Finding(f"attributes.{name}", f"{name!r} will be a custom attribute; {own}", "warning")


def _problem(section: Section, name: str) -> str | None:
    if reason := _NOT_A_FIELD.get(name):
        return f"{name!r} {reason}"
    if section == "fields":
        return None if name in FIELDS else _unknown_field(name)
    if name in FIELDS:
        return f"{name!r} is a standard field of Braze; move it to `fields`"
    if not name.strip() or name != name.strip():
        return f"{name!r} is empty or begins or ends with a blank; give the attribute a name"
    if name.startswith("$") or "." in name:
        right = name.lstrip("$").replace(".", "_")
        return f"{name!r}: Braze's attribute names have no dot and do not begin with $; write {right!r}"
    if len(name) > NAME_LIMIT:
        return f"the name has {len(name)} characters, Braze takes {NAME_LIMIT}"
    return None


def _unknown_field(name: str) -> str:
    lowered = name.strip().lower().replace("-", "_").replace(" ", "_")
    close = difflib.get_close_matches(lowered, [*FIELDS, *_NOT_A_FIELD], n=1, cutoff=0.75)
    if close and close[0] in _NOT_A_FIELD:
        return f"{name!r} is not a standard field of Braze; {close[0]!r} {_NOT_A_FIELD[close[0]]}"
    meant = f"; did you mean {close[0]!r}?" if close else "; a custom one belongs under `attributes`"
    return f"{name!r} is not a standard field of Braze{meant}"
