"""What decides for an activation, as in a lane, and nothing that could send, commit or join a group.

Invariants:
- Decoder, plan and router are those of `run`, made from the same config by the same functions.
- A sink is asked as a class: there is no account, and no way to one.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec

from stream_sync.activations import plan_of, router_of
from stream_sync.config.settings import Activation, Config, DestinationSettings, SchemaRegistry, Source
from stream_sync.config.sink_types import installed
from stream_sync.errors import HaltError, StreamSyncError, WaitError
from stream_sync.formats.decoder import Decoder, open_decoder
from stream_sync.model import Change, Record, WireValueError
from stream_sync.routing.plan import Plan
from stream_sync.routing.router import Router
from stream_sync.schema_registry import OpenRegistry
from stream_sync.sinks.base import Sink

REGISTRY_SECONDS = 30.0


class Notices:
    """Counts warnings by code."""

    def __init__(self) -> None:
        self.codes: Counter[str] = Counter()

    def add(self, code: str, name: str) -> None:
        """`name`: of a column, or of a value at the destination."""
        self.codes[code] += 1


class Activated(msgspec.Struct, frozen=True):
    """An activation of a config, and what its destination is."""

    name: str
    config: Config
    activation: Activation
    source: Source
    settings: DestinationSettings
    sink: type[Sink]

    def plan(self, notices: Notices) -> Plan:
        """What it reads."""
        return plan_of(self.activation, self.settings, self.sink, notices.add)

    def router(self, plan: Plan, decoder: Decoder, notices: Notices) -> Router:
        """Decides as its lane does."""
        return router_of(self.config, self.name, self.sink, plan, decoder, notices.add)


def activated(config: Config, name: str) -> Activated:
    """An activation of a config that has it."""
    activation = config.activations[name]
    settings = config.destinations[activation.destination]
    return Activated(
        name, config, activation, config.sources[activation.source], settings, installed()[settings.type]()
    )


class KeyLearner:
    """Tells routers what records' keys are made of, once, as a lane does at its first change."""

    def __init__(self, key: Sequence[str] | None, decoder: Decoder) -> None:
        """`key`: the config's."""
        self._key = key
        self._decoder = decoder
        self.names: tuple[str, ...] | None = None
        """Known from the first change on that has a key; empty where they cannot be read."""

    def learn(self, change: Change) -> bool:
        """Whether the key is known now."""
        if self.names is None and change.op != "t":
            if self._key is not None:
                self.names = tuple(self._key)
            else:
                try:
                    self.names = self._decoder.key_names(change.record)
                except WireValueError:
                    self.names = ()
        return self.names is not None


@asynccontextmanager
async def open_registry(settings: SchemaRegistry | None) -> AsyncIterator[OpenRegistry | None]:
    """The config's schema registry; closed at the end."""
    if settings is None:
        yield None
        return
    registry = OpenRegistry(settings, lambda: False, lambda *_args, **_fields: None)
    try:
        yield registry
    finally:
        await registry.close()


def decoder_of(source: Source, plans: Sequence[Plan], registry: OpenRegistry | None, notices: Notices) -> Decoder:
    """Gives the columns that these plans read. Raises HaltError."""
    return open_decoder(source, frozenset().union(*(plan.columns for plan in plans)), notices.add, registry)


async def wait_for(needed: WaitError, record: Record) -> None:
    """Waits for a schema that a record needs; not for ever, since somebody is waiting here. Raises StreamSyncError."""
    try:
        await asyncio.wait_for(needed.ready(), REGISTRY_SECONDS)
    except TimeoutError:
        place = f"{record.topic()} {record.partition()}/{record.offset()}"
        raise StreamSyncError(
            f"the schema registry does not answer within {REGISTRY_SECONDS:.0f} s, and the record {place} needs it: "
            "see that it runs and that `schema_registry.url` is right"
        ) from None


def would_halt(error: HaltError) -> str:
    """What is told of a lane that would stop."""
    return f"the lane would halt ({error.reason}): {error}"
