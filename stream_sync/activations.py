"""What an activation's config comes to: its plan and router, whose state it is, and hashes that tell it from others.

Invariant: nothing here connects to anything; sinks are asked as classes, and come by entry point.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import msgspec

from stream_sync.config.settings import Activation, Config, DestinationSettings, Source
from stream_sync.config.sink_types import installed
from stream_sync.formats.decoder import Decoder
from stream_sync.model import Section
from stream_sync.routing.expressions.expression import parse, parse_condition
from stream_sync.routing.plan import IdentifierPart, Notice, Plan, Silence, Target
from stream_sync.routing.router import Router
from stream_sync.sinks.base import Sink
from stream_sync.state.attachment import Subject
from stream_sync.state.store import Scope

MAPPING_PARTS = ("mode", "where", "identifier", "fields", "attributes")
"""Of the config: what is sent of a row."""


def plan_of(activation: Activation, settings: DestinationSettings, sink: type[Sink], notice: Notice) -> Plan:
    """What an activation reads, in the forms that its destination takes."""
    silence = Silence()

    def targets(section: Section, mapping: dict[str, str]) -> list[Target]:
        nulls = activation.nulls or sink.default_nulls
        return [
            Target(
                sink.key(section, name),
                parse(text),
                sink.form(settings, section, name, nulls, notice),
                sink.form(settings, section, name, nulls, silence.tell),
            )
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
        silence=silence,
    )


def router_of(config: Config, name: str, sink: type[Sink], plan: Plan, decoder: Decoder, notice: Notice) -> Router:
    """Decides for an activation: its lane, and whoever asks what its lane would decide."""
    activation = config.activations[name]
    source = config.sources[activation.source]
    return Router(
        plan,
        activation.mode,
        before_full=source.shows_before,
        whole=activation.send == "whole",
        notice=notice,
        decode=decoder.decode,
        renamed=renamed_of(activation, sink),
        recalls=keeps_state(config, name),
    )


def renamed_of(activation: Activation, sink: type[Sink]) -> frozenset[str]:
    """The identifiers that an activation changes at the destination, where they change in the source."""
    return sink.renames if activation.on_identifier_change == "rename" else frozenset()


def keeps_state(config: Config, name: str) -> bool:
    """Whether what an activation delivered last is kept."""
    return config.state is not None and config.activations[name].state == "on"


def subject_of(config: Config, name: str, sink: type[Sink], *, is_service: bool) -> Subject:
    """Whose last-delivered state it is. `is_service`: the lane's, which leaves out what the destination has."""
    activation = config.activations[name]
    account = account_of(config, activation)
    route = route_of(config.sources[activation.source], config.destinations[activation.destination], sink)
    shared = {
        key
        for other, beside in config.activations.items()
        if other != name and account_of(config, beside) == account
        for key in _names(beside, sink)
    }
    return Subject(
        Scope(account, _hash([config.name, name, route])),
        is_mirror=activation.mode == "mirror",
        # With several identifiers one person may be known by each, and by one have had what another one took.
        reduces=is_service and activation.send == "changed" and len(activation.identifier) == 1,
        shared=frozenset(shared),
        proves=sink.proves,
    )


def mapping_of(activation: Activation) -> str:
    """A hash of what is sent of a row: of a row that was sent by another one, it is not known what of it is there."""
    return _hash(activation.model_dump(include=set(MAPPING_PARTS)))


def route_of(source: Source, settings: DestinationSettings, sink: type[Sink]) -> str:
    """A hash of source and destination: of other ones nothing is gone on with."""
    return _hash([source.topic, settings.type, *sink.account(settings)])


def account_of(config: Config, activation: Activation) -> str:
    """Tells the account that an activation sends to from others."""
    settings = config.destinations[activation.destination]
    return _hash([settings.type, *installed()[settings.type]().account(settings)])


def _names(activation: Activation, sink: type[Sink]) -> Iterator[str]:
    """Under which its values are found in `Intent.values`."""
    yield from (sink.key("fields", name) for name in activation.fields)
    yield from (sink.key("attributes", name) for name in activation.attributes)


def _hash(part: Any) -> str:
    """Tells whether a part of the config is as it was."""
    return hashlib.sha256(msgspec.json.encode(part, order="sorted")).hexdigest()[:12]
