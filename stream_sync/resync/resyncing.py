"""Everything that a resync of one activation needs, wired.

Invariants: what is opened here is closed here. Nothing of the lane's own state is written: how far a resync is, is what
the group `<name>.<activation>.resync` has committed.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import Protocol, Self

import msgspec

from stream_sync.activations import MAPPING_PARTS
from stream_sync.config.settings import Activation, Config
from stream_sync.journal import Journals
from stream_sync.kafka import progress as lane_progress
from stream_sync.kafka.cleanup import compacted_or_unknown
from stream_sync.kafka.forward import Bounds, Forward
from stream_sync.kafka.held import HeldTopic
from stream_sync.kafka.held import topic_of as held_topic
from stream_sync.kafka.letters import Letters
from stream_sync.kafka.properties import admin_properties, consumer_properties, producer_properties
from stream_sync.model import Decoded, Record
from stream_sync.observability import logs
from stream_sync.observability.metrics import Metrics, Registry
from stream_sync.replay.claims import Claims
from stream_sync.replay.recognising import recognise
from stream_sync.replay.replay import Result
from stream_sync.replay.rows import Deciphering, RowKey
from stream_sync.replay.sending import Sender, Sending
from stream_sync.resync import exits
from stream_sync.resync.progress import Done, decode
from stream_sync.resync.resync import Pass, Report, Resync, note
from stream_sync.resync.rows import Reading
from stream_sync.resync.wishes import Attributes, Everything, Exits, Wish
from stream_sync.routing.newest import Folding
from stream_sync.wiring import LaneLetters, Parts, RunOptions, Wiring


class Watch(Protocol):
    """Is told how far it is."""

    def read(self, count: int) -> None:
        """So many more records of the source were read."""

    def sent(self, count: int) -> None:
        """So many more people were sent."""


class Wanted(msgspec.Struct, frozen=True):
    """What to resync, of whom and how fast."""

    attributes: tuple[str, ...] = ()
    """Names of fields and attributes; empty = all."""
    exits: Config | None = None
    """The old config, to delete whom its `where` includes and the new one's does not; else people are written."""
    since: str = ""
    """As it was asked for."""
    since_ms: int | None = None
    share: float = 0.2
    """Of the account's rate limit."""
    anew: bool = False
    """Whether to forget where an ended one was."""


class Sight(msgspec.Struct, frozen=True):
    """What of the source can be seen."""

    trimmed: dict[int, int]
    """Partition to its first offset, where that is not 0."""
    compacted: bool | None
    """None where the broker does not say."""


class Resyncing:
    """`async with Resyncing(…) as resyncing`: then `run` or `count`; `sight` and `goes_on` are known before."""

    def __init__(self, config: Config, activation: str, wanted: Wanted, watch: Watch) -> None:
        self._config = config
        self._name = activation
        self._wanted = wanted
        self._watch = watch
        self._settings: Activation = config.activations[activation]
        self._log: Callable[..., None] = logs.logger(activation=activation).warning
        self.goes_on = False
        """Whether one like it was ended before its end, so that this one goes on where it was."""
        self._old_decipher: Deciphering | None = None
        self._delete_after = self._settings.deletes.after if self._settings.deletes is not None else 0.0

    async def __aenter__(self) -> Self:
        self._opened = AsyncExitStack()
        async with self._opened as opened:
            await self._open_all()
            self._opened = opened.pop_all()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._opened.aclose()

    async def _open_all(self) -> None:
        config, name, opened = self._config, self._name, self._opened
        kafka, admin = consumer_properties(config.kafka), admin_properties(config.kafka)
        self._producer = Letters(producer_properties(config.kafka), admin, self._log)
        opened.callback(self._producer.close)
        wiring = self._wiring(config)
        self._parts = wiring.parts(name)
        self._topic = self._parts.source.topic
        self._forward = Forward(kafka, self._topic, f"{config.name}.{name}.resync")
        self._others = Forward(kafka, self._topic, f"{config.name}.{name}")
        opened.push_async_callback(self._forward.close)
        opened.push_async_callback(self._others.close)
        self._held = HeldTopic(admin, held_topic(config.name, name), self._log)
        opened.callback(self._held.close)
        self._decipher = Deciphering(self._parts, self._parts.source.key)
        self._folding = self._folded(self._parts, config)
        journals = Journals(config)
        opened.push_async_callback(journals.close)
        last = wiring.last_delivered(name, self._parts.destination, self._parts.notices.add)
        await recognise(last, await self._others.committed())
        bounds = await self._forward.existing()
        self.sight = Sight(
            {number: bound.low for number, bound in bounds.items() if bound.low > 0},
            await asyncio.to_thread(compacted_or_unknown, admin, self._topic),
        )
        self._sender = Sender(
            Sending(
                name,
                self._settings.mode,
                self._settings.batch.max_records,
                self._settings.dead_letters.max_consecutive,
                share=self._wanted.share,
            ),
            self._parts.destination,
            self._parts.metrics,
            self._log,
            letters=LaneLetters(self._producer, config.name, name, lambda: len(bounds)),
            journal=journals.of(name, self._parts.notices.add, lambda: len(bounds), "resync"),
            last=last,
        )
        await opened.enter_async_context(self._sender)
        await self._begin(bounds)

    async def run(self) -> Report:
        """Sends, or deletes. Raises HaltError and StreamSyncError; run again it goes on where it was."""
        is_done = True
        if self._wanted.exits is None:
            report = await self._resync.run()
        else:
            report = await self._delete()
            is_done = not any(fate == "withheld" for fate, _ in report.results)
        if is_done:
            ended = {number: each.end() for number, each in self._resync.done.items()}
            await note(self._forward, ended, self._reading.starts)
        return report

    async def count(self) -> Report:
        """What would be sent now: `delivered` stands for it."""
        if self._wanted.exits is None:
            return await self._resync.count()
        gone = await self._find()
        self._resync.report.results["delivered", ""] = await exits.to_be_deleted(gone, self._claims)
        return self._resync.report

    async def _begin(self, bounds: Mapping[int, Bounds]) -> None:
        of, wanted = self._hash(), self._wanted
        committed = await self._forward.committed()
        kept = {number: decode(committed[number].metadata) if number in committed else Done() for number in bounds}
        since = wanted.since_ms
        self.goes_on = not wanted.anew and any(each.of == of for each in kept.values())
        if self.goes_on:
            since = next(each.since_ms for each in kept.values() if each.of == of)
        else:
            kept = {number: each.end() for number, each in kept.items()}
        done = {number: each.begin(of, since) for number, each in kept.items()}
        starts = await self._forward.starts(since)
        self.budget = await self._budget(done)
        self._claims = Claims(self._others, self._folding, self._decipher, self._watch.read)
        self._reading = Pass(starts, self._wish(), self._reader(), self._watch.read)
        self._resync = Resync(
            self._forward,
            self._reading,
            done,
            self._sender,
            self._claims,
            self._watch.sent,
            self.budget.withhold,
            self._delete_after,
        )

    async def _find(self) -> exits.Gone:
        rows, unsure = await exits.found(self._resync, self._reading.starts)
        if unsure:
            self._resync.report.results["unsettled", "membership_unknown"] = unsure
        return exits.Gone(self._forward, self._reading, rows)

    async def _delete(self) -> Report:
        report, gone = self._resync.report, await self._find()
        results: Mapping[RowKey, Result]
        if len(gone.wanted) > exits.MOST_FOUND:
            results = dict.fromkeys(gone.wanted, Result("withheld", "delete_budget"))
        else:
            after, withhold = self._delete_after, self.budget.withhold
            results = await exits.delete(gone, self._claims, self._sender, withhold, self._watch.sent, after)
        report.results.update((each.fate, each.code) for each in results.values())
        return report

    async def _budget(self, done: Mapping[int, Done]) -> exits.Budget:
        deletes = self._settings.deletes
        if deletes is None:  # no mirror: nothing deletes
            return exits.Budget(0, self._held.unreleased, _nothing)
        now, per = time.time(), deletes.per
        lane = [lane_progress.decode(commit.metadata) for commit in (await self._others.committed()).values()]
        used = sum(each.deletes_within(now, per) for each in lane if each is not None)
        used += sum(each.deleted_within(now, per) for each in done.values())
        first = min(done, default=0)

        async def keep(count: int) -> None:
            self._resync.done[first] = self._resync.done[first].delete(count, time.time())
            await note(self._forward, {first: self._resync.done[first]}, self._reading.starts)

        return exits.Budget(deletes.max - used, self._held.unreleased, keep)

    def _wish(self) -> Wish:
        wanted = self._wanted
        if wanted.exits is not None:
            return Exits(self._folding, self._folded(self._old_parts(wanted.exits), wanted.exits))
        return Attributes(self._folding, wanted.attributes) if wanted.attributes else Everything(self._folding)

    def _wiring(self, config: Config) -> Wiring:
        wiring = Wiring(config, Metrics(Registry()), self._producer, RunOptions((self._name,)))
        self._opened.push_async_callback(wiring.close)
        return wiring

    def _old_parts(self, old: Config) -> Parts:
        parts = self._wiring(old).parts(self._name)
        self._old_decipher = Deciphering(parts, parts.source.key)
        return parts

    def _reader(self) -> Reading:
        new, old = self._decipher, self._old_decipher

        async def read(record: Record) -> tuple[Decoded, Decoded | None]:
            return await new.decode(record), None if old is None else await old.decode(record)

        return read

    def _folded(self, parts: Parts, config: Config) -> Folding:
        mode = config.activations[self._name].mode
        return Folding(parts.plan, parts.router, mode, parts.notices.add, before_full=parts.source.shows_before)

    def _hash(self) -> str:
        """Tells this resync from others: what it sends, and from when on."""
        wanted, name = self._wanted, self._name
        configs = [self._config, *([wanted.exits] if wanted.exits is not None else [])]
        mappings = [each.activations[name].model_dump(include=set(MAPPING_PARTS)) for each in configs]
        told = msgspec.json.encode([mappings, sorted(wanted.attributes), wanted.since], order="sorted")
        return hashlib.sha256(told).hexdigest()[:12]


async def _nothing(_count: int) -> None:
    """Nothing is to be kept."""
