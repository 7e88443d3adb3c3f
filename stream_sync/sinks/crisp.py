"""Crisp: people written to their profile and their custom data, one person a request.

Invariants:
- A write is PATCH, which creates nobody. Where the mode may create and the person is known by e-mail, a PATCH that
  finds nobody is followed by POST and then the data; where that e-mail was there after all, by both PATCHes.
- Somebody who is renamed has the new e-mail before anything else of them is written; one that somebody else has is left
  to that one.
- Each PATCH is sent only if something of it changed. A person whose creation stopped half-way (the profile is there,
  its data is not) gets everything at the next try.
- Nobody is rejected because a quota is spent, however long that lasts.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field, field_validator

from stream_sync.config.settings import DestinationSettings
from stream_sync.config.values import Rate, Secret, SecureUrl, Whole, refuse
from stream_sync.model import DELIVERED, Halt, Ignored, Intent, Mode, Outcome, Rejected, Retry, Section, Throttled
from stream_sync.sinks import crisp_fields, crisp_names
from stream_sync.sinks.base import EMAIL_TAKEN, Finding, Form, Limits, MappedName, Notice, Sink
from stream_sync.sinks.crisp_account import Account
from stream_sync.sinks.crisp_people import (
    Parts,
    changes,
    everything,
    known_takes,
    may_create,
    name_of,
    new_profile,
    new_takes,
    path_of,
    renaming,
    requests,
    to_send,
)
from stream_sync.sinks.crisp_replies import Meaning, Special
from stream_sync.sinks.foreseen import Counted, Load, Request
from stream_sync.sinks.forms import encode
from stream_sync.sinks.http import Http, Observe, segment

API = "https://api.crisp.chat"
NOBODY = "00000000-0000-0000-0000-000000000000"
"""An id that no person has: asking for it tells whether the credentials are good, and shows nobody's data."""

A_DAY = {"website": 10_000, "plugin": 5_000}
"""Requests (Crisp's guide, "Authentication"); more for a plugin on request."""
MOST_HALF_MADE = 10_000


class Settings(DestinationSettings):
    """A website (workspace) of Crisp, and a token of one of the tiers that serve other programs."""

    type: Literal["crisp"] = "crisp"
    url: SecureUrl = API
    """With or without /v1."""
    website_id: Annotated[str, Field(min_length=1)]
    """The workspace"""
    identifier: Secret
    """The first half of a token"""
    key: Secret
    """The second half of a token"""
    tier: Literal["website", "plugin"]
    """Of the token: `website` (10,000 requests a day) or `plugin` (5,000, more on request)."""
    rate_limit: Rate = Rate(50, 1.0)
    """Crisp does not disclose its own."""
    in_flight: Annotated[Whole, Field(ge=1, le=64)] = 8
    """People at once"""

    @field_validator("website_id")
    @classmethod
    def _is_not_blank(cls, website_id: str) -> str:
        if not website_id.strip():
            refuse("is empty; it is the id in the address of the Crisp app: app.crisp.chat/website/<website_id>/…")
        return website_id.strip()


class Crisp(Sink):
    """One website."""

    Settings = Settings
    modes = frozenset[Mode](("update", "upsert", "mirror"))
    identifiers = (frozenset(("email",)), frozenset(("people_id",)))
    email_identifiers = frozenset(("email",))
    renames = frozenset(("email",))
    account_tells = True
    default_nulls = "skip"
    allowed_nulls = frozenset(("skip",))

    def __init__(self, settings: DestinationSettings, http: Http) -> None:
        self._settings = _of_crisp(settings)
        self._account = Account(http, self._settings.rate_limit)
        self._half_made: dict[str, None] = {}

    @classmethod
    def connect(cls, settings: DestinationSettings, observe: Observe) -> Http:
        website = _of_crisp(settings)

        def headers() -> Mapping[str, str]:
            pair = f"{website.identifier.reveal()}:{website.key.reveal()}"
            return {
                "Authorization": f"Basic {base64.b64encode(pair.encode()).decode('ascii')}",
                "X-Crisp-Tier": website.tier,
                "Content-Type": "application/json",
            }

        return Http(f"{website.url.removesuffix('/v1')}/v1/website/{segment(website.website_id)}", headers, observe)

    @classmethod
    def check(
        cls, settings: DestinationSettings, mode: Mode, identifiers: Sequence[str], mapped: Sequence[MappedName]
    ) -> list[Finding]:
        return crisp_names.check(identifiers, mapped)

    @property
    def limits(self) -> Limits:
        return Limits(in_flight=self._settings.in_flight)

    @classmethod
    def key(cls, section: Section, name: str) -> str:
        return name_of(section, name)

    @classmethod
    def form(
        cls, settings: DestinationSettings, section: Section, name: str, nulls: Literal["unset", "skip"], notice: Notice
    ) -> Form:
        make = crisp_fields.FIELDS[name] if section == "fields" else crisp_fields.custom
        return make(lambda code: notice(code, name_of(section, name)))

    @classmethod
    def account(cls, settings: DestinationSettings) -> Sequence[str]:
        return (_of_crisp(settings).website_id,)

    def set_share(self, fraction: float) -> None:
        self._account.set_share(fraction)

    def is_paced(self) -> bool:
        return self._account.is_paced

    async def send(self, intents: Sequence[Intent], mode: Mode) -> list[Outcome]:
        return await asyncio.gather(*(self._send_one(intent, mode) for intent in intents))

    @classmethod
    def requests(cls, settings: DestinationSettings, intent: Intent, mode: Mode) -> Sequence[Request] | Rejected:
        if intent.kind == "delete":
            return [Request("DELETE", path_of("profile"), None, intent.identifier)]
        asked = requests(intent, mode)
        return _UNENCODABLE if any(_is_unencodable(request) for request in asked) else asked

    @classmethod
    def loads(
        cls, settings: DestinationSettings, counted: Sequence[Counted], mode: Mode, most: int | None
    ) -> Sequence[Load]:
        own = _of_crisp(settings)
        fewest, most_of_all = (sum(each.count * take(each) for each in counted) for take in (known_takes, new_takes))
        return [Load("/people", fewest, most_of_all, own.rate_limit, A_DAY[own.tier])]

    async def probe(self) -> Outcome:
        meaning = await self._account.ask("GET", "profile", NOBODY)
        return DELIVERED if isinstance(meaning, Special) else _not_yet(meaning)

    def unproven(self) -> Sequence[str]:
        return (
            "that the token may write: reading a profile is all that was tried",
            "that the day's quota of the token is enough for a first load",
            "that Crisp takes every value: it refuses some person by person",
        )

    async def _send_one(self, intent: Intent, mode: Mode) -> Outcome:
        try:
            if intent.kind == "delete":
                return await self._delete(intent)
            return await self._write(intent, mode)
        except (UnicodeEncodeError, RecursionError):
            return _UNENCODABLE

    async def _delete(self, intent: Intent) -> Outcome:
        meaning = await self._account.ask("DELETE", "profile", intent.identifier)
        return DELIVERED if meaning is Special.UNKNOWN_PERSON else _decided(meaning)

    async def _write(self, intent: Intent, mode: Mode) -> Outcome:
        if intent.formerly is not None:
            meaning = await self._account.ask("PATCH", "profile", intent.formerly, renaming(intent.identifier))
            if meaning is DELIVERED:
                meaning = await self._patch(intent.identifier, everything(intent))
                return Retry("renamed_and_unknown") if meaning is Special.UNKNOWN_PERSON else _decided(meaning)
            if meaning is not Special.UNKNOWN_PERSON:
                return _decided(meaning)
        new = may_create(intent, mode)
        parts = everything(intent) if intent.identifier in self._half_made else to_send(intent)
        if parts.profile or parts.data:
            meaning = await self._patch(intent.identifier, parts)
        else:  # all NULL: there is nothing to write, but perhaps somebody to create
            meaning = Special.UNKNOWN_PERSON if new else Ignored("nothing_to_send")
        if meaning is Special.UNKNOWN_PERSON:
            meaning = await self._create(intent) if new else Ignored("unknown_person")
        if meaning is DELIVERED:
            self._half_made.pop(intent.identifier, None)
        return _decided(meaning)

    async def _create(self, intent: Intent) -> Outcome:
        email, parts = intent.identifier, everything(intent)
        self._half_made[email] = None
        if len(self._half_made) > MOST_HALF_MADE:
            del self._half_made[next(iter(self._half_made))]
        meaning = await self._account.ask("POST", "profile", body=new_profile(email, parts.profile))
        if meaning is DELIVERED:
            meaning = await self._patch(email, Parts({}, parts.data))
        elif meaning is Special.TAKEN:  # a visitor of the chat, another writer, or our own POST whose answer was lost
            meaning = await self._patch(email, parts)
        return Retry("created_and_unknown") if meaning is Special.UNKNOWN_PERSON else _decided(meaning)

    async def _patch(self, person: str, parts: Parts) -> Meaning:
        """Profile, then data, each if there is something of it."""
        meaning: Meaning = DELIVERED
        for kind, body in changes(parts):
            meaning = await self._account.ask("PATCH", kind, person, body)
            if meaning is not DELIVERED:
                break
        return meaning


def _of_crisp(settings: DestinationSettings) -> Settings:
    assert isinstance(settings, Settings)
    return settings


_UNENCODABLE = Rejected("unencodable", "a text of this person is not Unicode (half a surrogate pair)")


def _is_unencodable(request: Request) -> bool:
    try:
        encode(request.body), segment(request.person)
    except (UnicodeEncodeError, RecursionError):
        return True
    return False


def _decided(meaning: Meaning) -> Outcome:
    if meaning is Special.TAKEN:
        return Rejected(EMAIL_TAKEN, "another person at Crisp has this e-mail address", 409)
    assert not isinstance(meaning, Special)
    return meaning


def _not_yet(outcome: Outcome) -> Outcome:
    """What a probe may say: somebody was asked about, so nobody is rejected."""
    return (
        outcome if isinstance(outcome, Halt | Retry | Throttled) or outcome is DELIVERED else Retry("unexpected_reply")
    )
