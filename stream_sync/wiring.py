"""Makes the parts of a config: destinations, and lanes wired with what they need.

Invariants:
- Sinks come by entry point; nothing here names a vendor.
- A destination's sink, limiter and people in flight are one object for all its lanes.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import msgspec

from stream_sync.config.secrets import refresh_all
from stream_sync.config.settings import Activation, Config, DestinationSettings
from stream_sync.config.sink_types import installed
from stream_sync.delivery.destination import Destination
from stream_sync.delivery.lane import Lane, LaneSettings
from stream_sync.delivery.notices import Notices
from stream_sync.formats.decoder import open_decoder
from stream_sync.kafka.consumer import LaneConsumer
from stream_sync.kafka.dead_letters import DeadLetters, Reason, topic_of
from stream_sync.kafka.properties import consumer_properties
from stream_sync.model import Record, Section, Stage
from stream_sync.observability import logs
from stream_sync.observability.metrics import Metrics
from stream_sync.routing.expressions.expression import parse, parse_condition
from stream_sync.routing.mapping import IdentifierPart, Notice, Plan, Target
from stream_sync.routing.router import Router
from stream_sync.sinks.base import Sink


class WiredLane(msgspec.Struct, frozen=True):
    """A lane and the consumer to run it with."""

    lane: Lane
    consumer: LaneConsumer


class LaneLetters:
    """The dead letters of one lane; see `delivery.ports.Letters`."""

    def __init__(self, letters: DeadLetters, name: str, activation: str, partitions: Callable[[], int]) -> None:
        self._letters = letters
        self._topic = topic_of(name, activation)
        self._activation = activation
        self._partitions = partitions

    async def write(
        self, record: Record, stage: Stage, code: str, message: str, status: int | None, attempts: int
    ) -> None:
        """Returns when Kafka has the dead letter."""
        reason = Reason(self._activation, stage, code, message, status, attempts)
        await self._letters.send(self._topic, self._partitions(), record, reason)


class Wiring:
    """Makes lanes; keeps what they share. Used inside the running event loop."""

    def __init__(self, config: Config, metrics: Metrics, letters: DeadLetters, *, until_caught_up: bool) -> None:
        self._config = config
        self._metrics = metrics
        self._letters = letters
        self._until_caught_up = until_caught_up
        self._destinations: dict[str, Destination] = {}
        self._closing: list[Any] = []

    def lane(self, name: str) -> WiredLane:
        """The lane of an activation."""
        config = self._config
        activation = config.activations[name]
        source = config.sources[activation.source]
        log = logs.logger(activation=name).warning
        metrics = self._metrics.lane(name)
        metrics.lane_state("waiting")
        notices = Notices(metrics, log)
        destination = self._destination(activation.destination)
        settings = config.destinations[activation.destination]
        plan = plan_of(activation, settings, type(destination.sink), notices.add)
        router = Router(
            plan,
            activation.mode,
            before_full=source.before == "full",
            whole=activation.send == "whole",
            notice=notices.add,
        )
        lane = Lane(
            LaneSettings(
                name=name,
                mode=activation.mode,
                key=source.key,
                max_records=activation.batch.max_records,
                max_wait=activation.batch.max_wait,
                delete_after=activation.deletes.after if activation.deletes else 0.0,
                max_consecutive=activation.dead_letters.max_consecutive,
                until_caught_up=self._until_caught_up,
            ),
            open_decoder(source, plan.columns),
            router,
            destination,
            LaneLetters(self._letters, config.name, name, lambda: consumer.partitions),
            notices,
            metrics,
            lambda: refresh_all(config, logs.add_secret),
            log,
        )
        consumer = LaneConsumer(consumer_properties(config.kafka), source.topic, f"{config.name}.{name}", lane, log)
        return WiredLane(lane, consumer)

    async def close(self) -> None:
        """Closes the connections to all destinations."""
        for http in self._closing:
            await http.close()

    def _destination(self, name: str) -> Destination:
        if name not in self._destinations:
            settings = self._config.destinations[name]
            metrics = self._metrics.destination(name)
            sink_type = installed()[settings.type]()
            http = sink_type.connect(settings, metrics.request)
            self._closing.append(http)
            self._destinations[name] = Destination(name, sink_type(settings, http), metrics, random.random)
        return self._destinations[name]


def plan_of(activation: Activation, settings: DestinationSettings, sink: type[Sink], notice: Notice) -> Plan:
    """What an activation reads, in the forms that its destination takes."""

    def targets(section: Section, mapping: dict[str, str]) -> list[Target]:
        nulls = activation.nulls or sink.default_nulls
        return [
            Target(sink.key(section, name), parse(text), sink.form(settings, section, name, nulls, notice))
            for name, text in mapping.items()
        ]

    order = {name: place for place, name in enumerate(sink.identifier_order)}
    identifier = sorted(activation.identifier.items(), key=lambda part: order.get(part[0], 0))
    return Plan(
        where=None if activation.where is None else parse_condition(activation.where),
        identifier=tuple(
            IdentifierPart(name, parse(text), name in sink.email_identifiers) for name, text in identifier
        ),
        targets=(*targets("fields", activation.fields), *targets("attributes", activation.attributes)),
    )
