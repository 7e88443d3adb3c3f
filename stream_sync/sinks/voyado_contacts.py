"""Voyado's contacts over HTTP: find one, change one, create one; with what is remembered of their ids.

Invariants:
- What an address was found to be is remembered for 10 minutes, and forgotten with any 4xx for that contact and with any
  change of its address by us.
- Look-ups and changes of contacts of unknown address are never under way together: they might be about the same one.
- No request of anybody starts before a 429's wait is over.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from stream_sync.model import DELIVERED, Delivered, Outcome, Rejected, Sent, Throttled
from stream_sync.sinks import voyado_replies, voyado_requests
from stream_sync.sinks.answers import wait
from stream_sync.sinks.foreseen import PERSON
from stream_sync.sinks.http import Failure, Http, Method, Reply, segment
from stream_sync.sinks.pace import Pace
from stream_sync.sinks.voyado_ids import Ids
from stream_sync.sinks.voyado_replies import BackOff, Bad, Found, Taken, Unknown, Unsure
from stream_sync.sinks.voyado_requests import CONTACTS
from stream_sync.sinks.voyado_settings import Settings
from stream_sync.sinks.voyado_turns import Divide

ID_LIFETIME = 600.0
MOST_IDS = 50_000
PROBE = "stream-sync-probe@example.com"
"""An address that nobody has."""

Read = TypeVar("Read")


class Contacts:
    """The contacts of one tenant. Addresses are given trimmed and in lower case."""

    def __init__(self, settings: Settings, http: Http) -> None:
        self.pace = Pace(settings.rate_limit)
        self._settings = settings
        self._http = http
        self._back_off = BackOff()
        self._ids = Ids(ID_LIFETIME, MOST_IDS)
        self._divide = Divide()

    def remembered(self, address: str) -> str | None:
        """The id of the contact with this address, where it was found lately."""
        return self._ids.get(address, _now())

    def addresses(self, contact_id: str) -> frozenset[str]:
        """The addresses by which the contact was found lately."""
        return self._ids.addresses(contact_id, _now())

    def body(self, values: Mapping[str, Sent]) -> bytes | Rejected:
        """The values as JSON, or what is wrong with them."""
        return voyado_requests.checked(self._settings, values)

    async def probe(self) -> Outcome:
        """Whether Voyado answers a look-up of an address that nobody has: Delivered, or what is wrong."""
        async with self._divide.on("look"):
            return await self._ask(voyado_replies.read_probe, "GET", self._lookup_path(PROBE), "contacts_id")

    async def look_up(self, address: str) -> Found | Unknown | Bad:
        """Whose address this is."""
        async with self._divide.on("look"):
            found = await self._ask(voyado_replies.read_lookup, "GET", self._lookup_path(address), "contacts_id")
        if isinstance(found, Found):
            self._ids.put(address, found.contact_id, _now())
        return found

    async def update(
        self, contact_id: str, values: Mapping[str, Sent], addresses: frozenset[str]
    ) -> Delivered | Unknown | Bad:
        """Changes a contact, nobody else doing so. `addresses`: those that nobody looks up meanwhile. Where there is
        nothing to say, nothing is asked."""
        values = voyado_requests.changed(values)
        if not values:
            return DELIVERED
        body = self.body(values)
        if isinstance(body, Rejected):
            return body

        def read(answer: Reply | Failure) -> Delivered | Unknown | Bad:
            if isinstance(answer, Reply) and 400 <= answer.status < 500:
                self._ids.forget_contact(contact_id)
            return voyado_replies.read_update(answer, values)

        known = self.addresses(contact_id)
        if "email" in values and known != {normal(values["email"])}:
            self._ids.forget_contact(contact_id)
            self._ids.forget(normal(values["email"]))
        path = f"{CONTACTS}/{segment(contact_id)}"
        if known and known <= addresses:
            return await self._ask(read, "PATCH", path, "contacts_update", body)
        async with self._divide.on("write"):
            return await self._ask(read, "PATCH", path, "contacts_update", body)

    async def create(self, address: str, values: Mapping[str, Sent]) -> Delivered | Taken | Unsure | Bad:
        """Creates a contact with this address and these values, NULLs left out."""
        given = voyado_requests.new(self._settings, address, values)
        if isinstance(given, Rejected):
            return given
        body = voyado_requests.encoded(voyado_requests.new_body(self._settings, given))
        if isinstance(body, Rejected):
            return body

        def read(answer: Reply | Failure) -> Found | Delivered | Taken | Unsure | Bad:
            return voyado_replies.read_create(answer, given)

        made = await self._ask(read, "POST", voyado_requests.create_path(self._settings), "contacts_create", body)
        if isinstance(made, Found):
            self._ids.put(address, made.contact_id, _now())
            return DELIVERED
        return made

    def _lookup_path(self, address: str) -> str:
        return voyado_requests.lookup_path(self._settings).replace(PERSON, segment(address))

    async def _ask(
        self,
        read: Callable[[Reply | Failure], Read],
        method: Method,
        path: str,
        endpoint: str,
        body: bytes | None = None,
    ) -> Read | Throttled:
        """One request, and what its answer means."""
        answer = await self._http.request(method, path, endpoint=endpoint, body=body, pace=self.pace)
        result: Read | Throttled = read(answer)
        if isinstance(answer, Reply):
            if isinstance(result, Throttled):
                after = self._back_off.throttled(_now(), wait(answer.headers, time.time()))
                self.pace.hold(after)
                return Throttled(result.reason, after)
            self._back_off.accepted(_now())
        return result


def normal(address: Sent) -> str:
    """An address as it is looked up."""
    return str(address).strip().lower()


def _now() -> float:
    return asyncio.get_running_loop().time()
