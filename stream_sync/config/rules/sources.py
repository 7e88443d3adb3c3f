"""The sources, the registry and what nobody uses: what their models cannot say alone."""

from __future__ import annotations

from urllib.parse import urlsplit

from stream_sync.config.column_types import wrong_type
from stream_sync.config.problems import Report
from stream_sync.config.rules.parts import Parts
from stream_sync.config.values import is_loopback


def check_sources(parts: Parts, report: Report) -> None:
    """Types that exist, a key that has columns, a registry for Avro."""
    for name, source in parts.sources.items():
        place = ("sources", name)
        for column, type_name in source.types.items():
            if message := wrong_type(column, type_name):
                report.problem((*place, "types", column), message)
        if source.key is not None and not source.key:
            report.problem((*place, "key"), "names no column; leave it out to learn the key from the first record")
        if source.encoding == "avro" and "schema_registry" not in parts.written["top"]:
            advice = "add `schema_registry: {url: …}` at the top level"
            report.problem((*place, "encoding"), f"avro needs the schema registry that holds its schemas; {advice}")


def check_registry(parts: Parts, report: Report) -> None:
    """Credentials: one kind, in its form, and not in the clear."""
    registry = parts.registry
    if registry is None:
        return
    if registry.basic_auth is not None and ":" not in registry.basic_auth.reveal():
        report.problem(("schema_registry", "basic_auth"), "is not `user:password`; a bearer's token goes into `token`")
    if registry.token is not None and registry.basic_auth is not None:
        report.problem(("schema_registry", "token"), "beside `basic_auth`: a request has one of them; leave one out")
    used = "token" if registry.token is not None else "basic_auth" if registry.basic_auth is not None else None
    address = urlsplit(registry.url)
    if used and address.scheme != "https" and not is_loopback(address.hostname or ""):
        report.warning(("schema_registry", "url"), f"is not encrypted, and `{used}` would be sent to it; use https://")


def check_unused(parts: Parts, report: Report) -> None:
    """Sources, destinations and targets of `notify` that no activation names."""
    for section, found, word in (
        ("sources", parts.sources, "source"),
        ("destinations", parts.destinations, "destination"),
    ):
        used = {getattr(activation, word) for activation in parts.activations.values()}
        for name in found:
            if name not in used and used:
                report.warning((section, name), "is not used by any activation")
    if not all(report.clean(("activations", name, "warnings")) for name in parts.activations):
        return
    told = {activation.warnings.notify for activation in parts.activations.values() if activation.warnings is not None}
    for name in sorted(parts.written["notify"] - told):
        if parts.activations:
            cure = f"nobody is told there until one has `warnings: {{notify: {name}}}`"
            report.warning(("notify", name), f"is not used by any activation: {cure}")
