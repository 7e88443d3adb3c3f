"""The `kafka:` part: librdkafka's properties, handed through but for those the service owns.

Invariants:
- A property that could break what is promised (order, at least once) is a problem with its reason, never overridden
  in silence.
- Properties that hold a secret become `Secret`.
- Names: librdkafka's CONFIGURATION.md; whether a property exists, librdkafka is asked (`rules/kafka.py`).
"""

from __future__ import annotations

import re

from stream_sync.config.parts import kind
from stream_sync.config.problems import Place, Report
from stream_sync.config.values import Interpolated, Secret

Property = Secret | str | int | float | bool

_GROUPS = "each activation has its own consumer group, <name>.<activation>"
_COMMITS = "an offset is committed only when everything up to it is settled"
_REBALANCE = "the service hands partitions over by the cooperative-sticky protocol"
OWNED = {
    "group.id": _GROUPS,
    "group.protocol": _REBALANCE,
    "group.remote.assignor": _REBALANCE,
    "partition.assignment.strategy": _REBALANCE,
    "enable.auto.commit": _COMMITS,
    "auto.commit.enable": _COMMITS,
    "auto.commit.interval.ms": _COMMITS,
    "enable.auto.offset.store": _COMMITS,
    "auto.offset.reset": "no committed offset means earliest, and a lost one halts (`run --accept-gap` goes on)",
    "enable.partition.eof": "the service reads to its own end offsets",
    "isolation.level": "only committed records are read",
    "enable.idempotence": "dead letters are written idempotently",
    "acks": "a dead letter must be acknowledged by all replicas",
    "request.required.acks": "a dead letter must be acknowledged by all replicas",
}
_ELSEWHERE = {
    "sasl.jaas.config": "belongs to Java clients; use sasl.username and sasl.password",
    "bootstrap_servers": "is written bootstrap.servers",
    "metadata.broker.list": "is written bootstrap.servers",
    "schema.registry.url": "belongs in `schema_registry: {url: …}`",
    "topic": "belongs in a source: `sources: {NAME: {topic: …}}`",
}
_SECRET = re.compile(r"password|passphrase|secret|\.pem$|^sasl\.oauthbearer\.config$")
_PUBLIC = frozenset({"ssl.certificate.pem", "ssl.ca.pem"})


def kafka_properties(raw: object, place: Place, report: Report) -> dict[str, Property]:
    """The properties that can be handed through; what is wrong is told."""
    if not isinstance(raw, dict):
        report.problem(place, f"should be a mapping of librdkafka properties, not {kind(raw)}")
        return {}
    properties: dict[str, Property] = {}
    for name, value in raw.items():
        at = (*place, name)
        if name in OWNED:
            report.problem(at, f"belongs to the service: {OWNED[name]}; remove it")
        elif name in _ELSEWHERE:
            report.problem(at, _ELSEWHERE[name])
        elif name.endswith("_cb"):
            report.problem(at, "is a callback and cannot be given in a file; remove it")
        elif not isinstance(value, str | int | float | bool):
            report.problem(at, f"should be text, a number or true or false, not {kind(value)}")
        elif isinstance(value, str) and not value.strip():
            report.problem(at, "is empty; give a value or leave it out")
        elif _SECRET.search(name) and name not in _PUBLIC:
            properties[name] = Secret(str(value), value.read if isinstance(value, Interpolated) else None)
        else:
            properties[name] = str(value) if isinstance(value, str) else value
    if "bootstrap.servers" not in raw and not _ELSEWHERE.keys() & raw.keys():
        report.problem((*place, "bootstrap.servers"), "is missing; give host:port of one broker or more")
    elif not isinstance(raw.get("bootstrap.servers", ""), str):
        report.problem((*place, "bootstrap.servers"), "should be text: host:port of one broker or more")
    return properties
