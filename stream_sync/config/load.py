"""Reads a config file, or says everything that is wrong with it.

Invariants:
- Every problem is found in one go: a part that is wrong does not hide what is wrong elsewhere.
- A `Config` that was given out has every default filled in and breaks no rule that can be known without records.
- The steps: YAML -> references filled in -> parts or drafts of parts (pydantic) -> rules between parts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from stream_sync.config.document import MAX_BYTES, parse
from stream_sync.config.drafts import entries, read_activations, read_destinations, read_sources
from stream_sync.config.interpolation import Interpolation
from stream_sync.config.kafka_properties import kafka_properties
from stream_sync.config.parts import read_part
from stream_sync.config.problems import ConfigError, Place, Problem, Report
from stream_sync.config.rules.accounts import check_accounts
from stream_sync.config.rules.activations import check_activation
from stream_sync.config.rules.hosts import check_hosts
from stream_sync.config.rules.kafka import check_kafka
from stream_sync.config.rules.parts import Parts
from stream_sync.config.rules.sources import check_registry, check_sources, check_unused
from stream_sync.config.rules.state import check_state
from stream_sync.config.rules.topics import check_topics
from stream_sync.config.settings import Config, SchemaRegistry, State
from stream_sync.config.sink_types import SinkTypes, installed


@dataclasses.dataclass(frozen=True, slots=True)
class Loaded:
    """A config that can be used, and what a person should know about it."""

    config: Config
    warnings: tuple[Problem, ...]
    line: Callable[[Place], int | None]
    """The line of a place in the file, or of what holds it."""


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
    return Loaded(config, tuple(report.warnings), report.line)


def _read(raw: dict[str, Any], sinks: SinkTypes, report: Report) -> Config | None:
    sources = read_sources(raw, report)
    destinations = read_destinations(raw, sinks, report)
    activations = read_activations(raw, destinations, report)
    registry = None
    if raw.get("schema_registry") is not None:
        registry = read_part(SchemaRegistry, raw["schema_registry"], ("schema_registry",), report)
    state = None
    if isinstance(raw.get("state"), dict):
        state = read_part(State, raw["state"], ("state",), Report())  # what is wrong in it, `Config` tells
    top = dict(raw)
    if "kafka" in raw:
        top["kafka"] = properties = kafka_properties(raw["kafka"], ("kafka",), report)
        check_kafka(properties, report)
    settings = {name: destination.settings for name, destination in destinations.items()}
    read: dict[str, object] = {"sources": sources, "destinations": settings, "activations": activations}
    config = read_part(Config, top | {section: part for section, part in read.items() if section in raw}, (), report)
    parts = Parts(
        name=name if isinstance(name := raw.get("name"), str) else None,
        sources=sources,
        destinations=destinations,
        activations=activations,
        written={"top": frozenset(raw)}
        | {section: frozenset(entries(raw, section)) for section in ("sources", "destinations", "notify")},
        registry=registry,
        has_state=isinstance(raw.get("state"), dict),
    )
    check_topics(parts, report)
    check_sources(parts, report)
    check_registry(parts, report)
    check_unused(parts, report)
    for name in activations:
        check_activation(name, parts, report)
    check_accounts(parts, report)
    check_state(state, parts, report)
    check_hosts(raw, parts, report)
    return config
