"""A strict destination, in memory: it keeps people, fails as it is told, and notices what must never happen.

Invariants:
- Independent of the lane: it knows rows by their `version`, which the source counts up with every change of a row.
- One account is shared by the pods that send there; each has a sink of its own, and its limiter.
- What is wrong is collected in `wrong`, in words; a good run ends with nothing in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from random import Random
from typing import Any, ClassVar, Literal

from stream_sync.config.settings import DestinationSettings
from stream_sync.config.values import Rate
from stream_sync.model import DELIVERED, Ignored, Intent, Mode, Outcome, Rejected, Retry, Throttled
from stream_sync.sinks.base import Finding, Limits, Sink
from stream_sync.sinks.http import Http
from stream_sync.sinks.pace import Pace


class Call:
    """One request: when it started, and what it ended with."""

    def __init__(self, pod: object, started: float, people: Collection[str], deletes: bool) -> None:
        self.pod = pod
        self.started = started
        self.ended: float | None = None
        self.people = people
        self.deletes = deletes
        self.result = ""
        self.is_cut = False


class Account:
    """What the vendor holds, and how it behaves now."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.people: dict[str, dict[str, Any]] = {}
        self.calls: list[Call] = []
        self.deleted: list[tuple[float, str]] = []
        self.wrong: list[str] = []
        self.is_down = False
        self.failing = 0.0
        """Share of the requests that fail; half of those had been done."""
        self.throttling = 0.0
        """Share of the requests that are asked to come again in a second."""
        self.poison: set[str] = set()
        """Every request with one of them fails, and nothing of it is done."""
        self.refused: set[str] = set()
        """Whose writes are refused for good."""
        self.latency = 0.2
        self._open: dict[str, Call] = {}
        self._applied: dict[str, int] = {}

    def forget_order(self) -> None:
        """A process died or lost its partitions: what it did after its last commit is done again."""
        self._applied.clear()

    def cut(self, pod: object) -> None:
        """Nothing of what a pod has under way arrives any more."""
        for call in [call for call in self._open.values() if call.pod is pod]:
            call.is_cut = True
            self._close(call)

    async def take(self, pod: object, intents: Sequence[Intent]) -> list[Outcome]:
        """One request."""
        loop = asyncio.get_running_loop()
        call = Call(pod, loop.time(), [each.identifier for each in intents], intents[0].kind == "delete")
        self.calls.append(call)
        for who in call.people:
            if who in self._open:
                self.wrong.append(f"{who} is in two requests at once")
            self._open[who] = call
        try:
            return await self._answer(call, intents)
        except asyncio.CancelledError:
            call.result = "cancelled"
            raise
        finally:
            call.ended = loop.time()
            self._close(call)

    def _close(self, call: Call) -> None:
        for who in call.people:
            if self._open.get(who) is call:
                del self._open[who]

    async def _answer(self, call: Call, intents: Sequence[Intent]) -> list[Outcome]:
        dice = self.random.random()
        await asyncio.sleep(self.latency * self.random.random())
        if call.is_cut:
            call.result = "cut"
            return [Retry("timeout")] * len(intents)
        if self.is_down or self.poison.intersection(call.people) or dice < self.failing:
            if dice < self.failing / 2 and not self.is_down:
                self._apply(intents)
            await asyncio.sleep(self.latency * self.random.random())
            call.result = "failed"
            return [Retry("server_error")] * len(intents)
        if dice > 1 - self.throttling:
            call.result = "throttled"
            return [Throttled("rate_limited", 1.0)] * len(intents)
        outcomes = self._apply(intents)
        await asyncio.sleep(self.latency * self.random.random())
        call.result = "done"
        return outcomes

    def _apply(self, intents: Sequence[Intent]) -> list[Outcome]:
        return [self._one(intent) for intent in intents]

    def _one(self, intent: Intent) -> Outcome:
        who = intent.identifier
        if intent.kind == "delete":
            self.deleted.append((asyncio.get_running_loop().time(), who))
            self.people.pop(who, None)
            return DELIVERED
        if who in self.refused:
            return Rejected("refused", "the vendor refuses this person")
        version = intent.values["version"]
        if version < self._applied.get(who, 0):
            self.wrong.append(f"{who}: version {version} came after {self._applied[who]}")
        self._applied[who] = version
        if intent.kind == "update" and who not in self.people and not intent.whole:
            return Ignored("unknown_person")
        self.people[who] = {**self.people.get(who, {}), **intent.to_send}
        return DELIVERED


class StrictSink(Sink):
    """The account as one pod reaches it."""

    Settings = DestinationSettings
    modes = frozenset({"update", "upsert", "mirror"})
    identifiers = (frozenset({"external_id"}),)
    default_nulls: ClassVar[Literal["unset", "skip"]] = "unset"

    def __init__(self, account: Account, limits: Limits, rate: Rate | None = None) -> None:
        self._account = account
        self._limits = limits
        self._pace = None if rate is None else Pace(rate)

    @classmethod
    def connect(cls, *_: Any) -> Http:
        raise NotImplementedError

    @classmethod
    def check(cls, *_: Any) -> list[Finding]:
        raise NotImplementedError

    @classmethod
    def form(cls, *_: Any) -> Callable[[Any], Any]:
        return lambda value: value

    @property
    def limits(self) -> Limits:
        return self._limits

    def set_share(self, fraction: float) -> None:
        if self._pace is not None:
            self._pace.set_share(fraction)

    async def send(self, intents: Sequence[Intent], mode: Mode) -> list[Outcome]:
        if self._pace is not None:
            await self._pace.acquire()
        return await self._account.take(self, intents)

    async def probe(self) -> Outcome:
        return DELIVERED
