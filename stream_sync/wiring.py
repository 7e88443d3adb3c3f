"""Makes the parts of a config: destinations, and lanes wired with what they need.

Invariants:
- Sinks come by entry point; nothing here names a vendor.
- A destination's sink, limiter and people in flight are one object for all its lanes.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping

import msgspec

from stream_sync.activations import keeps_state, mapping_of, plan_of, route_of, router_of, subject_of
from stream_sync.config.secrets import Secrets
from stream_sync.config.settings import Config, Source
from stream_sync.config.sink_types import installed
from stream_sync.delivery import exchanges, leave
from stream_sync.delivery.destination import Destination
from stream_sync.delivery.guard import Budget
from stream_sync.delivery.lane import Lane
from stream_sync.delivery.notices import Notices
from stream_sync.delivery.settings import LaneSettings
from stream_sync.formats.decoder import Decoder, open_decoder
from stream_sync.journal import Journals
from stream_sync.kafka.consumer import LaneConsumer
from stream_sync.kafka.held import FOREVER_MS, HeldTopic
from stream_sync.kafka.held import topic_of as held_topic
from stream_sync.kafka.letter_topics import RETENTION_MS, LetterTopic, dead_letter_topic
from stream_sync.kafka.letters import Letters, Reason
from stream_sync.kafka.properties import admin_properties, consumer_properties
from stream_sync.model import Record, Stage
from stream_sync.notify.heralds import Heralds
from stream_sync.observability import logs
from stream_sync.observability.metrics import LaneMetrics, Metrics
from stream_sync.routing.plan import Notice, Plan
from stream_sync.routing.router import Router
from stream_sync.schema_registry import OpenRegistry
from stream_sync.sinks.http import Http
from stream_sync.state.last import LastDelivered
from stream_sync.state.opening import open_store
from stream_sync.state.store import Store

MOST_PEOPLE = 36_000
LEAST_PEOPLE = 2_000
"""In the backlogs of all lanes together, and of one at least: what bounds the memory."""
PARKED = "the delete budget was exceeded: a person decides, with `stream-sync held`"


class RunOptions(msgspec.Struct, frozen=True):
    """How to run, beside the config."""

    activations: tuple[str, ...] = ()
    """Only these; empty = all."""
    until_caught_up: bool = False
    timeout: float | None = None
    """Seconds, of a run until caught up."""
    from_start: bool = False
    accept_gap: bool = False


class WiredLane(msgspec.Struct, frozen=True):
    """A lane and the consumer to run it with."""

    lane: Lane
    consumer: LaneConsumer


class Parts(msgspec.Struct, frozen=True):
    """What reads and decides for one activation: of a lane, and of a replay of its letters."""

    source: Source
    plan: Plan
    decoder: Decoder
    router: Router
    destination: Destination
    notices: Notices
    metrics: LaneMetrics


class LaneLetters:
    """The letters of one lane; see `delivery.ports.Letters`."""

    def __init__(self, letters: Letters, name: str, activation: str, partitions: Callable[[], int]) -> None:
        self._letters = letters
        self._dead = dead_letter_topic(name, activation)
        self._held = held_topic(name, activation)
        self._activation = activation
        self._partitions = partitions

    async def write(
        self, record: Record, stage: Stage, code: str, message: str, status: int | None, attempts: int
    ) -> None:
        """Returns when Kafka has the dead letter."""
        reason = Reason(self._activation, stage, code, message, status, attempts)
        await self._letters.send(LetterTopic(self._dead, self._partitions(), RETENTION_MS), record, reason)

    async def park(self, record: Record) -> None:
        """Returns when Kafka has the record of a Delete in the held topic."""
        reason = Reason(self._activation, "TASK_PUT", "delete_held", PARKED, None, 0)
        await self._letters.send(LetterTopic(self._held, self._partitions(), FOREVER_MS), record, reason)


class Wiring:
    """Makes lanes; keeps what they share. Used inside the running event loop."""

    def __init__(
        self,
        config: Config,
        metrics: Metrics,
        letters: Letters,
        options: RunOptions,
        lent: Mapping[str, Destination] | None = None,
    ) -> None:
        """`lent`: destinations that another wiring of this process made and closes."""
        self._config = config
        self._metrics = metrics
        self._letters = letters
        self._options = options
        self._destinations = dict(lent or {})
        self._https: list[Http] = []
        self.secrets = Secrets(config, logs.add_secret)
        self._schemas = self._open_registry()
        self._held: list[HeldTopic] = []
        self._store: Store | None = None
        self._journals = Journals(config)
        self._heralds = Heralds(config)

    @property
    def destinations(self) -> Mapping[str, Destination]:
        """Those that were made or lent so far."""
        return self._destinations

    def lane(self, name: str) -> WiredLane:
        """The lane of an activation."""
        config = self._config
        activation = config.activations[name]
        settings = config.destinations[activation.destination]
        log = logs.logger(activation=name).warning
        parts = self._lane_parts(name, lambda: consumer.partitions)
        source, destination = parts.source, parts.destination
        parts.metrics.lane_state("waiting")
        held = HeldTopic(admin_properties(config.kafka), held_topic(config.name, name), log)
        self._held.append(held)
        lane = Lane(
            LaneSettings(
                name=name,
                mode=activation.mode,
                key=source.key,
                max_records=activation.batch.max_records,
                max_wait=activation.batch.max_wait,
                delete_after=activation.deletes.after if activation.deletes else 0.0,
                budget=Budget(activation.deletes.max, activation.deletes.per) if activation.deletes else None,
                mapping=mapping_of(activation),
                route=route_of(source, settings, type(destination.sink)),
                max_consecutive=activation.dead_letters.max_consecutive,
                most_people=max(LEAST_PEOPLE, MOST_PEOPLE // len(self._options.activations or config.activations)),
                until_caught_up=self._options.until_caught_up,
                schedule=activation.schedule,
                renames=activation.on_identifier_change == "rename",
                paused=activation.paused,
            ),
            parts.decoder,
            parts.router,
            destination,
            LaneLetters(self._letters, config.name, name, lambda: consumer.partitions),
            held,
            parts.notices,
            parts.metrics,
            self.secrets,
            log,
            logs.logger(activation=name).info,
            self._journals.of(name, parts.notices.add, lambda: consumer.partitions),
            self.last_delivered(name, parts.destination, parts.notices.add, is_service=True),
        )
        consumer = LaneConsumer(
            consumer_properties(config.kafka, len(self._options.activations or config.activations)),
            source.topic,
            f"{config.name}.{name}",
            lane.membership,
            log,
            admin=admin_properties(config.kafka),
            from_start=self._options.from_start,
            accept_gap=self._options.accept_gap,
        )
        return WiredLane(lane, consumer)

    def _lane_parts(self, name: str, partitions: Callable[[], int]) -> Parts:
        """Those of a lane: what it warns of is told as the config says."""
        warnings = self._config.activations[name].warnings
        log = _say_nothing if warnings is None else logs.logger(activation=name).warning
        escalated = () if warnings is None else tuple(warnings.escalate)
        notices = Notices(self._metrics.lane(name), log, self._heralds.of(name, partitions), escalated)
        return self.parts(name, notices)

    def parts(self, name: str, notices: Notices | None = None) -> Parts:
        """What reads and decides for an activation."""
        config = self._config
        activation = config.activations[name]
        source = config.sources[activation.source]
        metrics = self._metrics.lane(name)
        notices = notices or Notices(metrics, logs.logger(activation=name).warning)
        destination = self._destination(activation.destination)
        settings = config.destinations[activation.destination]
        plan = plan_of(activation, settings, type(destination.sink), notices.add)
        decoder = open_decoder(source, plan.columns, notices.add, self._schemas)
        router = router_of(config, name, type(destination.sink), plan, decoder, notices.add)
        return Parts(source, plan, decoder, router, destination, notices, metrics)

    def last_delivered(
        self, name: str, destination: Destination, notice: Notice, *, is_service: bool = False
    ) -> LastDelivered | None:
        """The state of an activation; None where none is kept. `is_service`: of its lane, which leaves out what the
        destination has; everybody else only keeps the state true."""
        config = self._config
        if config.state is None or not keeps_state(config, name):
            return None
        if self._store is None:
            self._store = open_store(config.state, creates=is_service)
        return LastDelivered(
            self._store,
            subject_of(config, name, type(destination.sink), is_service=is_service),
            b"" if config.state.key is None else config.state.key.reveal().encode(),
            destination.sink.send,
            notice,
            logs.logger(activation=name).warning,
            is_service=is_service,
        )

    async def close(self) -> None:
        """Closes what the lanes used."""
        if self._store is not None:
            await self._store.close()
        if self._schemas is not None:
            await self._schemas.close()
        for http in self._https:
            await http.close()
        for held in self._held:
            await asyncio.to_thread(held.close)
        await self._journals.close()
        await self._heralds.close()

    def _open_registry(self) -> OpenRegistry | None:
        config = self._config
        if config.schema_registry is None:
            return None
        return OpenRegistry(config.schema_registry, self.secrets.refresh, logs.logger().warning)

    def _destination(self, name: str) -> Destination:
        if name not in self._destinations:
            settings = self._config.destinations[name]
            metrics = self._metrics.destination(name)
            sink_type = installed()[settings.type]()

            def observe(endpoint: str, result: str, seconds: float) -> None:
                metrics.request(endpoint, result, seconds)
                exchanges.note(endpoint, result)

            http = sink_type.connect(settings, observe)
            http.before_start = leave.check
            self._https.append(http)
            self._destinations[name] = Destination(name, sink_type(settings, http), metrics, random.random)
        return self._destinations[name]


def _say_nothing(*_: object, **_fields: object) -> None:
    """The log of an activation whose warnings are off."""
