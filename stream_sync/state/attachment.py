"""What of a store one activation is attached to, and whether that is as old as what its partitions committed.

Invariants:
- Before anything is asked after partitions came, they are proven: where the state is older than what they committed,
  everything of the activation is forgotten, and after a mirror everything of its account. Where the topic is only read
  once more, who is known stays known.
- What is committed from then on names the state as it is.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import NamedTuple, Protocol, TypeVar

from stream_sync.errors import StateAwayError
from stream_sync.model import Mode
from stream_sync.state.store import Attached, OtherGenerationError, OtherKeyError, Scope, Store

PURPOSE = b"stream-sync state 1"
NOTHING_SENT = "-"
"""The lineage of a partition that was never run, until something is sent for it: it may be committed before."""
TRIES = 3

Answer = TypeVar("Answer")


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


class Attachment:
    """One activation's, to one store."""

    def __init__(
        self,
        store: Store,
        subject: Subject,
        key: bytes,
        warn: Callable[[str, str], None],
        log: Callable[..., None],
        *,
        is_service: bool,
    ) -> None:
        """As of `LastDelivered`."""
        self._store = store
        self._subject = subject
        self._config_key = key
        self._warn = warn
        self._log = log
        self._is_service = is_service
        self._attached: Attached | None = None
        self._was_attached = False
        self.key = b""
        """Of the hashes of people and values; known once something was asked."""
        self._turn = asyncio.Lock()
        self._failed = 0
        """How often it could not be found out what there is."""
        self._assigned: list[Assignment] = []
        self._unproven: list[_Came] = []
        self._is_away = False

    def assigned(self, assignments: Sequence[Assignment]) -> None:
        """These partitions came."""
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
        """Whether what came is to be proven before anything is taken in: a mirror that ran without the state makes
        others of its account forget, too."""
        return any(each.was_run and not each.assignment.revoked for each in self._unproven)

    async def prove(self) -> None:
        """Returns when all that came is proven. Raises StateAwayError."""

        async def nothing(_attached: Attached) -> None:
            """Whoever asks anything has proven it."""

        await self.ask(nothing)

    async def ask(self, question: Callable[[Attached], Awaitable[Answer]]) -> tuple[Attached, Answer]:
        """The answer of the store as it is now. Raises StateAwayError."""
        try:
            attached, answer = await self._asked(question)
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

    async def _asked(self, question: Callable[[Attached], Awaitable[Answer]]) -> tuple[Attached, Answer]:
        for _ in range(TRIES):
            attached = await self._current()
            try:
                return attached, await question(attached)
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
            self.mark(self._attached)
        unproven = [each for each in self._unproven if not each.assignment.revoked]
        if unproven:
            try:
                self._attached = await self._prove(self._attached, unproven)
            except OtherGenerationError:
                self._attached = None
                raise StateAwayError("the state was forgotten this moment") from None
            self._unproven = [each for each in self._unproven if each not in unproven]
            self.mark(self._attached)
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
        self.key = hmac.digest(salted + attached.salt, self._subject.scope.account.encode(), "sha256")
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

    def mark(self, attached: Attached) -> None:
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
