"""Reads sources, destinations and activations so that a mistake in one does not hide what else is wrong with it.

Invariants:
- A part with mistakes becomes a draft: what is wrong in it is replaced by its default or a stand-in, so that the rules
  between parts can look at the rest. `Report.clean` tells the rules which settings are the person's own.
- A draft never leaves `load`: where there is one there is a problem.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar, get_args, get_origin

from stream_sync.config import shorthand
from stream_sync.config.parts import Model, kind, read_part
from stream_sync.config.problems import Place, Report, did_you_mean
from stream_sync.config.rules.parts import Destination
from stream_sync.config.settings import Activation, Source
from stream_sync.config.sink_types import SinkTypes

Part = TypeVar("Part")

_ACTIVATION = {"source": "", "destination": "", "mode": "update", "identifier": {}}
_SOURCE = {"topic": ""}
_SHORT = ("identifier", "fields", "attributes")
_TEXT = "https://stand-in.invalid"
"""What stands in for a destination's required setting that is no choice: good as text, secret and address."""


def entries(raw: Mapping[str, Any], section: str) -> dict[str, Any]:
    """The named parts of a section, as written; none where the section is not a mapping."""
    found = raw.get(section)
    return found if isinstance(found, dict) else {}


def read_sources(raw: dict[str, Any], report: Report) -> dict[str, Source]:
    """Sources and drafts of sources by name."""
    return _each(raw, "sources", report, lambda place, part: _draft(Source, part, place, report, _SOURCE))


def read_destinations(raw: dict[str, Any], sinks: SinkTypes, report: Report) -> dict[str, Destination]:
    """Destinations and drafts of destinations by name; none for those of an unknown type."""
    return _each(raw, "destinations", report, lambda place, part: _destination(part, place, sinks, report))


def read_activations(
    raw: dict[str, Any], destinations: Mapping[str, Destination], report: Report
) -> dict[str, Activation]:
    """Activations and drafts of activations by name, with their destination's default for `nulls`."""
    found = _each(raw, "activations", report, lambda place, part: _activation(part, place, report))
    return {name: _with_nulls(activation, destinations) for name, activation in found.items()}


def _each(
    raw: dict[str, Any], section: str, report: Report, read: Callable[[Place, object], Part | None]
) -> dict[str, Part]:
    written = entries(raw, section)
    if section in raw and not written:  # one that is missing is told with the other required ones
        given = raw[section] or None
        shape = (
            f"should be a mapping of names, not {kind(given)}" if given else "is empty; give at least one: `NAME: …`"
        )
        report.problem((section,), shape)
    return {name: part for name, value in written.items() if (part := read((section, name), value)) is not None}


def _draft(
    model: type[Model], raw: object, place: Place, report: Report, stand_ins: Mapping[str, object]
) -> Model | None:
    part = read_part(model, raw, place, report)
    if part is not None or not isinstance(raw, dict):
        return part
    # Of a mapping of names to SQL, `shorthand` has already left out what is wrong: the rest is worth a look.
    mended = _SHORT if model is Activation else ()
    good = {name: value for name, value in raw.items() if name in mended or report.clean((*place, name))}
    return read_part(model, {**stand_ins, **good}, place, Report())


def _destination(raw: object, place: Place, sinks: SinkTypes, report: Report) -> Destination | None:
    if not isinstance(raw, dict):
        report.problem(place, f"should be a mapping with `type`, not {kind(raw)}")
        return None
    wanted = raw.get("type")
    if wanted is None:
        report.problem((*place, "type"), f"is missing; it is one of: {', '.join(sinks)}")
    elif not isinstance(wanted, str) or wanted not in sinks:
        report.problem((*place, "type"), f"'{wanted}' is not a destination type{did_you_mean(str(wanted), sinks)}")
    else:
        sink = sinks[wanted]()
        fields = sink.Settings.model_fields.items()
        stand_ins = {name: _stand_in(field.annotation) for name, field in fields if field.is_required()}
        settings = _draft(sink.Settings, raw, place, report, stand_ins)
        return Destination(settings, sink) if settings is not None else None
    return None


def _stand_in(annotation: object) -> object:
    return get_args(annotation)[0] if get_origin(annotation) is Literal else _TEXT


def _activation(raw: object, place: Place, report: Report) -> Activation | None:
    if isinstance(raw, dict):
        raw = dict(raw)
        for section in _SHORT:
            if section in raw:
                read = shorthand.identifier if section == "identifier" else shorthand.mapping
                raw[section] = read(raw[section], (*place, section), report)
    return _draft(Activation, raw, place, report, _ACTIVATION)


def _with_nulls(activation: Activation, destinations: Mapping[str, Destination]) -> Activation:
    destination = destinations.get(activation.destination)
    if activation.nulls is not None or destination is None:
        return activation
    return activation.model_copy(update={"nulls": destination.sink.default_nulls})
