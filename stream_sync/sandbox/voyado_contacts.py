"""What Voyado does with one contact's values: refuse them, or merge them (Voyado's docs: "Standard attributes",
"Creating contacts", "Updating contacts").

Invariants:
- Pure but for the contact given; a contact is a flat dict of attributes, `contactId`, `contactType` and `approved`.
- As at Voyado, damage is silent: ids that the account does not have, calculated ones, and a second `createdInStore`
  are ignored without a word, and `null` and `""` overwrite.
"""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Collection, Mapping
from typing import Any

TYPES = ("Member", "Contact")
KEYS = ("email", "mobilePhone", "externalId", "socialSecurityNumber")
_TEXTS = frozenset(
    (
        "careOf",
        "city",
        "country",
        "countryCode",
        "externalId",
        "firstName",
        "lang",
        "lastName",
        "memberNumber",
        "socialSecurityNumber",
        "street",
        "zipCode",
    )
)
_STANDARD = _TEXTS | {"birthDay", "createdInStore", "email", "gender", "mobilePhone", "store"}
CUSTOM = frozenset(("churnScore", "lifetimeValue", "loyaltyTier", "nextOfferScore", "ordersCount", "points", "tier"))
"""Those that were made in every account here; `attributes` of the knobs adds others."""
_OWN = frozenset(("contactId", "contactType", "approved"))
_email = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+").fullmatch
_phone = re.compile(r"\+?[0-9]{6,15}").fullmatch
_Values = Mapping[str, Any]


def is_email(value: Any) -> bool:
    return isinstance(value, str) and _email(value) is not None


def contact_type(text: Any) -> str | None:
    """The type of that name, whatever its case; None where there is none."""
    return next((one for one in TYPES if isinstance(text, str) and one.lower() == text.lower()), None)


def refusal(values: _Values, custom: Collection[str]) -> str | None:
    """What is wrong with the values, by the name of the attribute; None where Voyado takes them."""
    for name, value in values.items():
        if value is None or value == "" or not (name in _STANDARD or name in custom):
            continue
        if not _fits(name, value):
            return f"The value of {name} is not valid."
    return None


def _fits(name: str, value: Any) -> bool:
    match name:
        case "email":
            return is_email(value)
        case "mobilePhone":
            return isinstance(value, str) and _phone(value) is not None
        case "birthDay":
            return isinstance(value, str) and _is_day(value)
        case "gender":
            return value in ("Male", "Female", "Other")
    return isinstance(value, str) if name in _TEXTS else not isinstance(value, dict | list)


def _is_day(text: str) -> bool:
    try:
        return dt.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def created(values: _Values, type_: str, custom: Collection[str], *, approved: bool) -> dict[str, Any]:
    """A new contact."""
    contact = {"contactId": str(uuid.uuid4()), "contactType": type_, "approved": approved}
    merge(contact, values, custom)
    return contact


def merge(contact: dict[str, Any], values: _Values, custom: Collection[str]) -> None:
    """Puts the values into the contact; what the account does not have is ignored."""
    for name, value in values.items():
        if name in _OWN or not (name in _STANDARD or name in custom):
            continue
        if name == "createdInStore" and contact.get(name):
            continue
        contact[name] = value


def show(contact: _Values) -> dict[str, Any]:
    """As Voyado shows a contact: nested, where requests are flat."""
    attributes = {name: value for name, value in contact.items() if name not in _OWN}
    return {
        "id": contact["contactId"],
        "attributes": {"contactType": contact["contactType"], **attributes},
        "meta": {"isApproved": contact["approved"]},
        "preferences": {},
        "consents": [],
    }
