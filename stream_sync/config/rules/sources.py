"""One source by itself: what its model cannot say alone."""

from __future__ import annotations

from stream_sync.config.column_types import wrong_type
from stream_sync.config.problems import Report
from stream_sync.config.rules.parts import Parts


def check_sources(parts: Parts, report: Report) -> None:
    """Types that exist, a key that has columns, a registry for Avro, somebody who reads it."""
    used = {activation.source for activation in parts.activations.values()}
    for name, source in parts.sources.items():
        place = ("sources", name)
        for column, type_name in source.types.items():
            if message := wrong_type(column, type_name):
                report.problem((*place, "types", column), message)
        if source.key is not None and not source.key:
            report.problem((*place, "key"), "names no column; leave it out to learn the key from the first record")
        if source.encoding == "avro" and not parts.registry:
            advice = "add `schema_registry: {url: …}` at the top level"
            report.problem((*place, "encoding"), f"avro needs the schema registry that holds its schemas; {advice}")
        if name not in used and parts.activations:
            report.warning(place, "is not used by any activation")
    reached = {activation.destination for activation in parts.activations.values()}
    for name in parts.destinations:
        if name not in reached and parts.activations:
            report.warning(("destinations", name), "is not used by any activation")
