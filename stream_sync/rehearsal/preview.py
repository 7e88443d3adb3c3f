"""Real records of an activation's source, and what `run` would make of each: verdict, decision, requests.

Invariants:
- Nothing is sent, committed, created or joined: records are read by offsets, sinks are only asked.
- Decisions are those of a lane that is up to date: only what changed is sent, where the topic tells what did.
- Every kind of verdict that the records looked at have is among those shown, as far as there is room.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import msgspec

from stream_sync.config.settings import Config
from stream_sync.errors import HaltError, StreamSyncError, WaitError
from stream_sync.formats.decoder import Decoder
from stream_sync.kafka.cleanup import compacted_or_unknown
from stream_sync.kafka.peek import peek
from stream_sync.kafka.properties import admin_properties, consumer_properties
from stream_sync.model import Change, Decision, Decoded, Intent, NotAChange, Record, Rejected, Undecodable
from stream_sync.rehearsal.deciders import (
    Activated,
    KeyLearner,
    Notices,
    activated,
    decoder_of,
    open_registry,
    wait_for,
    would_halt,
)
from stream_sync.rehearsal.masking import settled
from stream_sync.routing.router import Router
from stream_sync.routing.verdict import Judge, Verdict
from stream_sync.sinks.foreseen import Request

LOOKED_AT = 1000
SECONDS = 10.0


class Foreseen(msgspec.Struct, frozen=True):
    """An intent and what its sink would ask; or why it would refuse to. `silent`: the sink does not say."""

    intent: Intent
    requests: Sequence[Request] = ()
    refused: Rejected | None = None


class Example(msgspec.Struct, frozen=True):
    """One record. `verdict` and `decision` are there for a change only."""

    record: Record
    decoded: Decoded
    verdict: Verdict | None = None
    decision: Decision | None = None
    foreseen: tuple[Foreseen, ...] = ()


class Shown(msgspec.Struct, frozen=True):
    """What was found."""

    activated: Activated
    looked_at: int
    examples: list[Example]
    compacted: bool
    warnings: Counter[str]
    """Of all records looked at, by code."""


async def preview(config: Config, name: str, limit: int) -> Shown:
    """Some of the newest and oldest records. Raises StreamSyncError."""
    found = activated(config, name)
    properties, topic = consumer_properties(config.kafka), found.source.topic
    records = await asyncio.to_thread(peek, properties, topic, f"{config.name}.preview", LOOKED_AT, SECONDS)
    if not records:
        raise StreamSyncError(f"topic {topic!r} holds no records yet: see that the connector runs and writes there")
    compacted = await asyncio.to_thread(compacted_or_unknown, admin_properties(config.kafka), topic) is True
    async with open_registry(config.schema_registry) as registry:
        notices = Notices()
        plan = found.plan(notices)
        try:
            decoder = decoder_of(found.source, [plan], registry, notices)
            judge = Judge(plan, lambda _code, _name: None, before_full=found.source.shows_before)
            rehearsing = _Rehearsing(found, decoder, found.router(plan, decoder, notices), judge, doubt=compacted)
            examples = [await rehearsing.look(record) for record in sorted(records, key=_place)]
        except HaltError as error:
            raise StreamSyncError(would_halt(error)) from error
    return Shown(found, len(examples), chosen(examples, limit), compacted, notices.codes)


class _Rehearsing:
    def __init__(self, found: Activated, decoder: Decoder, router: Router, judge: Judge, *, doubt: bool) -> None:
        self._found = found
        self._decoder = decoder
        self._router = router
        self._judge = judge
        self._doubt = doubt
        self._keys = KeyLearner(found.source.key, decoder)
        self._key_known = False

    async def look(self, record: Record) -> Example:
        decoded = await self._decoded(record)
        if not isinstance(decoded, Change):
            return Example(record, decoded)
        if not self._key_known and self._keys.learn(decoded):
            self._router.learn_key(self._keys.names)
            self._key_known = True
        verdict = self._judge.verdict(decoded)
        decision = self._router.route(decoded, self._doubt)
        intents = decision if isinstance(decision, tuple) else (decision,)
        foreseen = tuple(self._foresee(intent) for intent in intents if isinstance(intent, Intent))
        return Example(record, decoded, verdict, decision, foreseen)

    async def _decoded(self, record: Record) -> Decoded:
        while True:
            try:
                return self._decoder.decode(record)
            except WaitError as needed:
                await wait_for(needed, record)

    def _foresee(self, intent: Intent) -> Foreseen:
        found, known = self._found, settled(intent)
        said = found.sink.requests(found.settings, known, found.activation.mode)
        return Foreseen(known, refused=said) if isinstance(said, Rejected) else Foreseen(known, said)


def chosen(examples: Sequence[Example], limit: int) -> list[Example]:
    """Up to `limit`: of every kind of verdict the newest, then the second newest of each, …; kinds that are seldom come
    first, since they are what one does not think of."""
    kinds: dict[object, list[Example]] = defaultdict(list)
    for example in sorted(examples, key=_time):
        kinds[_kind(example)].append(example)
    queues = sorted(kinds.values(), key=len)
    return [example for _, example in zip(range(limit), _in_turn(queues), strict=False)]


def _in_turn(queues: Sequence[list[Example]]) -> Iterator[Example]:
    while any(queues):
        for queue in queues:
            if queue:
                yield queue.pop()


def _kind(example: Example) -> object:
    match example.decoded:
        case NotAChange(kind=kind):
            return kind
        case Undecodable(code=code):
            return code
    decision, verdict = example.decision, example.verdict
    assert verdict is not None
    what = type(decision).__name__ if not isinstance(decision, Intent) else decision.kind
    reason = getattr(decision, "reason", getattr(decision, "code", ""))
    return example.decoded.op, verdict.was.stands, verdict.now.stands, what, reason


def _place(record: Record) -> tuple[int, int]:
    return record.partition() or 0, record.offset() or 0


def _time(example: Example) -> tuple[int, int, int]:
    return example.record.timestamp()[1], *_place(example.record)
