"""Names that become Kafka topics and consumer groups.

Kafka takes letters, digits, '.', '_' and '-', at most 249 of them, neither '.' nor '..' alone, and refuses to create a
topic that differs from another one by '.' and '_' only (org.apache.kafka.common.internals.Topic).
"""

from __future__ import annotations

import re

from stream_sync.config.problems import Place, Report
from stream_sync.config.rules.parts import Parts

MAX_LENGTH = 249
SUFFIXES = (".dlq", ".held", ".outcomes", ".warnings")
GROUPS = (".dlq", ".held", ".resync")
"""Groups beside the lane's own that keep what is done with: of letters, of held deletes, of a resync."""

_LEGAL = re.compile(r"[a-zA-Z0-9._-]+")


def check_topics(parts: Parts, report: Report) -> None:
    """The config's name, the activations' names and the sources' topics."""
    _check_name(parts.name, ("name",), report)
    taken: dict[str, str] = {}
    for name, source in parts.sources.items():
        if not report.clean(("sources", name, "topic")):
            continue
        _check_topic(source.topic, ("sources", name, "topic"), report)
        taken.setdefault(_collision(source.topic), f"the topic of sources.{name}")
    for name in parts.activations:
        place = ("activations", name)
        _check_name(name, place, report)
        for suffix in SUFFIXES:
            topic = f"{parts.name}.{name}{suffix}"
            other = taken.setdefault(_collision(topic), f"activations.{name}")
            if other != f"activations.{name}":
                report.problem(place, f"its topic {topic} would be {other}, at least to Kafka; choose another name")
        for suffix in GROUPS:
            owner = name.removesuffix(suffix)
            if owner != name and owner in parts.activations:
                group = f"its consumer group {parts.name}.{name} is one that activations.{owner} keeps for itself"
                report.problem(place, f"{group}; choose another name")
        longest = f"{parts.name}.{name}{max(SUFFIXES, key=len)}"
        if parts.name and len(longest) > MAX_LENGTH:
            report.problem(
                place, f"is too long: a topic of Kafka has at most {MAX_LENGTH} characters, {longest[:40]}… more"
            )


def _collision(topic: str) -> str:
    return topic.replace(".", "_")


def _check_name(name: str | None, place: Place, report: Report) -> None:
    if name is not None and not _LEGAL.fullmatch(name):
        report.problem(place, "becomes part of Kafka topics: use letters, digits, '.', '_' and '-' only")


def _check_topic(topic: str, place: Place, report: Report) -> None:
    if not _LEGAL.fullmatch(topic) or topic in (".", ".."):
        report.problem(place, "is not a Kafka topic: those have letters, digits, '.', '_' and '-' only")
    elif len(topic) > MAX_LENGTH:
        report.problem(place, f"is too long: a topic of Kafka has at most {MAX_LENGTH} characters")
