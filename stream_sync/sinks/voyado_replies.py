"""What Voyado's answers mean for the contact of a request (facts: Voyado's pages "Find contact", "Creating contacts",
"Errors", "Rate limits"; where they are silent, the careful reading).

Invariants:
- Pure; every answer is read, whatever its shape: `errors[].code`, `errorCode`, `messageDetails`, a bare text …
- Codes of Voyado are known by name; no other text of an answer is repeated, for it can hold an address or a number.
- A 404 counts as "no such contact" only where Voyado says so; a 2xx only with JSON or nothing in it.
- `Unsure`: a POST that may have taken effect, so nobody may repeat it before looking up.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

import msgspec

from stream_sync.model import DELIVERED, Delivered, Halt, Outcome, Rejected, Retry, Throttled
from stream_sync.sinks.answers import Speaker, usual
from stream_sync.sinks.http import Failure, Reply

BACK_OFF = (10.0, 30.0, 60.0, 300.0)
"""Seconds between attempts (Voyado's page on retries); its 429 says nothing of its own."""


class Found(msgspec.Struct, frozen=True):
    """The contact that an address belongs to, or that was created."""

    contact_id: str


class Unknown(msgspec.Struct, frozen=True):
    """No such contact. `told`: Voyado's own code says so; else the answer was an empty 404, as any server may give."""

    told: bool = True


class Taken(msgspec.Struct, frozen=True):
    """Not created, because there is such a contact already: `why` where it cannot be found."""

    why: Rejected | Retry


class Unsure(msgspec.Struct, frozen=True):
    """Perhaps created."""

    why: Retry


Bad = Rejected | Retry | Throttled | Halt

_NOT_FOUND = "contactnotfound"
_IN_PROGRESS = "contactwithkeyisbeingcreated"
_TAKEN = {
    "approvedcontactwithkeyexists": "approved_contact_with_key_exists",
    "duplicatediscoverykey": "duplicate_discovery_key",
    _IN_PROGRESS: "contact_with_key_is_being_created",
}
_CODES = _TAKEN | {
    "invalidemailaddress": "invalid_email_address",
    "invalidphonenumber": "invalid_phone_number",
    "invalidsocialsecuritynumber": "invalid_social_security_number",
    "invalidcontacttype": "invalid_contact_type",
    "invalidsearchquery": "invalid_search_query",
    "invalidcontactid": "invalid_contact_id",
    "multiplematches": "multiple_matches",
    "multiplematchesfound": "multiple_matches",
    "nodata": "no_data",
    "validationerror": "validation_error",
    _NOT_FOUND: "contact_not_found",
    "invalidsystemconfiguration": "invalid_system_configuration",
}
_HINTS = {
    "invalid_contact_type": "check the destination's `contact_type`",
    "multiple_matches": "several contacts have this address; merge them in Engage, none of them was written",
    "validation_error": "a mandatory field may be missing or a value not be of its field's type; see `required` and "
    "`known_fields`",
    "approved_contact_with_key_exists": "another contact has this key, but is not found by this address",
    "duplicate_discovery_key": "another contact has this discovery key",
}
_HALTS = {
    401: "Voyado refused the API key: check `api_key`, and that `url` is the tenant of the key",
    402: "Voyado says that the account is not active: ask Voyado about the contract",
    403: "Voyado refused the request: check the API key's list of allowed addresses (Config Hub > API connections)",
    404: "there is no such address at Voyado: check that `url` is the tenant's own, https://NAME.voyado.com",
    415: "Voyado, or a proxy before it, refused JSON: check `url`",
}
_VOYADO = Speaker("Voyado's API", _HALTS, "the tenant's own address")
_TELLING = frozenset(
    ("error", "errors", "code", "errorcode", "message", "messagedetails", "detail", "details", "title")
)
_DEPTH = 6
_NOTHING = object()
_id = re.compile(r"[0-9A-Za-z-]{1,64}").fullmatch
_guid = re.compile(rb"\s*[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\s*").fullmatch


def read_lookup(answer: Reply | Failure) -> Found | Unknown | Bad:
    """Of GET `contacts/id`, whose body is a bare JSON text with the id."""
    if isinstance(answer, Reply):
        if 200 <= answer.status < 300:
            contact_id = _id_in(answer.body)
            return Found(contact_id) if contact_id else Retry("unexpected_reply")
        codes = codes_in(answer.body)
        if answer.status == 404 and _NOT_FOUND in codes:
            return Unknown()
        if answer.status == 409:
            return _rejected(codes & {"multiplematches"} or {"multiplematches"}, answer, ())
    return _bad(answer, ())


def read_probe(answer: Reply | Failure) -> Outcome:
    """Of a look-up of an address that nobody has: whether Voyado answers, and takes key and contact type."""
    match read_lookup(answer):
        case Found() | Unknown() | Rejected(code="multiple_matches" | "invalid_email_address"):
            return DELIVERED
        case Rejected(message=message):
            return Halt(message)
        case Retry(reason="unexpected_reply") if isinstance(answer, Reply):
            return Halt(not_voyado(answer.status))
        case other:
            return other


def read_update(answer: Reply | Failure, sent: Collection[str]) -> Delivered | Unknown | Bad:
    """Of PATCH `contacts/{id}`. `sent`: the names of what was sent, which may be repeated."""
    if isinstance(answer, Reply):
        if 200 <= answer.status < 300:
            return DELIVERED if _is_voyados(answer.body) else Retry("unexpected_reply")
        if answer.status == 404 and not answer.body.strip():
            return Unknown(told=False)
        codes = codes_in(answer.body)
        if answer.status == 404 and _NOT_FOUND in codes:
            return Unknown()
        if answer.status < 500 and _IN_PROGRESS in codes:
            return _BEING_CREATED
    return _bad(answer, sent)


def read_create(answer: Reply | Failure, sent: Collection[str]) -> Found | Delivered | Taken | Unsure | Bad:
    """Of POST `contacts`; Delivered = created, and the answer does not say under which id."""
    if isinstance(answer, Failure) and answer.reason in ("connect", "tls"):
        return Retry(answer.reason)
    if isinstance(answer, Reply):
        if 200 <= answer.status < 300:
            if not _is_voyados(answer.body):
                return Unsure(Retry("unexpected_reply"))
            contact_id = _id_in(answer.body)
            return Found(contact_id) if contact_id else DELIVERED
        codes = codes_in(answer.body)
        if 400 <= answer.status < 500 and _IN_PROGRESS in codes:
            return Taken(_BEING_CREATED)
        if answer.status == 409 or (answer.status in (400, 422) and not codes.isdisjoint(_TAKEN)):
            return Taken(_rejected(codes, answer, sent))
    bad = _bad(answer, sent)
    return Unsure(bad) if isinstance(bad, Retry) else bad


def codes_in(body: bytes) -> frozenset[str]:
    """Voyado's codes in an answer of any shape, in lower case."""
    return frozenset(word for text in _told_in(body) for word in re.findall(r"[a-z]+", text.lower()) if word in _CODES)


def not_voyado(status: int) -> str:
    """The reason to halt where something else answered."""
    return _VOYADO.is_not(status)


class BackOff:
    """How long to wait after a 429 that does not say: 10, 30, 60, then 300 s, until something succeeds after a wait."""

    def __init__(self) -> None:
        self._step = 0
        self._until = float("-inf")

    def throttled(self, now: float, told: float | None) -> float:
        """Seconds to wait from `now`. Requests that were under way together count once."""
        if told is not None:
            wait_for = told
        elif now < self._until:
            return self._until - now
        else:
            wait_for = BACK_OFF[min(self._step, len(BACK_OFF) - 1)]
            self._step += 1
        self._until = max(self._until, now + wait_for)
        return wait_for

    def accepted(self, now: float) -> None:
        """A request was not throttled."""
        if now >= self._until:
            self._step = 0


_BEING_CREATED = Retry("contact_with_key_is_being_created", BACK_OFF[0])


def _bad(answer: Reply | Failure, sent: Collection[str]) -> Bad:
    """What an answer means that is no success and no special case."""
    if bad := usual(answer, _VOYADO):
        is_set_up_wrong = isinstance(answer, Reply) and "invalidsystemconfiguration" in codes_in(answer.body)
        return Retry("invalid_system_configuration") if is_set_up_wrong and isinstance(bad, Retry) else bad
    assert isinstance(answer, Reply)
    return _rejected(codes_in(answer.body), answer, sent) if answer.status >= 400 else Retry("unexpected_reply")


def _rejected(codes: Collection[str], reply: Reply, sent: Collection[str]) -> Rejected:
    """Refused for good, with Voyado's code where it gave one and the names of fields that it mentions."""
    code = min((_CODES[code] for code in codes), default="conflict" if reply.status == 409 else "bad_request")
    words = {word for text in _told_in(reply.body) for word in re.findall(r"[\w.]+", text)}
    named = sorted(words.intersection(sent))
    about = f", naming {', '.join(named)}" if named else ""
    hint = f"; {_HINTS[code]}" if code in _HINTS else ""
    return Rejected(code, f"Voyado refused the contact (HTTP {reply.status}, {code}{about}){hint}", reply.status)


def _told_in(body: bytes) -> Iterator[str]:
    """The texts of an error body that may be codes or messages."""
    value = _json(body)
    if value is _NOTHING:
        text = body[:1000].decode("utf-8", "replace").strip()
        if text and "<" not in text:
            yield text
    else:
        yield from _texts(value, _DEPTH)


def _texts(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth and isinstance(value, list):
        for one in value:
            yield from _texts(one, depth - 1)
    elif depth and isinstance(value, dict):
        for name, one in value.items():
            # Names of fields stand as keys inside `errors`; other members can be the row itself, echoed.
            yield name
            if name.lower() in _TELLING or isinstance(one, list):
                yield from _texts(one, depth - 1)


def _id_in(body: bytes) -> str | None:
    """The id in a bare text, quoted or not, or in an object."""
    value = _json(body)
    if value is _NOTHING:
        return body.decode("ascii").strip() if _guid(body) else None
    if isinstance(value, dict):
        value = next((value[name] for name in ("id", "contactId", "Id", "ContactId") if name in value), None)
    return value if isinstance(value, str) and _id(value) else None


def _is_voyados(body: bytes) -> bool:
    return not body.strip() or _json(body) is not _NOTHING or _guid(body) is not None


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _NOTHING
