"""What is asked of Voyado for a contact: addresses and bodies, made in one place for whoever sends and whoever looks.

Invariants:
- Pure. A value that `known_fields` does not allow, and a new contact that lacks a `required` one, are refused here.
- What is only told with a new contact is never in a change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stream_sync.model import Intent, Mode, Rejected, Sent
from stream_sync.sinks import voyado_fields
from stream_sync.sinks.foreseen import PERSON, Counted, Load, Request
from stream_sync.sinks.forms import encode
from stream_sync.sinks.http import segment
from stream_sync.sinks.voyado_settings import Settings

CONTACTS = "/api/v3/contacts"
MAX_BODY = 1_000_000
"""Bytes. Voyado documents no limit."""
FOUND_ID = "{contactId}"
"""Stands for the id that a look-up tells."""
_CONTACT_TYPE = "contactType"


def lookup_path(settings: Settings) -> str:
    """Where the id of an address is asked for, with PERSON for the address."""
    return f"{CONTACTS}/id?email={PERSON}&{_CONTACT_TYPE}={segment(settings.contact_type)}"


def create_path(settings: Settings) -> str:
    """Where a new contact is made."""
    # As headers, where version 2 has them, version 3 drops these without a word.
    told = {"source": settings.source, "storeExternalId": settings.store_external_id}
    query = "".join(f"{name}={segment(text)}&" for name, text in told.items() if text)
    return f"{CONTACTS}?{query}createAsUnapproved={str(settings.create_as_unapproved).lower()}"


def changed(values: Mapping[str, Sent]) -> dict[str, Sent]:
    """What of these values is told of a contact who is there."""
    return {name: value for name, value in values.items() if name not in voyado_fields.AT_CREATION}


def new(settings: Settings, address: str, values: Mapping[str, Sent]) -> dict[str, Sent] | Rejected:
    """What is told of a new contact with this address, NULLs left out, or what is wrong with it."""
    given = {name: value for name, value in values.items() if value is not None} | {"email": address}
    if missing := [name for name in settings.required if name not in given]:
        why = f"a new contact needs {', '.join(missing)} (`required`), which this row does not have"
        return Rejected("required_missing", why)
    if wrong := voyado_fields.problem(given, settings.known()):
        return Rejected("invalid_field", wrong)
    return given


def new_body(settings: Settings, given: Mapping[str, Sent]) -> dict[str, Sent]:
    """The body of the request for a new contact."""
    return {_CONTACT_TYPE: settings.contact_type, **given}


def encoded(values: Mapping[str, Sent]) -> bytes | Rejected:
    """As JSON, or why it cannot be."""
    try:
        body = encode(values)
    except UnicodeEncodeError:
        return unencodable()
    return body if len(body) <= MAX_BODY else Rejected("too_large", f"this person is more than {MAX_BODY} bytes")


def checked(settings: Settings, values: Mapping[str, Sent]) -> bytes | Rejected:
    """The values as JSON, or what is wrong with them."""
    if wrong := voyado_fields.problem(values, settings.known()):
        return Rejected("invalid_field", wrong)
    return encoded(values)


def unencodable() -> Rejected:
    """Of a text that no request can hold."""
    return Rejected("unencodable", "a text of this person is not Unicode (half a surrogate pair)")


def requests(settings: Settings, intent: Intent, mode: Mode) -> Sequence[Request] | Rejected:
    """What is asked of Voyado for an intent, in order."""
    body = checked(settings, intent.to_send)
    if isinstance(body, Rejected):
        return body
    change = changed(intent.to_send)
    if intent.identified_by != "email":
        return [Request("PATCH", f"{CONTACTS}/{PERSON}", change, intent.identifier)] if change else ()
    asked = _renaming(settings, intent.formerly, intent.identifier) if intent.formerly is not None else []
    rarely = "if nobody has the old address, and " if asked else ""
    asked.append(
        Request(
            "GET",
            lookup_path(settings),
            None,
            intent.identifier,
            f"{rarely}unless its answer of the last 10 minutes is known",
        )
    )
    if change:
        asked.append(Request("PATCH", f"{CONTACTS}/{FOUND_ID}", change, only="if there is such a contact"))
    if mode != "update":
        asked.append(_creation(settings, intent))
    return asked


def loads(settings: Settings, counted: Sequence[Counted]) -> Sequence[Load]:
    """By contactId a change is one request; by e-mail one more, to look the contact up, unless that was done lately."""
    fewest = sum(each.count for each in counted)
    looked_up = sum(each.count for each in counted if each.identified_by == "email")
    return [Load(CONTACTS, fewest, fewest + looked_up, settings.rate_limit)]


def _renaming(settings: Settings, old: str, new: str) -> list[Request]:
    known = "if somebody has the old address"
    return [
        Request("GET", lookup_path(settings), None, old),
        Request("GET", lookup_path(settings), None, new, known),
        Request("PATCH", f"{CONTACTS}/{FOUND_ID}", {"email": new}, only=f"{known} and nobody the new one"),
    ]


def _creation(settings: Settings, intent: Intent) -> Request:
    given = new(settings, intent.identifier, intent.values)
    body = given if isinstance(given, Rejected) else encoded(new_body(settings, given))
    refused = body if isinstance(body, Rejected) else None
    told = None if isinstance(given, Rejected) else new_body(settings, given)
    plain = frozenset((_CONTACT_TYPE,))
    return Request("POST", create_path(settings), told, only="if there is none", plain=plain, refused=refused)
