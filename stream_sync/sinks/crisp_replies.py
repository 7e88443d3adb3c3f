"""What Crisp's answers mean (its REST guide: "Errors", "Rate limits"; recorded traffic).

Invariants:
- Pure. A reply is not trusted to be JSON: limits and errors of the edge before Crisp come as HTML.
- The two answers that only the caller can judge are values of their own: the person is unknown, the e-mail is taken.
- Crisp's free text can hold an e-mail address: nothing of a reply is repeated.
- A 2xx counts only with Crisp's JSON or, as 204, with nothing; anything else may be a proxy.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from stream_sync.model import DELIVERED, Halt, Outcome, Rejected, Retry, Throttled
from stream_sync.sinks.http import Failure, Reply

MAX_WAIT = 3600.0
"""Seconds. Crisp documents no Retry-After; one that says more is not believed."""


class Special(enum.Enum):
    """What an answer says that is no outcome yet."""

    UNKNOWN_PERSON = "unknown_person"
    TAKEN = "taken"
    """Another profile has this e-mail."""


Meaning = Outcome | Special

_THROTTLED = frozenset((420, 423, 429))
_HALTS = {
    401: "Crisp refused the credentials: check `identifier`, `key`, and that `tier` is the tier of that token",
    402: "Crisp says that the workspace's plan does not allow this: ask Crisp about the subscription",
    403: "Crisp refused the request: check that the token has the scopes website:people:profiles and "
    "website:people:data (read and write), and that the plugin is installed on this website",
    404: "Crisp does not know this address: check `website_id`, that the plugin is installed on it, and `url`",
    415: "Crisp, or a proxy before it, refused JSON: check `url`",
}
_ELSEWHERE = frozenset((405, 406, 407, 410, 411, 421, 426, 451))
"""Statuses that Crisp does not give here: something else answered."""
_TOO_LARGE = frozenset((413, 414, 431))
_REDIRECTED = "`url` answered with a redirect, which is not followed: set it to the API's own address, or leave it out"


class _Body(msgspec.Struct):
    error: Any = None
    reason: Any = None


_decode = msgspec.json.Decoder(_Body).decode


def read(answer: Reply | Failure) -> Meaning:
    """What one answer means for the person it is about."""
    if isinstance(answer, Failure):
        return Halt(_REDIRECTED) if answer.reason == "redirect" else Retry(answer.reason)
    status, body = answer.status, _body(answer)
    if 200 <= status < 300:
        is_done = status == 204 or (body is not None and body.error is False)
        return DELIVERED if is_done else Retry("unexpected_reply")
    if status == 404 and body is not None and body.reason == "people_not_found":
        return Special.UNKNOWN_PERSON
    if status == 409:
        return Special.TAKEN
    if status in _THROTTLED or (status == 422 and not _is_invalid(body)):  # 422: a maintainer names it beside 429
        return Throttled("rate_limited", _wait(answer.headers))
    return _refusal(answer, body)


def _refusal(answer: Reply, body: _Body | None) -> Outcome:
    status = answer.status
    if reason := _HALTS.get(status):
        return Halt(f"{reason} (HTTP {status})")
    if status in _ELSEWHERE:
        return Halt(f"what answered is not Crisp's REST API (HTTP {status}): check `url` and any proxy on the way")
    if status >= 500:
        return Retry("server_error", _wait(answer.headers))
    if status == 408:
        return Retry("request_timeout")
    if status in _TOO_LARGE:
        return Rejected("too_large", "one person is more than Crisp takes in a request", status)
    if _is_invalid(body):
        return Rejected("invalid_data", "Crisp refused a value, or a key, of this person", status)
    if status == 400 or (400 < status < 500 and body is not None):
        return Rejected("bad_request", f"Crisp refused the request of this person (HTTP {status})", status)
    return Retry("unexpected_reply")


def _body(reply: Reply) -> _Body | None:
    """Crisp's envelope, or None for anything else."""
    try:
        body = _decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return body if isinstance(body.reason, str) else None


def _is_invalid(body: _Body | None) -> bool:
    return body is not None and body.reason.startswith("invalid_")


def _wait(headers: Mapping[str, str]) -> float | None:
    """Seconds of Retry-After, more than 0 and at most MAX_WAIT; None if it says nothing of use."""
    text = headers.get("Retry-After", "").strip()
    seconds = float(text) if re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) else 0.0
    return min(seconds, MAX_WAIT) if seconds > 0 else None
