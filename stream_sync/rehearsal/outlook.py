"""What a config, new or edited, would do: its activations' sources read once, and what that comes to.

Invariants:
- Nothing is sent, committed, created or joined.
- An activation is compared with the one of the same name in the other config.
- Two sources that read the same bytes in the same way are read once, also where one declares more `types`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Protocol

import msgspec

from stream_sync.config.settings import Config, Source
from stream_sync.kafka.cleanup import compacted_or_unknown
from stream_sync.kafka.forward import Forward
from stream_sync.kafka.properties import admin_properties, consumer_properties
from stream_sync.rehearsal.comparison import Comparison
from stream_sync.rehearsal.deciders import Activated, Notices, activated, open_registry
from stream_sync.rehearsal.differences import differences
from stream_sync.rehearsal.history import Decider, History


class Watch(Protocol):
    """Is told how far it is."""

    def begin(self, total: int) -> None:
        """There are so many offsets to pass."""

    def passed(self, count: int) -> None:
        """So many more are."""


class Outlook(msgspec.Struct, frozen=True):
    """One activation. `old`: the one of the same name in the other config."""

    new: Decider
    history: History
    old: Decider | None = None
    comparison: Comparison | None = None
    differences: tuple[str, ...] = ()
    """What the edit changes, in words."""


async def plan(
    config: Config, against: Config | None, names: Sequence[str], since_ms: int | None, watch: Watch
) -> list[Outlook]:
    """Of the activations of these names, in their order. Raises StreamSyncError."""
    readings: list[_Reading] = []
    outlooks = []
    for name in names:
        new = activated(config, name)
        old = activated(against, name) if against is not None and name in against.activations else None
        reading = _reading_of(readings, new.source)
        decider, other, comparison = reading.add(new), None, None
        if old is not None:
            is_shared = reading.takes(old.source)
            other = (reading if is_shared else _reading_of(readings, old.source)).add(old)
            if is_shared:
                comparison = Comparison(decider, other)
                reading.comparisons.append(comparison)
        outlooks.append((reading, decider, other, comparison, () if old is None else differences(new, old)))
    histories = {id(reading): reading.history() for reading in readings}
    await _read(config, list(histories.values()), since_ms, watch)
    return [
        Outlook(decider, histories[id(reading)], other, comparison, told)
        for reading, decider, other, comparison, told in outlooks
    ]


class _Reading:
    """A source, and who reads it."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._deciders: list[Decider] = []
        self.comparisons: list[Comparison] = []

    def takes(self, source: Source) -> bool:
        """Whether one decoder does for both."""
        own, other = self._source, source
        same = (own.topic, own.format, own.encoding, own.key) == (other.topic, other.format, other.encoding, other.key)
        return same and all(own.types.get(column, kind) == kind for column, kind in other.types.items())

    def add(self, found: Activated) -> Decider:
        """One more reads it."""
        self._source = self._source.model_copy(update={"types": {**found.source.types, **self._source.types}})
        notices = Notices()
        decider = Decider(found, found.plan(notices), notices)
        self._deciders.append(decider)
        return decider

    def history(self) -> History:
        return History(self._source, self._deciders, self.comparisons)


def _reading_of(readings: list[_Reading], source: Source) -> _Reading:
    for reading in readings:
        if reading.takes(source):
            return reading
    readings.append(_Reading(source))
    return readings[-1]


async def _read(config: Config, histories: Sequence[History], since_ms: int | None, watch: Watch) -> None:
    properties = consumer_properties(config.kafka)
    async with AsyncExitStack() as stack:
        registry = await stack.enter_async_context(open_registry(config.schema_registry))
        forwards = []
        total = 0
        for history in histories:
            forward = Forward(properties, history.source.topic, f"{config.name}.plan")
            stack.push_async_callback(forward.close)
            forwards.append(forward)
            total += await history.look(forward, since_ms)
            found = await asyncio.to_thread(compacted_or_unknown, admin_properties(config.kafka), history.source.topic)
            history.compacted = found is True
        watch.begin(total)
        for history, forward in zip(histories, forwards, strict=True):
            await history.read(forward, registry, watch.passed)
