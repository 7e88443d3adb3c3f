"""What Braze's answers mean for the people of a request (Braze's docs: "API errors", "Track users", "Rate limits").

Invariants:
- Pure: one outcome for each person sent, in order; None = send this person again in a smaller request.
- One person alone is always decided.
- A vendor's free text can hold an e-mail address, and a 401 holds the key, so no text of a reply is repeated, save the
  sentences and codes listed here.
- A 2xx counts only with the JSON that Braze gives; anything else may be a proxy, and the outcome is unknown.
"""

from __future__ import annotations

from typing import Any

import msgspec

from stream_sync.model import DELIVERED, Outcome, Rejected, Retry
from stream_sync.sinks.answers import Speaker, usual
from stream_sync.sinks.http import Failure, Reply

_CODES = frozenset(
    (
        "BAD_DEVICE_ID",
        "BAD_EMAIL_SUBSCRIPTION_STATE",
        "BAD_LOCATION_UPDATE",
        "BAD_PUSH_SUBSCRIPTION_STATE",
        "BAD_PUSH_TOKEN_APP_ID",
        "BAD_PUSH_TOKEN_IMPORT",
        "BAD_PUSH_TOKEN_STRING",
        "BAD_PUSH_TOKEN_VALUE",
        "BAD_SUBSCRIPTION_GROUP_ARRAY",
        "BAD_SUBSCRIPTION_GROUP_HASH",
        "BAD_SUBSCRIPTION_GROUP_ID",
        "BAD_SUBSCRIPTION_GROUP_STATE",
        "BLACKLISTED_EXTERNAL_USER_ID",
        "EMAIL_BAD_FORMAT",
        "EXTERNAL_USER_ID_TOO_LARGE",
        "INVALID_ATTRIBUTE_EMAIL_SUBSCRIPTION_INFO",
    )
)
_SENTENCES = {
    "'external_id' must be fewer than 988 bytes": "external_user_id_too_large",
    "'external_id', 'braze_id', 'user_alias', 'email' or 'phone' is required": "identifier_required",
    "The value provided for the 'email' field is not a valid email.": "email_bad_format",
    "provided external_id is blacklisted and disallowed": "blacklisted_external_user_id",
}
_HALTS = {
    401: "Braze refused the API key: check `api_key`, and that `url` is the REST endpoint of the key's own workspace",
    402: "Braze says that the account is not active: ask Braze about the contract",
    403: "Braze refused the request: check that the API key has the permission {permission}, that its allow-list of "
    "addresses holds this machine's, and that the account is active",
    404: "there is no such address at Braze: check that `url` is a REST endpoint (https://rest.….braze.com or .eu)",
    415: "Braze, or a proxy before it, refused JSON: check that `url` is a REST endpoint of Braze",
}
_REFUSED = frozenset((400, 413, 422))
WAIT_HEADERS = ("X-Ratelimit-Retry-After", "Retry-After", "X-RateLimit-Reset")
"""MAU contracts send the first, in seconds; classic ones the last, as seconds since the epoch."""


class _Body(msgspec.Struct):
    message: Any = None
    errors: Any = None


_decode = msgspec.json.Decoder(_Body).decode


def read(answer: Reply | Failure, count: int, permission: str, now: float) -> list[Outcome | None]:
    """Outcomes of the `count` people of one request. `permission`: what the API key needs for this endpoint. `now`:
    seconds since the epoch."""
    if isinstance(answer, Reply):
        if 200 <= answer.status < 300:
            return _accepted(answer, count)
        if answer.status in _REFUSED:
            return _refused(answer, count)
    return [_for_all(answer, permission, now)] * count


def body_of(reply: Reply) -> _Body | None:
    """The JSON that Braze gives with every answer, or None for anything else."""
    try:
        body = _decode(reply.body)
    except (msgspec.DecodeError, RecursionError):
        return None
    return body if isinstance(body.message, str) else None


def read_delete(answer: Reply | Failure, count: int, permission: str, now: float) -> list[Outcome | None]:
    """As `read`, for `/users/delete`: its 2xx queues every id, known or not, and `deleted` counts unknown ones too."""
    if isinstance(answer, Reply) and 200 <= answer.status < 300 and body_of(answer) is not None:
        return [DELIVERED] * count
    return read(answer, count, permission, now)


def not_braze(status: int) -> str:
    """The reason to halt where something else answered."""
    return _speaker("").is_not(status)


def _accepted(reply: Reply, count: int) -> list[Outcome | None]:
    body = body_of(reply)
    # 202 "queued" is what Braze gives in maintenance: received, done later.
    if body is None or body.message.lower() not in ("success", "queued"):
        return [Retry("unexpected_reply")] * count
    if not body.errors:
        return [DELIVERED] * count
    by_index, stray = _row_errors(body.errors, count, reply.status)
    rest: Outcome | None = DELIVERED
    if stray:
        rest = _rejected(stray, reply.status) if count == 1 else None
    return [by_index.get(index, rest) for index in range(count)]


def _refused(reply: Reply, count: int) -> list[Outcome | None]:
    """400: nothing was done. Either every person is bad, each with its error, or it says nothing about them."""
    body = body_of(reply)
    by_index, stray = _row_errors(body.errors, count, reply.status) if body and body.errors else ({}, None)
    if by_index or count > 1:
        return [by_index.get(index) for index in range(count)]
    if reply.status == 413 or (body and "max input length" in body.message.lower()):
        return [Rejected("too_large", "one person is more than Braze takes in a request", reply.status)]
    if stray:
        return [_rejected(stray, reply.status)]
    message = f"Braze refused the request of this person alone (HTTP {reply.status})"
    return [Rejected("bad_request", message, reply.status)]


def _row_errors(errors: Any, count: int, status: int) -> tuple[dict[int, Outcome], str | None]:
    """Errors by the index of the person, and the text of one that names nobody of the request (older forms are plain
    texts)."""
    by_index: dict[int, Outcome] = {}
    stray: str | None = None
    for error in errors if isinstance(errors, list) else [errors]:
        fields = error if isinstance(error, dict) else {"type": error}
        text = fields.get("type")
        index = fields.get("index")
        is_ours = fields.get("input_array", "attributes") == "attributes"
        if is_ours and type(index) is int and 0 <= index < count:
            by_index.setdefault(index, _rejected(text, status))
        else:
            stray = text if isinstance(text, str) else "unknown"
    return by_index, stray


def _rejected(text: Any, status: int) -> Rejected:
    if isinstance(text, str) and text in _CODES:
        return Rejected(text.lower(), f"Braze refused the person: {text}", status)
    if isinstance(text, str) and (code := _SENTENCES.get(text)):
        return Rejected(code, f"Braze refused the person: {text}", status)
    return Rejected("braze_error", "Braze refused the person; its text may hold personal data and is left out", status)


def _for_all(answer: Reply | Failure, permission: str, now: float) -> Outcome:
    """What an answer about the whole request means."""
    return usual(answer, _speaker(permission), now) or Retry("unexpected_reply")


def _speaker(permission: str) -> Speaker:
    halts = {status: reason.format(permission=permission) for status, reason in _HALTS.items()}
    return Speaker("Braze's REST API", halts, "the REST endpoint itself", wait_headers=WAIT_HEADERS)
