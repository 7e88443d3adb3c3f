"""Puts together what is known of some rows of an activation's source: found, decided once more, followed up in Kafka.

Invariants: everything is only read; nothing is sent, committed or created. Of each row the newest records are kept, up
to a number given; the router has seen all of them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol, Self

import msgspec

from stream_sync.config.settings import Config
from stream_sync.explain.delivery import Deliveries, Delivery
from stream_sync.explain.finding import KeyQuery, PersonQuery
from stream_sync.explain.history import Entry, Historian
from stream_sync.kafka.cleanup import compacted_or_unknown
from stream_sync.kafka.forward import Commit, Forward
from stream_sync.kafka.letters import Letters
from stream_sync.kafka.outcomes import topic_of
from stream_sync.kafka.progress import decode
from stream_sync.kafka.properties import admin_properties, consumer_properties, producer_properties
from stream_sync.model import Change, Record
from stream_sync.observability import logs
from stream_sync.observability.metrics import Metrics, Registry
from stream_sync.replay.desk import dead_letters, parked
from stream_sync.replay.rows import Deciphering, RowKey
from stream_sync.wiring import RunOptions, Wiring

MOST_KEYS = 100_000
"""Whose answer is remembered: a row has many records."""


class Watch(Protocol):
    """Is told how far it is."""

    def read(self, count: int) -> None:
        """So many more records of the source were read."""


class Explained(msgspec.Struct, frozen=True):
    """One record and what became of it."""

    entry: Entry
    delivery: Delivery


class Explanation(msgspec.Struct, frozen=True):
    """Everything about the rows that were asked for, oldest record first in each partition."""

    topic: str
    rows: int
    records: tuple[Explained, ...]
    left_out: int
    """Older records of these rows, beyond the number asked for."""
    begins: dict[int, int]
    """Partition to the first offset that was read, where that is not 0."""
    tells: bool
    """Whether the activation writes its outcomes."""


class Explaining:
    """`async with Explaining(…) as explaining`: then `by_key` or `by_person`."""

    def __init__(self, config: Config, activation: str, watch: Watch, since_ms: int | None, most: int) -> None:
        """`since_ms`: only records not older, by their own times in Kafka; `most`: records kept."""
        self._config = config
        self._name = activation
        self._watch = watch
        self._since_ms = since_ms
        self._most = most

    async def __aenter__(self) -> Self:
        config, name = self._config, self._name
        log = logs.logger(activation=name).warning
        # Nothing is written with it; the wiring wants to know where letters would go.
        self._letters = Letters(producer_properties(config.kafka), admin_properties(config.kafka), log)
        self._wiring = Wiring(config, Metrics(Registry()), self._letters, RunOptions((name,)))
        self._parts = self._wiring.parts(name)
        self._topic = self._parts.source.topic
        kafka, group = consumer_properties(config.kafka), f"{config.name}.{name}"
        self._source = Forward(kafka, self._topic, group)
        self._outcomes = Forward(kafka, topic_of(config.name, name), group)
        self._decipher = Deciphering(self._parts, self._parts.source.key)
        return self

    async def __aexit__(self, *exc: object) -> None:
        for forward in (self._source, self._outcomes):
            await forward.close()
        self._letters.close()
        await self._wiring.close()

    async def by_key(self, text: str) -> Explanation:
        """The rows whose key is this. Raises HaltError and StreamSyncError."""
        query, known = KeyQuery(text), dict[bytes | None, bool]()

        async def is_meant(record: Record) -> bool:
            key = record.key()
            if key not in known:
                if len(known) >= MOST_KEYS:
                    known.clear()
                known[key] = query.matches(key, await self._decipher.key_values(record))
            return known[key]

        return await self._explain(is_meant)

    async def by_person(self, text: str) -> Explanation:
        """The rows that are, or were, this person at the destination. Raises HaltError and StreamSyncError."""
        query, rows = PersonQuery(text, self._parts.plan), set[RowKey]()
        await self._source.start(await self._source.starts(self._since_ms))
        async for records in self._source.to_end():
            self._watch.read(len(records))
            for record in records:
                change = await self._decipher.decode(record)
                if isinstance(change, Change) and query.matches(change):
                    rows.add(_row(record))

        async def is_meant(record: Record) -> bool:
            return _row(record) in rows

        return await self._explain(is_meant)

    async def _explain(self, is_meant: Callable[[Record], Awaitable[bool]]) -> Explanation:
        await self._source.existing()
        committed = await self._source.committed()
        historian = await self._historian(committed)
        starts = await self._source.starts(self._since_ms)
        await self._source.start(starts)
        kept: deque[Entry] = deque(maxlen=self._most)
        rows, count = set[RowKey](), 0
        async for records in self._source.to_end():
            self._watch.read(len(records))
            for record in records:
                if await is_meant(record):
                    kept.append(historian.entry(record, await self._decipher.decode(record)))
                    rows.add(_row(record))
                    count += 1
        entries = sorted(kept, key=lambda entry: entry.place)
        deliveries = Deliveries(self._topic)
        if entries:
            await deliveries.read(
                {entry.place for entry in entries},
                self._outcomes,
                dead_letters(self._config, self._name),
                parked(self._config, self._name),
                committed,
                min(entry.record.timestamp()[1] for entry in entries),
            )
        return Explanation(
            self._topic,
            len(rows),
            tuple(Explained(entry, deliveries.of(entry.place)) for entry in entries),
            count - len(entries),
            {number: first for number, first in starts.items() if first > 0},
            self._config.activations[self._name].outcomes is not None,
        )

    async def _historian(self, committed: dict[int, Commit]) -> Historian:
        progress = {number: decode(commit.metadata) for number, commit in committed.items()}
        properties = admin_properties(self._config.kafka)
        return Historian(
            self._parts.plan,
            self._parts.router,
            before_full=self._parts.source.shows_before,
            forgetful=await asyncio.to_thread(compacted_or_unknown, properties, self._topic) is True,
            whole_until={number: each.whole_until for number, each in progress.items() if each is not None},
        )


def _row(record: Record) -> RowKey:
    return record.partition() or 0, record.key()
