"""Crisp's REST API on people: `/v1/website/<id>/people/…`, as strict as its reference and recorded traffic.

Invariants:
- Pure: an answer and what is then to be done; whoever asked applies it, at once or later.
- Every answer, also to a DELETE, is Crisp's envelope of `error`, `reason` and `data`.
- A workspace is one website, whatever id is in the address. People are kept by e-mail, lower-cased; an address names
  one by e-mail or by `people_id`.
- Checks come in the order: credentials, address, scope, method, person, body.
"""

from __future__ import annotations

import base64
import binascii
import re
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

import msgspec

from stream_sync.sandbox.crisp_people import data_refusal, profile, profile_refusal, show
from stream_sync.sandbox.workspace import Answer, Workspace

__all__ = ["answer", "failure", "show"]

PAGE = 20
_TIERS = ("user", "website", "plugin")
_ADDRESS = re.compile(r"/v1/website/[^/]+/people/([^/?]+)(?:/([^/?]+))?(?:\?.*)?")
_SCOPES = {"profile": "website:people:profiles", "profiles": "website:people:profiles", "data": "website:people:data"}
_LIMITS = {420: "enhance_your_calm", 423: "quota_limit_exceeded", 429: "rate_limited"}
_decode = msgspec.json.decode


def answer(workspace: Workspace, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """The answer to one request; `path` is without the workspace's prefix."""
    if not _is_let_in(workspace, headers):
        return _say(401, "invalid_session")
    at = _ADDRESS.fullmatch(path)
    kind, name = (at[1], unquote(at[2] or "")) if at else ("", "")
    if at is None or kind not in ("stats", "profiles", *_ENDPOINTS):
        return _say(404, "not_found")
    if _SCOPES.get(kind) in workspace.faults.forbid:
        return _say(403, "not_allowed")
    if kind in ("stats", "profiles"):
        return _listed(workspace, kind, name) if method == "GET" else _say(405, "method_not_allowed")
    endpoint = _CREATE if kind == "profile" and not name else _ENDPOINTS[kind].get(method) if name else None
    if endpoint is None or (endpoint is _CREATE and method != "POST"):
        return _say(405, "method_not_allowed")
    if method in ("GET", "HEAD", "DELETE"):
        return endpoint(workspace, name, None)
    is_json = headers.get("Content-Type", "").partition(";")[0].strip().lower() == "application/json"
    try:
        asked = _decode(body) if is_json else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        asked = None
    return endpoint(workspace, name, asked)


def failure(status: int) -> bytes:
    """The body of an answer that is about no request of its own."""
    return _envelope(_LIMITS.get(status, "internal_error" if status >= 500 else "http_error"), is_error=True)


def _is_let_in(workspace: Workspace, headers: Mapping[str, str]) -> bool:
    scheme, _, encoded = headers.get("Authorization", "").partition(" ")
    try:
        identifier, _, key = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return False
    is_good = scheme == "Basic" and bool(identifier and key) and headers.get("X-Crisp-Tier") in _TIERS
    return is_good and not workspace.faults.refuse_key and workspace.key in (None, key)


def _found(workspace: Workspace, name: str) -> dict[str, Any] | None:
    people = workspace.people
    if "@" in name:
        return people.get(name.lower())
    return next((person for person in people.values() if person["people_id"] == name), None)


def _listed(workspace: Workspace, kind: str, page: str) -> Answer:
    people = workspace.people
    if kind == "stats":
        return _say(200, "resolved", {"total": len(people)})
    start = (int(page) - 1 if page.isdecimal() and page.isascii() else 0) * PAGE
    return _say(200, "listed", [profile(people[each]) for each in list(people)[start : start + PAGE]])


def _create(workspace: Workspace, name: str, asked: Any) -> Answer:
    if profile_refusal(asked, whole=True) or _is_refused(workspace, asked["email"], asked):
        return _say(400, "invalid_data", about=asked)
    if asked["email"].lower() in workspace.people:
        return _say(409, "people_exists", about=asked, who=asked["email"])
    people_id = str(uuid.uuid4())

    def create() -> None:
        if asked["email"].lower() not in workspace.people:
            person = {"people_id": people_id, "data": {}, "created_at": _now()}
            workspace.people[asked["email"].lower()] = person
            workspace.counts["created"] += 1
            _put(workspace, person, asked)

    return _say(201, "added", {"people_id": people_id}, about=asked, who=asked["email"], apply=create)


def _write(workspace: Workspace, name: str, asked: Any, *, whole: bool) -> Answer:
    person = _found(workspace, name)
    if person is None:
        return _unknown(workspace, name, asked)
    if profile_refusal(asked, whole=whole) or _is_refused(workspace, person["email"], asked):
        return _say(400, "invalid_data", about=asked, who=person["email"])
    other = workspace.people.get(asked.get("email", person["email"]).lower())
    if other not in (None, person):
        return _say(409, "people_exists", about=asked, who=person["email"])

    def write() -> None:
        if whole:
            for each in set(person) - {"people_id", "data", "created_at", "email"}:
                del person[each]
        _put(workspace, person, asked)

    return _say(200, "saved" if whole else "updated", about=asked, who=person["email"], apply=write)


def _put(workspace: Workspace, person: dict[str, Any], asked: Mapping[str, Any]) -> None:
    old = person.get("email", "").lower()
    person.update(asked, updated_at=_now())
    if old and old != person["email"].lower() and workspace.people.pop(old, None) is not None:
        workspace.people[person["email"].lower()] = person
    workspace.counts["profiles_written"] += 1


def _write_data(workspace: Workspace, name: str, asked: Any, *, whole: bool) -> Answer:
    person = _found(workspace, name)
    if person is None:
        return _unknown(workspace, name, asked)
    if data_refusal(asked) or _is_refused(workspace, person["email"], asked["data"]):
        return _say(400, "invalid_data", about=asked, who=person["email"])

    def write() -> None:
        person["data"] = asked["data"] if whole else {**person["data"], **asked["data"]}
        workspace.counts["data_written"] += 1

    return _say(200, "saved" if whole else "updated", about=asked, who=person["email"], apply=write)


def _get(workspace: Workspace, name: str, asked: Any) -> Answer:
    person = _found(workspace, name)
    return _say(404, "people_not_found") if person is None else _say(200, "resolved", profile(person))


def _get_data(workspace: Workspace, name: str, asked: Any) -> Answer:
    person = _found(workspace, name)
    return _say(404, "people_not_found") if person is None else _say(200, "resolved", {"data": person["data"]})


def _delete(workspace: Workspace, name: str, asked: Any) -> Answer:
    person = _found(workspace, name)
    if person is None:
        return _unknown(workspace, name, None)

    def delete() -> None:
        if workspace.people.pop(person["email"].lower(), None) is not None:
            workspace.counts["deleted"] += 1

    return _say(200, "deleted", who=person["email"], apply=delete)


Endpoint = Callable[[Workspace, str, Any], Answer]
_CREATE: Endpoint = _create
_ENDPOINTS: dict[str, dict[str, Endpoint]] = {
    "profile": {
        "HEAD": _get,
        "GET": _get,
        "PUT": lambda *asked: _write(*asked, whole=True),
        "PATCH": lambda *asked: _write(*asked, whole=False),
        "DELETE": _delete,
    },
    "data": {
        "GET": _get_data,
        "PUT": lambda *asked: _write_data(*asked, whole=True),
        "PATCH": lambda *asked: _write_data(*asked, whole=False),
    },
}


def _is_refused(workspace: Workspace, email: str, asked: Mapping[str, Any]) -> bool:
    """What the knobs say: people by e-mail, or values by their name."""
    faults = workspace.faults
    return email in faults.reject or any(asked.get(name, ...) == bad for name, bad in faults.reject_where.items())


def _unknown(workspace: Workspace, name: str, asked: Any) -> Answer:
    workspace.counts["unknown"] += 1
    return _say(404, "people_not_found", about=asked, who=name)


def _now() -> int:
    return time.time_ns() // 1_000_000


def _say(
    status: int,
    reason: str,
    data: Any = None,
    *,
    about: Any = None,
    who: str | None = None,
    apply: Callable[[], None] | None = None,
) -> Answer:
    people = () if who is None else (who.lower(),)
    rows = () if about is None and who is None else (about,)
    return Answer(status, _envelope(reason, data, is_error=status >= 400), people, rows, apply)


def _envelope(reason: str, data: Any = None, *, is_error: bool) -> bytes:
    return msgspec.json.encode({"error": is_error, "reason": reason, "data": {} if data is None else data})
