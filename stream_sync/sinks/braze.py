"""Braze: people written by `/users/track`, deleted by `/users/delete`.

Invariants:
- One object a person, at most `track_batch` objects and 4 MB a request; a request that Braze refuses as a whole is
  halved and sent again, down to one person, so that only the bad ones are rejected.
- `_update_existing_only` is set wherever nobody may be created: in mode update, and for `braze_id`, which only Braze
  issues. Braze does not say whether such a person exists: they are Delivered.
- When a part of a batch must wait (throttled, failed, halted), what is left of it is not sent.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Literal

import msgspec
from pydantic import Field, field_validator

from stream_sync.config.settings import DestinationSettings
from stream_sync.config.values import Duration, Rate, Secret, SecureUrl, Whole, refuse
from stream_sync.model import DELIVERED, Halt, Intent, Mode, Outcome, Rejected, Retry, Section, Throttled
from stream_sync.sinks import braze_fields, braze_names, braze_replies
from stream_sync.sinks.base import Finding, Form, Limits, MappedName, Notice, Sink
from stream_sync.sinks.foreseen import Counted, Load, Request
from stream_sync.sinks.forms import encode
from stream_sync.sinks.halving import settle
from stream_sync.sinks.http import Failure, Http, Observe, Reply
from stream_sync.sinks.pace import Pace

TRACK, DELETE = "/users/track", "/users/delete"
UPDATE_ONLY = "_update_existing_only"
_PLAIN = frozenset((UPDATE_ONLY,))
MAX_BODY = 4_000_000
"""Bytes of one request; above 4 MB Braze answers 413."""


class Settings(DestinationSettings):
    """A workspace. `url`: its REST endpoint, https://rest.….braze.com or .eu."""

    type: Literal["braze"] = "braze"
    url: SecureUrl
    """The workspace's REST endpoint"""
    api_key: Secret
    """A REST API key"""
    rate_limit: Rate = Rate(3000, 3.0)
    """Of `/users/track`: what the contract allows (dashboard: API usage)."""
    delete_rate_limit: Rate = Rate(20_000, 60.0)
    """Of `/users/delete`; at Braze one pool with alias, identify and merge calls of others."""
    spacing: Duration = 3.0
    """Between two requests for one person: Braze may apply calls close together in any order."""
    track_batch: Annotated[Whole, Field(ge=1, le=225)] = 75
    """People in a request; old contracts take 225, and Braze has announced fewer."""
    delete_batch: Annotated[Whole, Field(ge=1, le=50)] = 50
    """People in a delete"""
    in_flight: Annotated[Whole, Field(ge=1, le=100)] = 32
    """Requests at once"""

    @field_validator("api_key")
    @classmethod
    def _fits_in_a_header(cls, key: Secret) -> Secret:
        if not re.fullmatch(r"[!-~]+", key.reveal()):
            refuse("holds blanks, line breaks or letters that no API key has; copy it from the Braze dashboard again")
        return key


class _Endpoint(msgspec.Struct, frozen=True):
    """Where and how one kind of request is sent, and how its answer is read."""

    path: str
    name: str
    permission: str
    pace: Pace
    read: Callable[[Reply | Failure, int, str, float], list[Outcome | None]]


class Braze(Sink):
    """One workspace."""

    Settings = Settings
    modes = frozenset[Mode](("update", "upsert", "mirror"))
    identifiers = (frozenset(("external_id",)), frozenset(("braze_id",)))
    default_nulls = "unset"

    def __init__(self, settings: DestinationSettings, http: Http) -> None:
        self._settings = _of_braze(settings)
        self._http = http
        track, delete = Pace(self._settings.rate_limit), Pace(self._settings.delete_rate_limit)
        self._track = _Endpoint(TRACK, "users_track", "users.track", track, braze_replies.read)
        self._delete = _Endpoint(DELETE, "users_delete", "users.delete", delete, braze_replies.read_delete)

    @classmethod
    def connect(cls, settings: DestinationSettings, observe: Observe) -> Http:
        workspace = _of_braze(settings)

        def headers() -> Mapping[str, str]:
            return {"Authorization": f"Bearer {workspace.api_key.reveal()}", "Content-Type": "application/json"}

        return Http(workspace.url, headers, observe)

    @classmethod
    def check(
        cls, settings: DestinationSettings, mode: Mode, identifiers: Sequence[str], mapped: Sequence[MappedName]
    ) -> list[Finding]:
        return braze_names.check(mapped)

    @property
    def limits(self) -> Limits:
        own = self._settings
        return Limits(own.track_batch, own.delete_batch, own.in_flight, own.spacing)

    @classmethod
    def form(
        cls, settings: DestinationSettings, section: Section, name: str, nulls: Literal["unset", "skip"], notice: Notice
    ) -> Form:
        make = braze_fields.FIELDS[name] if section == "fields" else braze_fields.custom
        return make(nulls, lambda code: notice(code, name))

    def set_share(self, fraction: float) -> None:
        self._track.pace.set_share(fraction)
        self._delete.pace.set_share(fraction)

    def is_paced(self) -> bool:
        return self._track.pace.is_awaited or self._delete.pace.is_awaited

    async def send(self, intents: Sequence[Intent], mode: Mode) -> list[Outcome]:
        if intents and intents[0].kind == "delete":
            return await self._send_deletes(intents)
        people = [_object(intent, mode) for intent in intents]
        return await settle(people, partial(self._attempt, self._track, "attributes"))

    @classmethod
    def proves(cls, mode: Mode, identified_by: str) -> bool:
        return not _is_update_only(mode, identified_by)

    @classmethod
    def requests(cls, settings: DestinationSettings, intent: Intent, mode: Mode) -> Sequence[Request] | Rejected:
        path, body = TRACK, _body("attributes", [_object(intent, mode)])
        if intent.kind == "delete":
            path, body = DELETE, _body(_array(intent.identified_by), [intent.identifier])
        encoded = _encoded(body)
        return encoded if isinstance(encoded, Rejected) else [Request("POST", path, body, plain=_PLAIN)]

    @classmethod
    def loads(
        cls, settings: DestinationSettings, counted: Sequence[Counted], mode: Mode, most: int | None
    ) -> Sequence[Load]:
        own = _of_braze(settings)
        deletes = sum(each.count for each in counted if each.kind == "delete")
        writes = sum(each.count for each in counted) - deletes
        points = sum(each.count * len(each.names) for each in counted if each.kind != "delete")
        track = -(-writes // min(own.track_batch, most or own.track_batch))
        delete = -(-deletes // min(own.delete_batch, most or own.delete_batch))
        loads = [Load(TRACK, track, track, own.rate_limit, data_points=points)]
        return [*loads, Load(DELETE, delete, delete, own.delete_rate_limit)] if deletes else loads

    async def probe(self) -> Outcome:
        """An empty request: Braze looks at the key, then refuses it with 400, so nothing is written."""
        answer = await self._post(self._track, b'{"attributes":[]}')
        if isinstance(answer, Reply) and (200 <= answer.status < 300 or answer.status == 400):
            is_braze = braze_replies.body_of(answer) is not None
            return DELIVERED if is_braze else Halt(braze_replies.not_braze(answer.status))
        outcome = self._read(self._track, answer, 1)[0]
        return outcome if isinstance(outcome, Retry | Throttled | Halt) else Retry("unexpected_reply")

    def unproven(self) -> Sequence[str]:
        return (
            "that the API key has the permission users.delete, which mode mirror needs",
            "that rate_limit is what the contract allows",
            "that Braze takes every value: some it refuses person by person, some it drops in silence",
        )

    async def _send_deletes(self, intents: Sequence[Intent]) -> list[Outcome]:
        """One request for each kind of identifier: Braze takes one kind a request."""
        outcomes: dict[tuple[str, str], Outcome] = {}
        for kind in dict.fromkeys(intent.identified_by for intent in intents):
            people = [intent.identifier for intent in intents if intent.identified_by == kind]
            settled = await settle(people, partial(self._attempt, self._delete, _array(kind)))
            outcomes.update(zip(((kind, person) for person in people), settled, strict=True))
        return [outcomes[intent.identified_by, intent.identifier] for intent in intents]

    async def _attempt(self, endpoint: _Endpoint, array: str, people: Sequence[Any]) -> list[Outcome | None]:
        """One request with these people, or none where it would be too large."""
        body = _encoded(_body(array, people))
        if isinstance(body, Rejected):  # in a smaller one, perhaps
            return [body] if len(people) == 1 else [None] * len(people)
        return self._read(endpoint, await self._post(endpoint, body), len(people))

    async def _post(self, endpoint: _Endpoint, body: bytes) -> Reply | Failure:
        return await self._http.request("POST", endpoint.path, endpoint=endpoint.name, body=body, pace=endpoint.pace)

    def _read(self, endpoint: _Endpoint, answer: Reply | Failure, count: int) -> list[Outcome | None]:
        outcomes = endpoint.read(answer, count, endpoint.permission, time.time())
        if isinstance(first := outcomes[0], Throttled) and first.after is not None:
            endpoint.pace.hold(first.after)
        return outcomes


def _of_braze(settings: DestinationSettings) -> Settings:
    assert isinstance(settings, Settings)
    return settings


def _array(identifier: str) -> str:
    """The name of the list of people to be deleted who are known by this identifier."""
    return f"{identifier}s"


def _is_update_only(mode: Mode, identified_by: str) -> bool:
    return mode == "update" or identified_by == "braze_id"


def _object(intent: Intent, mode: Mode) -> dict[str, Any]:
    """A person as `/users/track` takes one."""
    if _is_update_only(mode, intent.identified_by):
        return {**intent.to_send, intent.identified_by: intent.identifier, UPDATE_ONLY: True}
    return {**intent.to_send, intent.identified_by: intent.identifier}


def _body(array: str, people: Sequence[Any]) -> Mapping[str, Any]:
    return {array: people}


def _encoded(body: Mapping[str, Any]) -> bytes | Rejected:
    """A request's body, or why a request with this person alone cannot be made."""
    try:
        encoded = encode(body)
    except (UnicodeEncodeError, RecursionError):
        return Rejected("unencodable", "a text of this person is not Unicode (half a surrogate pair)")
    return (
        encoded
        if len(encoded) <= MAX_BODY
        else Rejected("too_large", f"this person alone is more than {MAX_BODY} bytes")
    )
