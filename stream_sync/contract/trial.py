"""One sink at one simulated account, used as a lane uses it.

Invariants:
- Values go through the sink's own forms, intents in batches of its own limits, no person twice at once.
- Every outcome is kept, and looked at as soon as it comes: one a person, of the closed set, with a code that can be a
  metric's label.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal, get_args

import msgspec

from stream_sync.contract.subject import Subject
from stream_sync.model import DELIVERED, Intent, Mode, Omitted, Outcome, Parked, Rejected, Retry, Sent, Throttled
from stream_sync.sandbox.faults import Faults
from stream_sync.sandbox.server import Sandbox, Vendor
from stream_sync.sandbox.workspace import Workspace
from stream_sync.sinks.foreseen import Request
from stream_sync.sinks.http import Failure, Http, Method, Reply
from stream_sync.sinks.pace import Pace

SECRET = "canary-key-9f27c1"  # noqa: S105  # made up, to be looked for where it must not be
ACCOUNT = "main"
_ROUNDS = 200


class Trial:
    """`told` holds (endpoint, result) of every request, as metrics are told of it."""

    def __init__(self, subject: Subject, settings: Any, http: Http, workspace: Workspace) -> None:
        self.subject = subject
        self.sink = sink = subject.sink()(settings, http)
        self.http = http
        self.workspace = workspace
        self.settings = settings
        self.told: list[tuple[str, str]] = []
        self.asked: list[tuple[str, str, bytes | None]] = []
        """Method, path and body of every request, from the account's address on."""
        self.outcomes: list[Outcome] = []
        self.mode: Mode = "upsert" if "upsert" in sink.modes else "update"

    def restart(self) -> None:
        """As a new process that remembers nothing."""
        self.sink = self.subject.sink()(self.settings, self.http)

    def fault(self, **knobs: Any) -> None:
        """Sets these knobs; all others are the subject's own."""
        self.workspace.faults = msgspec.structs.replace(self.subject.faults, **knobs)

    def limit(self, faults: Faults) -> None:
        """Sets the knobs of `faults`, the subject's own besides."""
        told = {name: value for name, value in msgspec.structs.asdict(faults).items() if value != _default(name)}
        self.fault(**told)

    def write(
        self,
        text: str,
        values: Mapping[int, Any] | None = None,
        *,
        kind: Literal["insert", "update"] = "insert",
        changed: Iterable[int] | None = None,
        nulls: Literal["unset", "skip"] | None = None,
    ) -> Intent:
        """An intent for the person of `text`. `values`: of attributes, by number; `changed`: the numbers of those that
        changed, where not all did."""
        row = self.row({0: 1} if values is None else values, nulls)
        person = self.person(text)
        if changed is None:
            return Intent(kind, person, self.subject.identifier, row)
        names = {self.name(number) for number in changed}
        known = {name: value for name, value in row.items() if name in names}
        return Intent(kind, person, self.subject.identifier, known, whole=False, older=row)

    def refused(self, text: str) -> Intent:
        """An intent that the vendor refuses."""
        section, name, value = self.subject.refused
        form = self.sink.form(self.settings, section, name, self.sink.default_nulls, lambda *_: None)
        return Intent("insert", self.person(text), self.subject.identifier, {self.sink.key(section, name): form(value)})

    def rename(self, old: str, new: str, values: Mapping[int, Any]) -> Intent:
        """An intent with the whole row of somebody who was the person of `old`."""
        return msgspec.structs.replace(self.write(new, values), formerly=self.person(old))

    def delete(self, text: str) -> Intent:
        return Intent("delete", self.person(text), self.subject.identifier)

    def person(self, text: str) -> str:
        """The identifier as the router gives it."""
        person = self.subject.person(text).strip()
        return person.lower() if self.subject.identifier in self.sink.email_identifiers else person

    def name(self, number: int) -> str:
        """The name of an attribute's value in an intent."""
        return self.sink.key("attributes", self.subject.attribute(number))

    def row(self, values: Mapping[int, Any], nulls: Literal["unset", "skip"] | None = None) -> dict[str, Sent]:
        """Mapped values in the form sent."""
        how = nulls or self.sink.default_nulls
        row = {}
        for number, value in values.items():
            name = self.subject.attribute(number)
            sent = self.sink.form(self.settings, "attributes", name, how, lambda *_: None)(value)
            if not isinstance(sent, Omitted):
                row[self.name(number)] = sent
        return row

    def held(self, text: str) -> dict[int, Any] | None:
        """The attributes that the vendor holds of a person, by number."""
        held = self.subject.held(self.workspace, self.person(text))
        if held is None:
            return None
        numbers = {self.subject.attribute(number): number for number in range(500)}
        return {numbers[name]: value for name, value in held.items() if name in numbers and value is not None}

    def foreseen(self, intent: Intent) -> Sequence[Request]:
        """What the sink says it would ask for this intent."""
        mode = "mirror" if intent.kind == "delete" else self.mode
        said = self.sink.requests(self.settings, intent, mode)
        assert not isinstance(said, Rejected), said
        return said

    async def send(self, *intents: Intent, mode: Mode | None = None) -> list[Outcome]:
        """One attempt for each, in calls of `send` as a lane makes them: of one kind each, several at once."""
        sorts = [[intent for intent in intents if (intent.kind == "delete") is deletes] for deletes in (False, True)]
        limits = self.sink.limits
        calls = [*_batches(sorts[0], limits.writes), *_batches(sorts[1], limits.deletes)]
        free = asyncio.Semaphore(limits.in_flight)

        async def call(batch: Sequence[Intent]) -> list[Outcome]:
            async with free:
                outcomes = await self.sink.send(batch, mode or ("mirror" if batch[0].kind == "delete" else self.mode))
            assert len(outcomes) == len(batch), "one outcome for each intent"
            return outcomes

        answers = itertools.chain.from_iterable(await asyncio.gather(*map(call, calls)))
        of = dict(zip([(each.kind, each.identifier) for batch in calls for each in batch], answers, strict=True))
        outcomes = [of[intent.kind, intent.identifier] for intent in intents]
        for outcome in outcomes:
            _look_at(outcome)
        self.outcomes += outcomes
        return outcomes

    async def deliver(self, *intents: Intent, mode: Mode | None = None) -> list[Outcome]:
        """As `send`, again for those whose outcome is not yet, until each has one."""
        decided: dict[str, Outcome] = {}
        left = list(intents)
        for _ in range(_ROUNDS):
            outcomes = await self.send(*left, mode=mode)
            decided.update(zip([intent.identifier for intent in left], outcomes, strict=True))
            waits = [each.after or 1.0 for each in outcomes if isinstance(each, Retry | Throttled)]
            if not waits:
                return [decided[intent.identifier] for intent in intents]
            left = [each for each in left if isinstance(decided[each.identifier], Retry | Throttled)]
            await asyncio.sleep(max(waits))
        raise AssertionError(f"after {_ROUNDS} attempts the outcomes are still {outcomes[:3]}")

    async def make(self, *texts: str) -> None:
        """People of these identifiers come to be at the vendor, with attribute 0 as 1."""
        outcomes = await self.deliver(*map(self.write, texts))
        assert outcomes == [DELIVERED] * len(texts), "people are created"


@asynccontextmanager
async def trial(
    subject: Subject, *, vendor: Vendor | None = None, secret: str = SECRET, **settings: Any
) -> AsyncIterator[Trial]:
    """A new account with nobody in it. `vendor`: instead of the subject's; `settings`: on top of the subject's."""
    sink_type = subject.sink()
    vendors = {subject.name: vendor or subject.vendor}
    async with Sandbox(keys={ACCOUNT: SECRET}, journal=True, faults=subject.faults, vendors=vendors) as sandbox:
        url = sandbox.address(subject.name, ACCOUNT)
        made = sink_type.Settings.model_validate(
            {"type": subject.name, "url": url, **subject.settings(secret), **settings}
        )
        told: list[tuple[str, str]] = []
        http = sink_type.connect(made, lambda endpoint, result, seconds: told.append((endpoint, result)))
        try:
            tried = Trial(subject, made, http, sandbox.workspace(subject.name, ACCOUNT))
            tried.told = told
            _listen(http, tried.asked)
            yield tried
        finally:
            await http.close()


def _listen(http: Http, asked: list[tuple[str, str, bytes | None]]) -> None:
    exchange = http.request

    async def request(
        method: Method, path: str, *, endpoint: str, body: bytes | None = None, pace: Pace
    ) -> Reply | Failure:
        asked.append((method, path, body))
        return await exchange(method, path, endpoint=endpoint, body=body, pace=pace)

    http.request = request  # type: ignore[method-assign]  # what goes by is kept, and goes on


def _batches(intents: Sequence[Intent], most: int) -> list[Sequence[Intent]]:
    return [intents[start : start + most] for start in range(0, len(intents), most)]


def _look_at(outcome: Outcome) -> None:
    assert isinstance(outcome, get_args(Outcome)), f"{type(outcome).__name__} is not an outcome"
    assert not isinstance(outcome, Parked), "parking is the lane's"
    if isinstance(outcome, Rejected):
        assert re.fullmatch(r"[a-z][a-z0-9_]*", outcome.code), "a code is a word, of a closed set"
        assert outcome.message, "a rejection says why"
    if isinstance(outcome, Retry | Throttled):
        assert outcome.after is None or 0 <= outcome.after <= 86_400, "a wait is in seconds, a day at most"


def _default(knob: str) -> Any:
    return getattr(Faults(), knob)
