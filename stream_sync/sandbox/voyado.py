"""Voyado Engage's REST API on contacts, version 3, as strict as its documents: find, create, change or show one.

Invariants:
- Pure: an answer and what is then to be done; whoever asked applies it, at once or later.
- Checks come in this order: key, content type (a missing one is Voyado's HTTP 500), user agent, address, JSON, contact
  type, values.
- In the journal a request is about the contact's id and its address, so that two for one contact are noticed however
  each of them knew it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote

import msgspec

from stream_sync.config.values import Rate
from stream_sync.sandbox.voyado_contacts import (
    CUSTOM,
    KEYS,
    contact_type,
    created,
    is_email,
    merge,
    refusal,
    show,
)
from stream_sync.sandbox.workspace import Answer, Workspace

RATE_LIMIT = Rate(200, 1.0)
"""Of an API key."""
_CONTACTS = "/api/v3/contacts"
_SEARCHES = ("email", "mobilePhone", "socialSecurityNumber", "customKey", "any")
_CONFLICTS = frozenset(
    (
        "ApprovedContactWithKeyExists",
        "ContactWithKeyIsBeingCreated",
        "DuplicateDiscoveryKey",
        "MultipleMatches",
    )
)

__all__ = ["RATE_LIMIT", "answer", "failure", "show"]

_encode = msgspec.json.encode
_Query = Mapping[str, str]


def answer(workspace: Workspace, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """The answer to one request; `path` is without the workspace's prefix, with its query."""
    key = headers.get("apikey", "")
    if not key or workspace.faults.refuse_key or (workspace.key and key != workspace.key):
        return _error(401, "Unauthorized", f"The API key {key} is not valid.")
    if headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
        return Answer(500, b'{"message":"An error has occurred"}')
    if "/" not in headers.get("User-Agent", ""):
        return _error(400, "NoUserAgent", "User-Agent must be sent, in the form System/Version.")
    where, _, raw_query = path.partition("?")
    if where == f"{_CONTACTS}/id" and method == "GET":
        return _find(workspace, raw_query)
    query = {name: texts[-1] for name, texts in parse_qs(raw_query, keep_blank_values=True).items()}
    if where == _CONTACTS and method == "POST":
        values = _values(body)
        return _error(400, "NoData") if not values else _create(workspace, values, query)
    head, _, contact_id = where.rpartition("/")
    if head != _CONTACTS or not contact_id:
        return Answer(404, b'{"Message":"No HTTP resource was found that matches the request URI."}')
    contact = workspace.people.get(unquote(contact_id).lower())
    if method not in ("GET", "PATCH"):
        return _error(405, "MethodNotAllowed")
    if contact is None:
        return _error(404, "ContactNotFound", people=(unquote(contact_id).lower(),))
    if method == "GET":
        return Answer(200, _encode(show(contact)), _names(contact))
    values = _values(body)
    return _error(400, "NoData", people=_names(contact)) if not values else _update(workspace, contact, values)


def failure(status: int) -> bytes:
    """The body of an answer that is about no request of its own."""
    return _encode({"message": "Too many requests" if status == 429 else "An error has occurred"})


def _values(body: bytes) -> dict[str, Any] | None:
    try:
        values = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return values if isinstance(values, dict) else None


def _find(workspace: Workspace, raw_query: str) -> Answer:
    query = {name: texts[-1] for name, texts in parse_qs(raw_query).items()}
    searched = [name for name in _SEARCHES if name in query]
    if len(searched) != 1 or "@" in raw_query or "+" in raw_query:  # both are to be encoded, or `+` becomes a space
        return _error(400, "InvalidSearchQuery")
    field, text = searched[0], query[searched[0]].strip()
    if field == "email" and not is_email(text):
        return _error(400, "InvalidEmailAddress")
    type_ = contact_type(query["contactType"]) if "contactType" in query else None
    if "contactType" in query and type_ is None:
        return _error(400, "InvalidContactType")
    found = [one for one in _with(workspace, field, text) if type_ in (None, one["contactType"])]
    people = [text.lower(), *(one["contactId"] for one in found)]
    if not found:
        return _error(404, "ContactNotFound", people=people)
    if len(found) > 1:
        ids = [one["contactId"] for one in found]
        return _error(409, "MultipleMatches", people=people, messageDetails={"multipleMatchesFound": ids})
    return Answer(200, _encode(found[0]["contactId"]), people)


def _with(workspace: Workspace, field: str, text: str) -> list[dict[str, Any]]:
    """The contacts with that value."""
    fields = {"any": ("email", "socialSecurityNumber", "mobilePhone", "externalId"), "customKey": ("externalId",)}
    wanted, names = text.lower(), fields.get(field, (field,))
    people = workspace.people.values()
    return [one for one in people if any(str(one.get(name, "")).lower() == wanted for name in names)]


def _create(workspace: Workspace, values: dict[str, Any], query: _Query) -> Answer:
    email = str(values.get("email") or "").lower()
    people = [email] if email else []
    type_ = contact_type(values.get("contactType", "Member"))
    if type_ is None:
        return _error(400, "InvalidContactType", people=people)
    if bad := _refused(workspace, values, people, (email,)):
        return bad
    if not any(values.get(name) for name in KEYS):
        return _error(422, "ValidationError", f"One of {', '.join(KEYS)} is mandatory.", people)
    if query.get("createAsUnapproved", "false") not in ("true", "false"):
        return _error(400, "ValidationError", "createAsUnapproved is true or false.", people)
    if any(one["approved"] for one in _with(workspace, "email", email)):
        return _error(409, "ApprovedContactWithKeyExists", people=people)
    if workspace.coming[email]:
        return _error(409, "ContactWithKeyIsBeingCreated", people=people)
    custom = CUSTOM.union(workspace.faults.attributes)
    contact = created(values, type_, custom, approved=query.get("createAsUnapproved") != "true")

    def apply() -> None:
        workspace.people[contact["contactId"]] = contact
        workspace.counts["created"] += 1

    return Answer(201, _encode(show(contact)), people, [{**values, "?": dict(query)}], apply)


def _update(workspace: Workspace, contact: dict[str, Any], values: dict[str, Any]) -> Answer:
    people = _names(contact)
    if bad := _refused(workspace, values, people, people):
        return bad
    custom = CUSTOM.union(workspace.faults.attributes)

    def apply() -> None:
        merge(contact, values, custom)
        workspace.counts["written"] += 1

    new = dict(contact)
    merge(new, values, custom)
    return Answer(200, _encode(show(new)), sorted({*people, *_names(new)}), [values], apply)


def _refused(workspace: Workspace, values: Mapping[str, Any], people: Any, names: Any) -> Answer | None:
    """The refusal of values that are wrong, or that the knobs ask for."""
    faults = workspace.faults
    if not faults.reject_where.items().isdisjoint(_plain(values)) or not set(faults.reject).isdisjoint(names):
        # Without one of Voyado's words in the knob, this is what a contact is refused with.
        code = faults.reject_text if faults.reject_text.isalnum() else "ValidationError"
        return _error(409 if code in _CONFLICTS else 422, code, people=people, rows=[values])
    if wrong := refusal(values, CUSTOM.union(faults.attributes)):
        return _error(422, "ValidationError", wrong, people, [values])
    return None


def _plain(values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in values.items() if not isinstance(value, list | dict)]


def _names(contact: Mapping[str, Any]) -> list[str]:
    """What a contact goes by in the journal."""
    email = str(contact.get("email") or "").lower()
    return [contact["contactId"], *([email] if email else [])]


def _error(status: int, code: str, message: str = "", people: Any = (), rows: Any = (), **more: Any) -> Answer:
    return Answer(status, _encode({"errors": [{"code": code, "message": message or code}], **more}), people, rows)
