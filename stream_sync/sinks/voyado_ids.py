"""Which contact has an e-mail address, as far as Voyado said so lately.

Invariants:
- An id is believed for `lifetime` seconds from when Voyado said it; at most `most` of them, the oldest dropped first.
- An address belongs to one contact; ids that differ in upper and lower case are one.
- Pure: time is an argument, in seconds.
"""

from __future__ import annotations

from collections import OrderedDict


class Ids:
    """Ids of contacts by address."""

    def __init__(self, lifetime: float, most: int) -> None:
        self._lifetime = lifetime
        self._most = most
        self._known: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._addresses: dict[str, set[str]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def get(self, address: str, now: float) -> str | None:
        """The contact's id, where it was learnt lately."""
        found = self._known.get(address)
        if found is None:
            return None
        if now >= found[1]:
            self.forget(address)
            return None
        return found[0]

    def put(self, address: str, contact_id: str, now: float) -> None:
        """Voyado said so at `now`."""
        self.forget(address)
        self._known[address] = (contact_id, now + self._lifetime)
        self._addresses.setdefault(contact_id.lower(), set()).add(address)
        while len(self._known) > self._most:
            self.forget(next(iter(self._known)))

    def addresses(self, contact_id: str, now: float) -> frozenset[str]:
        """Under which addresses the contact is known."""
        known = self._addresses.get(contact_id.lower(), ())
        return frozenset(address for address in known if self._known[address][1] > now)

    def forget(self, address: str) -> None:
        """The address may be another contact's now."""
        if found := self._known.pop(address, None):
            addresses = self._addresses[found[0].lower()]
            addresses.discard(address)
            if not addresses:
                del self._addresses[found[0].lower()]

    def forget_contact(self, contact_id: str) -> None:
        """The contact may have another address now, or be gone."""
        for address in tuple(self._addresses.get(contact_id.lower(), ())):
            self.forget(address)
