"""Looks at the topics that a config names, and at those that the service keeps for itself.

Invariant: what the broker does not tell these credentials is unproven, not wrong.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from stream_sync.config.problems import Place, nearest
from stream_sync.config.settings import Config
from stream_sync.errors import StreamSyncError
from stream_sync.kafka.held import FOREVER_MS
from stream_sync.kafka.held import topic_of as held_topic
from stream_sync.kafka.letter_topics import RETENTION_MS, dead_letter_topic
from stream_sync.kafka.look import Cluster, NotReachedError, RefusedError, TopicFacts, sample
from stream_sync.kafka.outcomes import RETENTION_MS as OUTCOMES_RETENTION_MS
from stream_sync.kafka.outcomes import topic_of as outcomes_topic
from stream_sync.kafka.properties import admin_properties, consumer_properties
from stream_sync.kafka.warned import RETENTION_MS as WARNINGS_RETENTION_MS
from stream_sync.kafka.warned import topic_of as warnings_topic
from stream_sync.live.accounts import LookedAtRegistry
from stream_sync.live.findings import Finding
from stream_sync.live.records import look_at_records
from stream_sync.model import Record

RECORDS = 100
"""Looked at in a topic: half of them its oldest, half its newest."""
_HOUR_MS = 3_600_000


async def look_at_kafka(config: Config, registry: LookedAtRegistry | None) -> list[Finding]:
    """Everything that the config says of Kafka."""
    try:
        cluster = Cluster(admin_properties(config.kafka))
        topics = await asyncio.to_thread(cluster.topics)
    except RefusedError as error:
        return [_refused(error)]
    except NotReachedError as error:
        return [Finding("unreached", ("kafka", "bootstrap.servers"), str(error))]
    claim = f"that these credentials may join the consumer groups {config.name}.* and commit there"
    sources = (_source(name, config, cluster, topics, registry) for name in config.sources)
    kept = (asyncio.to_thread(_kept_topics, name, config, cluster, topics) for name in config.activations)
    found = await asyncio.gather(*sources, *kept)
    return [Finding("unproven", ("kafka",), claim), *(finding for part in found for finding in part)]


async def _source(
    name: str, config: Config, cluster: Cluster, topics: Mapping[str, int], registry: LookedAtRegistry | None
) -> list[Finding]:
    place = ("sources", name, "topic")
    topic = config.sources[name].topic
    if topic not in topics:
        hint = nearest(topic, topics)
        return [
            Finding("problem", place, f"there is no topic {topic!r}, or these credentials may not see it{hint}"),
        ]
    facts = await asyncio.to_thread(cluster.topic, topic)
    if facts.may is not None and "READ" not in facts.may:
        return [Finding("problem", place, f"these credentials may not read {topic}: allow them READ")]
    read = await asyncio.to_thread(_sample, config, name)
    if isinstance(read, Finding):
        return [*_settings(place, facts), read]
    return [*_settings(place, facts), *await look_at_records(name, config, read, registry)]


def _sample(config: Config, source: str) -> list[Record] | Finding:
    # The group of an activation, since that is one that the credentials must be allowed to use.
    reader = next((name for name, each in config.activations.items() if each.source == source), "validate")
    topic = config.sources[source].topic
    try:
        return sample(consumer_properties(config.kafka), topic, f"{config.name}.{reader}", RECORDS)
    except RefusedError as error:
        return _refused(error)
    except StreamSyncError as error:
        return Finding("unreached", ("sources", source, "topic"), str(error))


def _settings(place: Place, facts: TopicFacts) -> list[Finding]:
    if facts.settings is None:
        claim = "how long it keeps records, and whether it is compacted: the broker does not say (DESCRIBE_CONFIGS)"
        return [Finding("unproven", place, claim)]
    found = []
    policy = facts.settings.get("cleanup.policy", "")
    if "compact" in policy:
        found.append(Finding("note", place, "it is compacted, so every update is sent whole"))
    if "delete" in policy:
        hours = int(facts.settings.get("retention.ms", FOREVER_MS)) / _HOUR_MS
        size = int(facts.settings.get("retention.bytes", FOREVER_MS))
        kept = [f"{hours / 24:g} days" if hours >= 48 else f"{hours:g} hours"] if hours >= 0 else []
        kept += [f"{size:,} bytes a partition"] if size >= 0 else []
        if kept:
            advice = "a lane that falls behind further than that halts with offset_lost"
            found.append(Finding("note", place, f"it keeps {' or '.join(kept)}: {advice}"))
    return found


def _kept_topics(name: str, config: Config, cluster: Cluster, topics: Mapping[str, int]) -> list[Finding]:
    activation = config.activations[name]
    partitions = topics.get(config.sources[activation.source].topic)
    if partitions is None:
        return []
    dead = dead_letter_topic(config.name, name)
    found = _kept(("activations", name), dead, RETENTION_MS, partitions, cluster, topics)
    if activation.deletes is not None:
        held = held_topic(config.name, name)
        found += _kept(("activations", name, "deletes"), held, FOREVER_MS, partitions, cluster, topics)
    if activation.outcomes is not None:
        place = ("activations", name, "outcomes")
        found += _told(place, outcomes_topic(config.name, name), OUTCOMES_RETENTION_MS, partitions, cluster, topics)
    if activation.warnings is not None:
        place = ("activations", name, "warnings")
        told = _told(place, warnings_topic(config.name, name), WARNINGS_RETENTION_MS, partitions, cluster, topics)
        # The log and the people whom it names are told all the same.
        found += [Finding("note" if each.kind == "problem" else each.kind, each.place, each.message) for each in told]
    return found


def _told(
    place: Place, topic: str, retention_ms: int, partitions: int, cluster: Cluster, topics: Mapping[str, int]
) -> list[Finding]:
    """A topic that nothing depends on, however it is set."""
    if topic not in topics:
        return _creatable(place, topic, retention_ms, partitions, cluster)
    may = cluster.topic(topic).may
    if may is not None and "WRITE" not in may:
        return [Finding("problem", place, f"these credentials may not write to {topic}: allow them WRITE")]
    return []


def _kept(
    place: Place, topic: str, retention_ms: int, partitions: int, cluster: Cluster, topics: Mapping[str, int]
) -> list[Finding]:
    if topic not in topics:
        return _creatable(place, topic, retention_ms, partitions, cluster)
    found = []
    facts = cluster.topic(topic)
    if facts.may is not None and "WRITE" not in facts.may:
        found.append(Finding("problem", place, f"these credentials may not write to {topic}: allow them WRITE"))
    if topics[topic] < partitions:
        have = f"{topic} has {topics[topic]} partitions and the source's topic has {partitions}"
        found.append(Finding("note", place, f"{have}: letters of the others go to any of them, in no order"))
    if facts.settings is None:
        return [*found, Finding("unproven", place, f"that {topic} keeps its records: the broker does not say")]
    if "compact" in facts.settings.get("cleanup.policy", ""):
        cure = "set its cleanup.policy to delete"
        found.append(Finding("problem", place, f"{topic} is compacted and would keep one letter a key: {cure}"))
    finite = [limit for limit in ("retention.ms", "retention.bytes") if int(facts.settings.get(limit, -1)) >= 0]
    if retention_ms == FOREVER_MS and finite:
        cure = f"set its {' and '.join(finite)} to -1"
        found.append(Finding("problem", place, f"{topic} would lose parked deletes after a while: {cure}"))
    return found


def _creatable(place: Place, topic: str, retention_ms: int, partitions: int, cluster: Cluster) -> list[Finding]:
    settings = {"retention.ms": str(retention_ms)}
    try:
        cluster.would_create(topic, partitions, settings)
    except RefusedError as error:
        cure = f"create it with {partitions} partitions and retention.ms={retention_ms}, or let the service do so"
        return [Finding("problem", place, f"there is no topic {topic}, and {error}: {cure}")]
    except NotReachedError as error:
        return [Finding("unproven", place, f"that topic {topic} can be created when it is needed: {error}")]
    return []


def _refused(error: RefusedError) -> Finding:
    return Finding("problem", ("kafka", error.name) if error.name else ("kafka",), str(error))
