"""What Braze does with one attributes object: refuse it, or merge it into a person (Braze's docs: "User attributes
object", "Custom attributes", "Nested custom attributes").

Invariants:
- Pure but for the person given; a person is a flat dict of standard and custom attributes.
- As at Braze, damage is silent: a NULL inside a nested object drops the attribute, long text is cut, elements of an
  array are unique and at most 500.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

STANDARD = frozenset(
    (
        "braze_id",
        "country",
        "current_location",
        "date_of_first_session",
        "date_of_last_session",
        "dob",
        "email",
        "email_click_tracking_disabled",
        "email_open_tracking_disabled",
        "email_subscribe",
        "external_id",
        "facebook",
        "first_name",
        "gender",
        "home_city",
        "image_url",
        "language",
        "last_name",
        "marked_email_as_spam_at",
        "phone",
        "push_subscribe",
        "push_tokens",
        "subscription_groups",
        "time_zone",
        "twitter",
        "user_alias",
    )
)
_CONTROL = frozenset(("_update_existing_only", "_merge_objects", "push_token_import"))
_STATES = ("opted_in", "unsubscribed", "subscribed")
_looks_like_email = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+").fullmatch
_CHECKED = frozenset(
    (
        "braze_id",
        "current_location",
        "email_subscribe",
        "email_subscription_info",
        "push_subscribe",
        "push_token_import",
        "subscription_groups",
        "user_alias",
    )
)
"""What makes an object one to look at closely."""
_MAX_TEXT = 255
_MAX_ELEMENTS = 500


def refusal(row: Any) -> str | None:
    """Why Braze refuses the object, in its words, or None."""
    if not isinstance(row, dict):
        return "'external_id', 'braze_id', 'user_alias', 'email' or 'phone' is required"
    external_id = row.get("external_id")
    if type(external_id) is str and 0 < len(external_id) < 247 and _CHECKED.isdisjoint(row):  # nearly every object
        email = row.get("email")
        fine = email is None or (type(email) is str and _looks_like_email(email))
        return None if fine else _bad_email(email)
    primaries = [name for name in ("external_id", "braze_id", "user_alias") if row.get(name)]
    if not primaries and not row.get("email") and not row.get("phone"):
        return "'external_id', 'braze_id', 'user_alias', 'email' or 'phone' is required"
    if len(primaries) > 1:
        return "only one of 'external_id', 'braze_id' and 'user_alias' may be provided"
    if len(str(external_id).encode()) >= 988:
        return "'external_id' must be fewer than 988 bytes"
    return _field_refusal(row)


def _field_refusal(row: Mapping[str, Any]) -> str | None:
    email = row.get("email")
    if email is not None and not _is_email(email):
        return _bad_email(email)
    if row.get("email_subscribe", "subscribed") not in _STATES:
        return "BAD_EMAIL_SUBSCRIPTION_STATE"
    if row.get("push_subscribe", "subscribed") not in _STATES:
        return "BAD_PUSH_SUBSCRIPTION_STATE"
    if "email_subscription_info" in row:
        return "INVALID_ATTRIBUTE_EMAIL_SUBSCRIPTION_INFO"
    if row.get("push_token_import") and (row.get("external_id") or row.get("braze_id")):
        return "BAD_PUSH_TOKEN_IMPORT"
    if not isinstance(row.get("subscription_groups", []), list):
        return "BAD_SUBSCRIPTION_GROUP_ARRAY"
    location = row.get("current_location")
    if location is not None and not _is_location(location):
        return "BAD_LOCATION_UPDATE"
    return None


def _is_email(value: Any) -> bool:
    return type(value) is str and _looks_like_email(value) is not None


def _bad_email(value: Any) -> str:
    return "EMAIL_BAD_FORMAT" if value == "" else "The value provided for the 'email' field is not a valid email."


def _is_location(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(value.get(name), int | float) and not isinstance(value.get(name), bool)
        for name in ("longitude", "latitude")
    )


def merge(person: dict[str, Any], row: Mapping[str, Any]) -> None:
    """Puts the object's values into the person; NULL unsets."""
    for name, value in row.items():
        kind = type(value)
        if kind is str:
            person[name] = value if len(value) <= _MAX_TEXT or name in STANDARD else value[:_MAX_TEXT]
        elif value is None:
            person.pop(name, None)
        elif kind is dict:
            _merge_object(person, name, value, bool(row.get("_merge_objects")))
        elif kind is list:
            _set(person, name, value[-_MAX_ELEMENTS:])
        else:
            person[name] = value
    if not _CONTROL.isdisjoint(row):
        for name in _CONTROL:
            person.pop(name, None)


def _merge_object(person: dict[str, Any], name: str, value: dict[str, Any], deep: bool) -> None:
    old = person.get(name)
    if len(value) == 1 and name not in STANDARD:
        operation, operand = next(iter(value.items()))
        elements = old if isinstance(old, list) else []
        if operation == "inc" and isinstance(operand, int):
            person[name] = (old if isinstance(old, int) else 0) + operand
            return
        if operation in ("add", "remove") and isinstance(operand, list):
            kept = [element for element in elements if element not in operand]
            person[name] = (kept + operand if operation == "add" else kept)[-_MAX_ELEMENTS:]
            return
    _set(person, name, _merged(old, value) if deep and isinstance(old, dict) else value)


def _merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    both = {name: _merged(old[name], new[name]) for name in new if _are_dicts(old.get(name), new[name])}
    return {**old, **new, **both}


def _are_dicts(old: Any, new: Any) -> bool:
    return isinstance(old, dict) and isinstance(new, dict)


def _set(person: dict[str, Any], name: str, value: Any) -> None:
    """Sets a list or an object, unless something inside makes Braze drop it in silence."""
    if _is_clean(value):
        person[name] = value


def _is_clean(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_clean(element) for element in value)
    if isinstance(value, dict):
        if "$time" in value:
            return len(value) == 1 and _is_time(value["$time"])
        return all(
            inner is not None and "." not in name and "$" not in name and len(name) <= _MAX_TEXT and _is_clean(inner)
            for name, inner in value.items()
        )
    return True


def _is_time(text: Any) -> bool:
    if not isinstance(text, str):
        return False
    try:
        dt.datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def show(person: Mapping[str, Any]) -> dict[str, Any]:
    """As `/users/export/ids` shows a person: standard fields, and the others under `custom_attributes`."""
    shown = {name: value for name, value in person.items() if name in STANDARD}
    shown["custom_attributes"] = {name: value for name, value in person.items() if name not in STANDARD}
    return shown
