"""Voyado Engage: contacts found by `contacts/id`, changed by PATCH, created by POST (API version 3).

Invariants:
- A look-up, PATCH or POST of one contact never overlaps another of the same contact, also when one row knows it by
  contactId and another by e-mail: turns are taken by address, then by contactId; and a PATCH of a contact whose address
  is not known is never under way together with a look-up, which might be about the same contact.
- Somebody who is renamed has the new address before anything else of them is written; an address that another contact
  has is left to that one.
- Nobody is created before a look-up said that there is no such contact; after a POST without an answer, or one refused
  because the contact exists, it is looked up again. Of several matches none is written.
- Only mapped values are sent, each as `known_fields` says: Voyado ignores what it does not know without a word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Literal

from stream_sync.config.settings import DestinationSettings
from stream_sync.model import DELIVERED, Delivered, Halt, Ignored, Intent, Mode, Outcome, Rejected, Retry, Section, Sent
from stream_sync.sinks import voyado_fields, voyado_names, voyado_requests
from stream_sync.sinks.base import EMAIL_TAKEN, Finding, Form, Limits, MappedName, Notice, Sink
from stream_sync.sinks.foreseen import Counted, Load, Request
from stream_sync.sinks.http import Http, Observe, segment
from stream_sync.sinks.voyado_contacts import Contacts, normal
from stream_sync.sinks.voyado_replies import Bad, Found, Taken, Unknown, Unsure, not_voyado
from stream_sync.sinks.voyado_requests import unencodable
from stream_sync.sinks.voyado_settings import Settings
from stream_sync.sinks.voyado_turns import Turns


class Voyado(Sink):
    """One tenant."""

    Settings = Settings
    modes = frozenset[Mode](("update", "upsert"))
    identifiers = (frozenset(("contactId",)), frozenset(("email",)), frozenset(("contactId", "email")))
    email_identifiers = frozenset(("email",))
    renames = frozenset(("email",))
    account_tells = True
    identifier_order = ("contactId", "email")
    default_nulls = "skip"

    def __init__(self, settings: DestinationSettings, http: Http) -> None:
        self._settings = _of_voyado(settings)
        self._contacts = Contacts(self._settings, http)
        self._turns = Turns()

    @classmethod
    def connect(cls, settings: DestinationSettings, observe: Observe) -> Http:
        tenant = _of_voyado(settings)
        # Without Content-Type Voyado answers 500, also to a GET; a User-Agent of the form System/Version is a must.
        always = {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "User-Agent": f"stream-sync/{version('stream-sync')}",
        }

        def headers() -> Mapping[str, str]:
            return {tenant.auth_header: tenant.api_key.reveal(), **always}

        return Http(tenant.url, headers, observe, timeout=tenant.timeout)

    @classmethod
    def check(
        cls, settings: DestinationSettings, mode: Mode, identifiers: Sequence[str], mapped: Sequence[MappedName]
    ) -> list[Finding]:
        tenant = _of_voyado(settings)
        names = voyado_names.check(mode, identifiers, mapped, tenant.known(), tenant.required)
        return names + voyado_names.check_rate(tenant.rate_limit)

    @property
    def limits(self) -> Limits:
        return Limits(in_flight=self._settings.in_flight)

    @classmethod
    def form(
        cls, settings: DestinationSettings, section: Section, name: str, nulls: Literal["unset", "skip"], notice: Notice
    ) -> Form:
        return voyado_fields.form(name, nulls, lambda code: notice(code, name))

    def set_share(self, fraction: float) -> None:
        self._contacts.pace.set_share(fraction)

    def is_paced(self) -> bool:
        return self._contacts.pace.is_awaited

    async def send(self, intents: Sequence[Intent], mode: Mode) -> list[Outcome]:
        return [await self._write(intent, mode) for intent in intents]

    @classmethod
    def requests(cls, settings: DestinationSettings, intent: Intent, mode: Mode) -> Sequence[Request] | Rejected:
        refused = _refused(intent)
        return refused if refused is not None else voyado_requests.requests(_of_voyado(settings), intent, mode)

    @classmethod
    def loads(
        cls, settings: DestinationSettings, counted: Sequence[Counted], mode: Mode, most: int | None
    ) -> Sequence[Load]:
        return voyado_requests.loads(_of_voyado(settings), counted)

    async def probe(self) -> Outcome:
        """A look-up of an address that nobody has: `ContactNotFound` proves address, key and contact type."""
        return await self._contacts.probe()

    def unproven(self) -> Sequence[str]:
        return (
            "that the attributes of known_fields exist: Voyado ignores unknown ones without a word and cannot be asked",
            "that the API key may write, and that `required` is all that a new contact needs",
            "that no other system spends this API key's limit",
        )

    async def _write(self, intent: Intent, mode: Mode) -> Outcome:
        if (refused := _refused(intent)) is not None:
            return refused
        body = self._contacts.body(intent.to_send)
        if isinstance(body, Rejected):
            return body
        addresses = self._addresses(intent)
        async with self._turns.all_of(f"address {address}" for address in addresses):
            if intent.identified_by == "email":
                return await self._by_email(intent, mode, addresses)
            return await self._by_contact_id(intent, addresses)

    def _addresses(self, intent: Intent) -> frozenset[str]:
        """Those which this person is known to have, or gets."""
        by_email = intent.identified_by == "email"
        known = {intent.identifier} if by_email else self._contacts.addresses(intent.identifier)
        if intent.formerly is not None:
            known = {*known, intent.formerly}
        given = intent.values.get("email")
        return frozenset(known) | ({normal(given)} if isinstance(given, str) else set())

    async def _by_contact_id(self, intent: Intent, addresses: frozenset[str]) -> Outcome:
        result = await self._update(intent.identifier, intent.to_send, addresses)
        if not isinstance(result, Unknown):
            return result
        # Any server can answer with an empty 404: it counts where a look-up proves that Voyado answers.
        proof = DELIVERED if result.told else await self.probe()
        return Ignored("unknown_person") if proof is DELIVERED else proof

    async def _by_email(self, intent: Intent, mode: Mode, addresses: frozenset[str]) -> Outcome:
        values = intent.to_send
        if intent.formerly is not None:
            renamed = await self._rename(intent.formerly, intent.identifier, addresses)
            if isinstance(renamed, Found):
                return await self._write_found(renamed, values, mode, addresses)
            if not isinstance(renamed, Unknown):
                return renamed
        contact_id = self._contacts.remembered(intent.identifier)
        if contact_id is not None:
            result = await self._update(contact_id, values, addresses)
            if not isinstance(result, Unknown):
                return result
            # A stale id: whoever has the address now may be another contact, who lacks also what did not change.
            values = intent.values
        found = await self._contacts.look_up(intent.identifier)
        if isinstance(found, Unknown):
            return await self._create(intent, addresses) if mode == "upsert" else Ignored("unknown_person")
        if not isinstance(found, Found):
            return found
        return await self._write_found(found, values, mode, addresses)

    async def _rename(self, old: str, new: str, addresses: frozenset[str]) -> Found | Unknown | Bad:
        """Gives the contact of one address another one; who that is, or Unknown where nobody has the old one. Only a
        contact's id is sure to be unique, so whether somebody has the new one is asked first."""
        found = await self._contacts.look_up(old)
        if not isinstance(found, Found):
            return found
        other = await self._contacts.look_up(new)
        if isinstance(other, Found):
            return found if other.contact_id.lower() == found.contact_id.lower() else _TAKEN
        if not isinstance(other, Unknown):
            return other
        result = await self._update(found.contact_id, {"email": new}, addresses)
        if isinstance(result, Unknown):
            return Retry("contact_vanished") if result.told else Halt(not_voyado(404))
        return found if isinstance(result, Delivered) else result

    async def _write_found(
        self, found: Found, values: Mapping[str, Sent], mode: Mode, addresses: frozenset[str]
    ) -> Outcome:
        """Changes a contact whom Voyado has just told of."""
        result = await self._update(found.contact_id, values, addresses)
        if not isinstance(result, Unknown):
            return result
        if not result.told:
            return Halt(not_voyado(404))
        # Voyado finds whom it does not know: deleted this moment, or its index is behind.
        return Ignored("unknown_person") if mode == "update" else Retry("contact_vanished")

    async def _create(self, intent: Intent, addresses: frozenset[str]) -> Outcome:
        """Creates a contact whom a look-up has just not found."""
        made = await self._contacts.create(intent.identifier, intent.values)
        if not isinstance(made, Taken | Unsure):
            return made
        found = await self._contacts.look_up(intent.identifier)
        if not isinstance(found, Found):
            return made.why if isinstance(found, Unknown) else found
        result = await self._update(found.contact_id, intent.values, addresses)
        return made.why if isinstance(result, Unknown) else result

    async def _update(
        self, contact_id: str, values: Mapping[str, Sent], addresses: frozenset[str]
    ) -> Delivered | Unknown | Bad:
        """Changes a contact when its turn comes; `addresses` are those whose turn is held."""
        async with self._turns.of(f"contact {contact_id.lower()}"):
            return await self._contacts.update(contact_id, values, addresses)


_TAKEN = Rejected(
    EMAIL_TAKEN, "another contact has the new e-mail address: merge the two in Engage; neither of them was written"
)


def _of_voyado(settings: DestinationSettings) -> Settings:
    assert isinstance(settings, Settings)
    return settings


def _refused(intent: Intent) -> Rejected | None:
    try:
        segment(intent.identifier), segment(intent.formerly or "")
    except UnicodeEncodeError:
        return unencodable()
    return None
