"""What one activation delivered last, around the sink's `send`: claim, leave out what is there, send, settle.

Invariants:
- Nothing is sent without a claim. Only an answer of the destination makes a digest known.
- A write that is left short keeps the whole row beside what is sent, for somebody who must be created.
- Before the first claim after partitions came, it is known whether the state is as old as what they committed: if not,
  everything of the activation is forgotten, and after a mirror everything of its account. Where the topic is only read
  once more, who is known stays known.
- To the store people and values are keyed hashes: of the store's salt, `state.key`, the account, the identifier.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import NamedTuple, Protocol, TypeVar

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
from stream_sync.state.store import (
    Asked,
    Attached,
    Last,
    OtherGenerationError,
    OtherKeyError,
    Scope,
    Settled,
    Store,
    Then,
)

PURPOSE = b"stream-sync state 1"
DIGEST_BYTES = 8
NOTHING_SENT = "-"
"""The lineage of a partition that was never run, until something is sent for it: it may be committed before."""
TRIES = 3
TOGETHER = 500
"""People in one call of the store."""
_encode = msgspec.json.Encoder(decimal_format="number", order="sorted").encode

_Answer = TypeVar("_Answer")
Send = Callable[[Sequence[Intent], Mode], Awaitable[list[Outcome]]]


class Progress(Protocol):
    """Of what is committed with a partition's offset, what concerns the state."""

    lineage: str
    mapping: str


class Assignment(Protocol):
    """One assigned partition."""

    partition: int
    revoked: bool

    @property
    def committed(self) -> object | None: ...
    @property
    def progress(self) -> Progress: ...


class Subject(NamedTuple):
    """Whose state it is, and what of it is used."""

    scope: Scope
    is_mirror: bool
    reduces: bool
    """Whether what the destination has is left out; else it is only noted."""
    shared: Collection[str] = frozenset()
    """Names that another activation writes, too: they are always sent."""
    proves: Callable[[Mode, str], bool] = lambda _mode, _by: True
    """See `Sink.proves`."""


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
        self._config_key = key
        self._send = send
        self._warn = warn
        self._log = log
        self._is_service = is_service
        self._attached: Attached | None = None
        self._was_attached = False
        self._key = b""
        self._turn = asyncio.Lock()
        self._failed = 0
        """How often it could not be found out what there is."""
        self._assigned: list[Assignment] = []
        self._unproven: list[_Came] = []
        self._is_away = False

    def assigned(self, assignments: Sequence[Assignment]) -> None:
        """See `Remembers.assigned`."""
        self._assigned = [each for each in self._assigned if not each.revoked] + list(assignments)
        came = []
        for each in assignments:
            lineage, was_run = each.progress.lineage, bool(each.progress.mapping)
            if lineage == NOTHING_SENT:
                lineage, was_run = "", False
            if not lineage and not was_run:
                each.progress.lineage = NOTHING_SENT
            came.append(_Came(each, lineage, was_run, is_anew=each.committed is None))
        self._unproven = [each for each in self._unproven if not each.assignment.revoked] + came

    @property
    def needs_proof(self) -> bool:
        """See `Remembers.needs_proof`. A mirror that ran without the state makes others of its account forget, too."""
        return any(each.was_run and not each.assignment.revoked for each in self._unproven)

    async def prove(self) -> None:
        """See `Remembers.prove`."""

        async def ask(_attached: Attached) -> None:
            """Whoever asks anything has proven it."""

        await self._attending(ask)

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

        return (await self._attending(ask))[1]

    async def recognise(self, lineages: Collection[str]) -> bool:
        """Whether this is the state that a lane with these lineages in its commits uses. Raises StateAwayError."""

        async def ask(attached: Attached) -> bool:
            trusted = [await self._store.trusts(attached, lineage) for lineage in lineages]
            return not lineages or any(trusted)

        return (await self._attending(ask))[1]

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

        attached, _ = await self._attending(ask)
        self._mark(attached)
        return attached

    async def _settle(self, attached: Attached, token: str, settled: Sequence[Settled]) -> None:
        """What cannot be settled stays claimed, and so unknown."""
        try:
            await self._store.settle(attached, token, settled)
        except (StateAwayError, OtherGenerationError) as error:
            self._log("state_not_settled", people=len(settled), why=str(error))
        else:
            self._mark(attached)

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
        start = hashlib.blake2b(person.encode(), key=self._key, digest_size=DIGEST_BYTES)
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
        return pseudonym(self._key, identified_by, identifier)

    async def _attending(self, ask: Callable[[Attached], Awaitable[_Answer]]) -> tuple[Attached, _Answer]:
        """The answer of the store as it is now. Raises StateAwayError."""
        try:
            attached, answer = await self._asked(ask)
        except StateAwayError as error:
            if not self._is_away:
                self._log("state_unavailable", message=str(error))
            self._is_away = True
            self._warn("state_unavailable", "")
            raise
        if self._is_away:
            self._is_away = False
            self._log("state_available")
        return attached, answer

    async def _asked(self, ask: Callable[[Attached], Awaitable[_Answer]]) -> tuple[Attached, _Answer]:
        for _ in range(TRIES):
            attached = await self._current()
            try:
                return attached, await ask(attached)
            except OtherGenerationError:
                self._lost(attached)
        raise StateAwayError("the state was forgotten again and again, this moment")

    def _lost(self, attached: Attached) -> None:
        if self._attached is attached:
            self._attached = None
            self._warn("state_forgotten", "")

    async def _current(self) -> Attached:
        """The scope as it is now, of which all that came with the partitions is proven."""
        failed = self._failed
        async with self._turn:
            if self._failed != failed:  # who asked before waited in vain, and nobody waits once more
                raise StateAwayError("the state was away this moment")
            try:
                return await self._found()
            except StateAwayError:
                self._failed += 1
                raise

    async def _found(self) -> Attached:
        if self._attached is None:
            self._attached = await self._attach()
            self._mark(self._attached)
        unproven = [each for each in self._unproven if not each.assignment.revoked]
        if unproven:
            try:
                self._attached = await self._prove(self._attached, unproven)
            except OtherGenerationError:
                self._attached = None
                raise StateAwayError("the state was forgotten this moment") from None
            self._unproven = [each for each in self._unproven if each not in unproven]
            self._mark(self._attached)
        return self._attached

    async def _attach(self) -> Attached:
        # A command that comes first after the store was lost does not know what the service has under way.
        doubt = self._was_attached or not self._is_service or any(each.was_run for each in self._unproven)
        take_over = self._is_service and not self._was_attached
        salted = hmac.digest(self._config_key, PURPOSE, "sha256")
        try:
            attached = await self._store.attach(
                self._subject.scope, salted.hex()[:16], doubt=doubt, take_over=take_over
            )
        except OtherKeyError:
            raise StateAwayError("the state was begun with another `state.key`: restart all that use it") from None
        self._was_attached = True
        self._key = hmac.digest(salted + attached.salt, self._subject.scope.account.encode(), "sha256")
        return attached

    async def _prove(self, attached: Attached, came: Sequence[_Came]) -> Attached:
        enrolled = await self._store.enrol(attached, [each.assignment.partition for each in came])
        lost, anew = [], []
        for each in came:
            if each.lineage:
                is_trusted = await self._store.trusts(attached, each.lineage)
            else:  # a partition that nobody ever read, or one whose commits were made without the state
                is_trusted = not each.was_run and each.assignment.partition not in enrolled
            if not is_trusted:
                lost.append(each)
            elif each.lineage and each.is_anew:
                anew.append(each)
        if not lost and not anew:
            return attached
        if lost and (self._subject.is_mirror or any(each.lineage for each in lost)):
            self._warn("state_forgotten", "")
        is_whole_account = self._subject.is_mirror and any(each.was_run for each in lost)
        # Whom it knew without the last deletes is not known: somebody else may have made the person anew.
        forgotten = await self._store.forget(attached, account=is_whole_account, keep_known=not lost)
        await self._store.enrol(forgotten, [each.partition for each in self._assigned if not each.revoked])
        return forgotten

    def _mark(self, attached: Attached) -> None:
        """What is committed from now on names the state as it is now."""
        lineage = self._store.lineage(attached)
        unproven = [each.assignment for each in self._unproven]
        for each in self._assigned:
            if not each.revoked and each not in unproven:
                each.progress.lineage = lineage


class _Came(NamedTuple):
    """A partition as it came: what the commit of whoever had it before says."""

    assignment: Assignment
    lineage: str
    was_run: bool
    is_anew: bool
    """Whether it is read from its beginning once more: all is to be sent."""


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
