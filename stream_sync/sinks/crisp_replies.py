"""What Crisp's answers mean (its REST guide: "Errors", "Rate limits"; recorded traffic).

Invariants:
- Pure. A reply is not trusted to be JSON: limits and errors of the edge before Crisp come as HTML.
- The two answers that only the caller can judge are values of their own: the person is unknown, the e-mail is taken.
- Crisp's free text can hold an e-mail address: nothing of a reply is repeated.
- A 2xx counts only with Crisp's JSON or, as 204, with nothing; anything else may be a proxy.
"""

from __future__ import annotations

import enum
from typing import Any

import msgspec

from stream_sync.model import DELIVERED, Outcome, Rejected, Retry, Throttled
from stream_sync.sinks.answers import Speaker, usual, wait
from stream_sync.sinks.http import Failure, Reply


class Special(enum.Enum):
    """What an answer says that is no outcome yet."""

    UNKNOWN_PERSON = "unknown_person"
    TAKEN = "taken"
    """Another profile has this e-mail."""


Meaning = Outcome | Special

CRISP = Speaker(
    name="Crisp's REST API",
    halts={
        401: "Crisp refused the credentials: check `identifier`, `key`, and that `tier` is the tier of that token",
        402: "Crisp says that the workspace's plan does not allow this: ask Crisp about the subscription",
        403: "Crisp refused the request: check that the token has the scopes website:people:profiles and "
        "website:people:data (read and write), and that the plugin is installed on this website",
        404: "Crisp does not know this address: check `website_id`, that the plugin is installed on it, and `url`",
        415: "Crisp, or a proxy before it, refused JSON: check `url`",
    },
    address="the API's own address, or leave it out",
    limits=frozenset((420, 423, 429)),
)
_TOO_LARGE = frozenset((413, 414, 431))


class _Body(msgspec.Struct):
    error: Any = None
    reason: Any = None


_decode = msgspec.json.Decoder(_Body).decode


def read(answer: Reply | Failure) -> Meaning:
    """What one answer means for the person it is about."""
    if isinstance(answer, Failure):
        return usual(answer, CRISP) or Retry(answer.reason)
    status, body = answer.status, _body(answer)
    if 200 <= status < 300:
        is_done = status == 204 or (body is not None and body.error is False)
        return DELIVERED if is_done else Retry("unexpected_reply")
    if status == 404 and body is not None and body.reason == "people_not_found":
        return Special.UNKNOWN_PERSON
    if status == 409:
        return Special.TAKEN
    if status == 422 and not _is_invalid(body):  # a maintainer names it beside 429
        return Throttled("rate_limited", wait(answer.headers, None))
    return usual(answer, CRISP) or _refusal(status, body)


def _refusal(status: int, body: _Body | None) -> Rejected | Retry:
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
