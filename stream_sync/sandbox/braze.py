"""Braze's REST API on people: `/users/track`, `/users/delete`, `/users/export/ids`, as strict as its documents.

Invariants:
- Pure: an answer and what is then to be done; whoever asked applies it, at once or later.
- Checks come in Braze's order: key, permission, address, content type, size, JSON, number of objects, each object.
- One bad object never stops the others; if all are bad the request is a 400 with the same `errors[]`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from stream_sync.sandbox.braze_people import merge, refusal, show
from stream_sync.sandbox.workspace import Answer, Workspace

MAX_OBJECTS = 75
MAX_IDS = 50
MAX_BODY = 4_000_000
NO_DATA = "Valid data must be provided in the 'attributes', 'events', or 'purchases' fields."
_KINDS = ("external_ids", "user_aliases", "braze_ids", "email_addresses", "phone_numbers")
_PERMISSIONS = {"/users/track": "users.track", "/users/delete": "users.delete", "/users/export/ids": "users.export.ids"}

__all__ = ["answer", "failure", "show"]

_encode = msgspec.json.encode
_decode = msgspec.json.decode


def answer(workspace: Workspace, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """The answer to one request; `path` is without the workspace's prefix."""
    if refused := _refused(workspace, method, path, headers, body):
        return refused
    try:
        asked = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _message(400, "The request body is not valid JSON.")
    if not isinstance(asked, dict):
        return _message(400, NO_DATA)
    return _ENDPOINTS[path](workspace, asked)


def failure(status: int) -> bytes:
    """The body of an answer that is about no request of its own."""
    return _encode({"message": "Rate limited" if status == 429 else f"HTTP {status}"})


def _refused(workspace: Workspace, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
    scheme, _, key = headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer" or not key or workspace.faults.refuse_key or (workspace.key and key != workspace.key):
        return _message(401, f"Invalid API key: {key}")
    if path.endswith("/") or _PERMISSIONS.get(path) in workspace.faults.forbid:
        return _message(403, "Access denied")
    if path not in _ENDPOINTS:
        return _message(404, "Invalid URL")
    if method != "POST":
        return _message(405, "Method not allowed")
    if headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
        return _message(415, "Content-Type must be application/json")
    if len(body) > MAX_BODY:
        return _message(413, "Request entity too large")
    return None


def _track(workspace: Workspace, asked: dict[str, Any]) -> Answer:
    arrays = {name: rows for name in ("attributes", "events", "purchases") if (rows := asked.get(name))}
    if not arrays or not all(isinstance(rows, list) for rows in arrays.values()):
        return _message(400, NO_DATA)
    if sum(map(len, arrays.values())) > MAX_OBJECTS:
        return _message(400, "Max input length exceed")
    rows = arrays.get("attributes", [])
    refused = list(map(refusal, rows))
    if refuses := _refuses(workspace):
        refused = [text or refuses(row) for text, row in zip(refused, rows, strict=True)]
    errors: list[Any] = [
        {"type": text, "input_array": "attributes", "index": index} for index, text in enumerate(refused) if text
    ]
    good = [row for text, row in zip(refused, rows, strict=True) if text is None] if errors else rows
    people = list(map(_name, rows)) if workspace.journal else ()
    if workspace.faults.reject_without_index:
        errors = [error["type"] for error in errors]
    counts = {f"{name}_processed": len(rows) for name, rows in arrays.items() if name != "attributes"}
    if good:
        counts["attributes_processed"] = len(good)
    if not counts or (errors and workspace.faults.reject_without_index):
        return Answer(400, _encode({"message": NO_DATA, "errors": errors}), people, rows)
    reply = {**counts, "message": "success", **({"errors": errors} if errors else {})}
    return Answer(201, _encode(reply), people, rows, lambda: _write(workspace, good))


def _refuses(workspace: Workspace) -> Callable[[dict[str, Any]], str | None] | None:
    """The refusal that the knobs ask for."""
    faults = workspace.faults
    if not faults.reject and not faults.reject_where:
        return None

    def refuses(row: dict[str, Any]) -> str | None:
        hit = _name(row) in faults.reject or any(row.get(name, ...) == bad for name, bad in faults.reject_where.items())
        return faults.reject_text if hit else None

    return refuses


def _name(row: Any) -> str:
    """Whom a row is about, as the journal has it."""
    if not isinstance(row, dict):
        return ""
    return str(row.get("external_id") or row.get("braze_id") or row.get("email") or row.get("phone") or "")


def _write(workspace: Workspace, rows: list[dict[str, Any]]) -> None:
    people, counts = workspace.people, workspace.counts
    updated = 0
    for row in rows:
        external_id = row.get("external_id")
        if external_id is None:
            person = _found(workspace, row)
        else:
            if type(external_id) is not str:
                external_id = str(external_id)
            person = people.get(external_id)
            if person is None and not row.get("_update_existing_only"):
                person = people[external_id] = {"braze_id": uuid.uuid4().hex[:24]}
                counts["created"] += 1
        if person is None:
            counts["unknown"] += 1
            continue
        braze_id = person["braze_id"]
        merge(person, row)
        person["braze_id"] = braze_id
        if external_id is not None:
            person["external_id"] = external_id
        updated += 1
    counts["written"] += updated


def _found(workspace: Workspace, row: Mapping[str, Any]) -> dict[str, Any] | None:
    """A person by `braze_id`, or by `email` or `phone`. Nobody is created: people here have an external_id."""
    name = next(name for name in ("braze_id", "user_alias", "email", "phone") if row.get(name))
    return next((person for person in workspace.people.values() if person.get(name) == row[name]), None)


def _delete(workspace: Workspace, asked: dict[str, Any]) -> Answer:
    kinds = [kind for kind in _KINDS if asked.get(kind)]
    if len(kinds) != 1 or not isinstance(asked[kinds[0]], list):
        return _message(400, "Exactly one of 'external_ids', 'user_aliases', 'braze_ids', … must be provided.")
    ids = [str(each) for each in asked[kinds[0]]]
    if len(ids) > MAX_IDS:
        return _message(400, "The max number of ids per request was exceeded")
    reply = _encode({"deleted": len(ids), "message": "success"})
    return Answer(201, reply, ids, ids, lambda: _remove(workspace, kinds[0], ids))


def _remove(workspace: Workspace, kind: str, ids: list[str]) -> None:
    if kind == "braze_ids":
        known = {person["braze_id"]: external_id for external_id, person in workspace.people.items()}
        ids = [known[each] for each in ids if each in known]
    for each in ids:
        if kind in ("external_ids", "braze_ids") and workspace.people.pop(each, None) is not None:
            workspace.counts["deleted"] += 1


def _export(workspace: Workspace, asked: dict[str, Any]) -> Answer:
    ids = asked.get("external_ids")
    if not isinstance(ids, list) or len(ids) > MAX_IDS:
        return _message(400, "The max number of ids per request was exceeded")
    users = [show(person) for each in ids if (person := workspace.people.get(each)) is not None]
    unknown = [each for each in ids if each not in workspace.people]
    return Answer(201, _encode({"users": users, "invalid_user_ids": unknown, "message": "success"}))


_ENDPOINTS = {"/users/track": _track, "/users/delete": _delete, "/users/export/ids": _export}


def _message(status: int, message: str) -> Answer:
    return Answer(status, _encode({"message": message}))
