"""What one activation delivered last, around the sink's `send`: claim, leave out what is there, send, settle.

Invariants:
- Nothing is sent without a claim. Only an answer of the destination makes a digest known.
- A write that is left short keeps the whole row beside what is sent, for somebody who must be created.
- To the store people and values are keyed hashes: of the store's salt, `state.key`, the account, the identifier.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable, Collection, Sequence

import msgspec

from stream_sync.errors import StateAwayError
from stream_sync.journal import pseudonym
from stream_sync.model import (
    UNCHANGED,
    Delivered,
    Ignored,
    Intent,
    Mode,
    Outcome,
    Retry,
    Sent,
)
from stream_sync.state.attachment import Assignment, Attachment, Subject
from stream_sync.state.store import (
    Asked,
    Attached,
    Last,
    Settled,
    Store,
    Then,
)

DIGEST_BYTES = 8
TOGETHER = 500
"""People in one call of the store."""
_encode = msgspec.json.Encoder(decimal_format="number", order="sorted").encode

Send = Callable[[Sequence[Intent], Mode], Awaitable[list[Outcome]]]


class LastDelivered:
    """The state of one activation; see `delivery.ports.Remembers`. Used by one event loop."""

    def __init__(
        self,
        store: Store,
        subject: Subject,
        key: bytes,
        send: Send,
        warn: Callable[[str, str], None],
        log: Callable[..., None],
        *,
        is_service: bool = True,
    ) -> None:
        """`key`: the config's, empty where it has none. `send`: the sink's. `is_service`: it may begin the store anew
        where that was begun with another key."""
        self._store = store
        self._subject = subject
        self._send = send
        self._log = log
        self._attachment = Attachment(store, subject, key, warn, log, is_service=is_service)

    def assigned(self, assignments: Sequence[Assignment]) -> None:
        """See `Remembers.assigned`."""
        self._attachment.assigned(assignments)

    @property
    def needs_proof(self) -> bool:
        """See `Remembers.needs_proof`."""
        return self._attachment.needs_proof

    async def prove(self) -> None:
        """See `Remembers.prove`."""
        await self._attachment.prove()

    async def send(self, intents: Sequence[Intent], mode: Mode) -> list[Outcome]:
        """See `Remembers.send`."""
        claims = [_Claim(intent) for intent in intents]
        token = secrets.token_hex(8)
        attached = await self._claim(token, claims)
        for claim in claims:
            claim.reduced = self._reduced(claim)
        sent = [claim for claim in claims if claim.reduced is not None]
        outcomes: list[Outcome] = []
        if sent:
            try:
                outcomes = await self._send([claim.reduced for claim in sent if claim.reduced is not None], mode)
            except Exception:
                await self._settle(attached, token, [s for claim in sent for s in claim.settled(Then.DOUBTED)])
                raise
        answers = iter(outcomes)
        results = [UNCHANGED if claim.reduced is None else next(answers) for claim in claims]
        settled = [
            each for claim, result in zip(claims, results, strict=True) for each in self._settled(claim, result, mode)
        ]
        await self._settle(attached, token, settled)
        return results

    async def known(self, deletes: Sequence[Intent]) -> list[bool]:
        """See `Remembers.known`."""

        async def ask(attached: Attached) -> list[bool]:
            people = [self._person(each.identified_by, each.identifier) for each in deletes]
            parts = [people[first : first + TOGETHER] for first in range(0, len(people), TOGETHER)]
            return [known for part in parts for known in await self._store.known(attached, part)]

        return (await self._attachment.ask(ask))[1]

    async def recognise(self, lineages: Collection[str]) -> bool:
        """Whether this is the state that a lane with these lineages in its commits uses. Raises StateAwayError."""

        async def ask(attached: Attached) -> bool:
            trusted = [await self._store.trusts(attached, lineage) for lineage in lineages]
            return not lineages or any(trusted)

        return (await self._attachment.ask(ask))[1]

    async def _claim(self, token: str, claims: Sequence[_Claim]) -> Attached:
        async def ask(attached: Attached) -> None:
            asked: list[Asked] = []
            for claim in claims:
                intent = claim.intent
                is_alone = intent.kind == "delete" or intent.formerly is not None
                claim.person = self._person(intent.identified_by, intent.identifier)
                asked.append(Asked(claim.person, is_alone))
                if intent.formerly is not None:
                    claim.former = self._person(intent.identified_by, intent.formerly)
                    asked.append(Asked(claim.former, alone=True))
            found = iter(await self._store.claim(attached, token, asked))
            for claim in claims:
                claim.last = next(found)
                if claim.former:
                    next(found)

        attached, _ = await self._attachment.ask(ask)
        self._attachment.mark(attached)
        return attached

    async def _settle(self, attached: Attached, token: str, settled: Sequence[Settled]) -> None:
        """What cannot be settled stays claimed, and so unknown."""
        try:
            await self._store.settle(attached, token, settled)
        except StateAwayError as error:
            self._log("state_not_settled", people=len(settled), why=str(error))
        else:
            self._attachment.mark(attached)

    def _reduced(self, claim: _Claim) -> Intent | None:
        """What is to be sent; None where the destination has all of it."""
        intent, digests = claim.intent, claim.last.digests
        if intent.kind == "delete" or not intent.whole or intent.formerly is not None:
            return intent
        if digests is None or not self._subject.reduces:
            return intent
        had, shared = _parts(digests), self._subject.shared
        now = self._digests(claim.person, intent.known)
        changed = {name: value for name, value in intent.known.items() if name in shared or now.get(name) not in had}
        if not changed:
            return None
        if len(changed) == len(intent.known):
            return intent
        # An Update of what changed, as sinks know it: a person who is missing is created from the whole row.
        return Intent("update", intent.identifier, intent.identified_by, changed, whole=False, older=intent.known)

    def _settled(self, claim: _Claim, result: Outcome, mode: Mode) -> list[Settled]:
        if result is UNCHANGED:
            return claim.settled(Then.KEPT)
        if isinstance(result, Delivered):
            if claim.intent.kind == "delete":
                return claim.settled(Then.ERASED)
            if claim.last.is_clean and self._subject.proves(mode, claim.intent.identified_by):
                return claim.settled(Then.WRITTEN, self._written(claim), is_renamed=True)
            return claim.settled(Then.UNKNOWN, is_renamed=True)
        if isinstance(result, Retry):
            return claim.settled(Then.DOUBTED)
        if isinstance(result, Ignored) and result.reason == "unknown_person" and claim.intent.kind != "delete":
            return claim.settled(Then.NOBODY)
        return claim.settled(Then.UNKNOWN)

    def _written(self, claim: _Claim) -> bytes:
        """The digests of what the destination has now: of what was sent, and of what it had and still is so."""
        assert claim.reduced is not None
        had = _parts(claim.last.digests or b"")
        sent = claim.intent.known
        now = self._digests(claim.person, claim.intent.values)
        # Of a shared name the other activation's value may be there, also when that is out of the file one day.
        own = [(name, each) for name, each in now.items() if name not in self._subject.shared]
        return b"".join(each for name, each in own if name in sent or each in had)

    def _digests(self, person: str, values: Sent) -> dict[str, bytes]:
        """Of each value that can be encoded, with the person's and the name's in it: equal values do not show."""
        start = hashlib.blake2b(person.encode(), key=self._attachment.key, digest_size=DIGEST_BYTES)
        found = {}
        for name, value in values.items():
            digest = start.copy()
            try:
                digest.update(_encode([name, value]))
            except (UnicodeEncodeError, RecursionError, ValueError):
                continue
            found[name] = digest.digest()
        return found

    def _person(self, identified_by: str, identifier: str) -> str:
        return pseudonym(self._attachment.key, identified_by, identifier)


class _Claim:
    """One intent under way."""

    __slots__ = ("former", "intent", "last", "person", "reduced")

    def __init__(self, intent: Intent) -> None:
        self.intent = intent
        self.reduced: Intent | None = intent
        self.person = self.former = ""
        self.last = Last(None, is_clean=False)

    def settled(self, then: Then, digests: bytes = b"", *, is_renamed: bool = False) -> list[Settled]:
        """How it ends for the person, and for the one whom a rename takes the old identifier from."""
        ends = [Settled(self.person, then, digests)]
        if self.former:
            ends.append(Settled(self.former, Then.ERASED if is_renamed else then))
        return ends


def _parts(digests: bytes) -> frozenset[bytes]:
    return frozenset(digests[at : at + DIGEST_BYTES] for at in range(0, len(digests), DIGEST_BYTES))
