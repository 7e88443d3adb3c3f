"""Reads a config file, or says everything that is wrong with it.

Invariants:
- Every problem is found in one go: a part that is wrong does not hide what is wrong elsewhere.
- A `Config` that was given out has every default filled in and breaks no rule that can be known without records.
- The steps: YAML -> references filled in -> parts (pydantic) -> rules between parts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from stream_sync.config import shorthand
from stream_sync.config.document import MAX_BYTES, parse
from stream_sync.config.interpolation import Interpolation
from stream_sync.config.kafka_properties import kafka_properties
from stream_sync.config.parts import kind, read_part
from stream_sync.config.problems import ConfigError, Problem, Report, did_you_mean
from stream_sync.config.rules.accounts import check_accounts
from stream_sync.config.rules.activations import check_activation
from stream_sync.config.rules.parts import Destination, Parts
from stream_sync.config.rules.sources import check_registry, check_sources, check_unused
from stream_sync.config.rules.topics import check_topics
from stream_sync.config.settings import Activation, Config, SchemaRegistry, Source
from stream_sync.config.sink_types import SinkTypes, installed

Part = TypeVar("Part")


@dataclasses.dataclass(frozen=True, slots=True)
class Loaded:
    """A config that can be used, and what a person should know about it."""

    config: Config
    warnings: tuple[Problem, ...]


def load(path: Path, environ: Mapping[str, str], sinks: SinkTypes | None = None) -> Loaded:
    """Reads the file; `environ` fills in `${VAR}`, `sinks` are the destination types (default: all installed).
    Raises ConfigError with all problems."""
    report = Report()
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(str(path), [Problem("", None, f"cannot be read: {error.strerror}")]) from None
    raw = parse(content, report)
    config = None
    if raw:
        raw = Interpolation(environ, path.parent).tree(raw, (), report)
        config = _read(raw, installed() if sinks is None else sinks, report)
    if report.problems or config is None:
        raise ConfigError(str(path), report.problems, report.warnings)
    return Loaded(config, tuple(report.warnings))


def _read(raw: dict[str, Any], sinks: SinkTypes, report: Report) -> Config | None:
    sources = _built(raw, "sources", report, lambda name, part: read_part(Source, part, ("sources", name), report))
    destinations = _built(raw, "destinations", report, lambda name, part: _destination(name, part, sinks, report))
    activations = _built(raw, "activations", report, lambda name, part: _activation(name, part, report))
    registry = None
    if raw.get("schema_registry") is not None:
        registry = read_part(SchemaRegistry, raw["schema_registry"], ("schema_registry",), report)
    parts = Parts(
        name=name if isinstance(name := raw.get("name"), str) else None,
        sources=sources,
        destinations=destinations,
        activations=_with_nulls(activations, destinations),
        written={"top": frozenset(raw)}
        | {section: frozenset(_entries(raw, section)) for section in ("sources", "destinations")},
        registry=registry,
    )
    top = dict(raw)
    if "kafka" in raw:
        top["kafka"] = kafka_properties(raw["kafka"], ("kafka",), report)
    settings = {name: destination.settings for name, destination in destinations.items()}
    built: dict[str, object] = {"sources": sources, "destinations": settings, "activations": parts.activations}
    config = read_part(Config, top | {section: part for section, part in built.items() if section in raw}, (), report)
    check_topics(parts, report)
    check_sources(parts, report)
    check_registry(parts, report)
    check_unused(parts, report)
    check_accounts(parts, report)
    for name in activations:
        check_activation(name, parts, report)
    return config


def _entries(raw: dict[str, Any], section: str) -> dict[str, Any]:
    found = raw.get(section)
    return found if isinstance(found, dict) else {}


def _built(
    raw: dict[str, Any], section: str, report: Report, build: Callable[[str, object], Part | None]
) -> dict[str, Part]:
    if section in raw and not _entries(raw, section):  # one that is missing is told with the other required ones
        given = raw[section] or None
        wrong = (
            f"should be a mapping of names, not {kind(given)}" if given else "is empty; give at least one: `NAME: …`"
        )
        report.problem((section,), wrong)
    return {name: part for name, value in _entries(raw, section).items() if (part := build(name, value)) is not None}


def _destination(name: str, raw: object, sinks: SinkTypes, report: Report) -> Destination | None:
    place = ("destinations", name)
    if not isinstance(raw, dict):
        report.problem(place, f"should be a mapping with `type`, not {kind(raw)}")
        return None
    wanted = raw.get("type")
    if wanted is None:
        report.problem((*place, "type"), f"is missing; it is one of: {', '.join(sinks)}")
        return None
    if not isinstance(wanted, str) or wanted not in sinks:
        report.problem((*place, "type"), f"'{wanted}' is not a destination type{did_you_mean(str(wanted), sinks)}")
        return None
    sink = sinks[wanted]()
    settings = read_part(sink.Settings, raw, place, report)
    return Destination(settings, sink) if settings else None


def _activation(name: str, raw: object, report: Report) -> Activation | None:
    place = ("activations", name)
    if isinstance(raw, dict):
        raw = dict(raw)
        for section in ("fields", "attributes"):
            if section in raw:
                raw[section] = shorthand.mapping(raw[section], (*place, section), report)
        if "identifier" in raw:
            raw["identifier"] = shorthand.identifier(raw["identifier"], (*place, "identifier"), report)
    return read_part(Activation, raw, place, report)


def _with_nulls(activations: dict[str, Activation], destinations: dict[str, Destination]) -> dict[str, Activation]:
    def filled(activation: Activation) -> Activation:
        destination = destinations.get(activation.destination)
        if activation.nulls is not None or destination is None:
            return activation
        return activation.model_copy(update={"nulls": destination.sink.default_nulls})

    return {name: filled(activation) for name, activation in activations.items()}
