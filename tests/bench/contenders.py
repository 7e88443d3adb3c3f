"""What is measured: each contender is a command that takes a topic to its end.

Invariants:
- A new encoding is a topic in `load.py`, its own naive loop, and lines in CONTENDERS; nothing else knows their names.
- Every run of the service is a consumer group and a sandbox workspace of its own, both named after `RUN`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.bench.changes import TYPES
from tests.bench.load import PARTITIONS
from tests.bench.people import ATTRIBUTES, FIELDS, WHERE
from tests.bench.workspace import Workspace
from tests.rig.client import LIMIT

ACTIVATION = "customers"
RUN = "BENCH_RUN"
"""The environment variable that tells the runs of the service apart."""


class Place(msgspec.Struct, frozen=True):
    """What a run needs: addresses, and a folder for its files."""

    bootstrap: str
    sandbox: str
    drain: str
    folder: Path

    def workspace(self, run: str) -> Workspace:
        """What the sandbox got in this run of the service."""
        return Workspace(f"{self.sandbox}/sandbox/braze/{run}")


class Contender(msgspec.Struct, frozen=True):
    """`command` takes a topic with so many records to its end. `yardstick`: whom it is compared with."""

    name: str
    what: str
    yardstick: str
    command: Callable[[Place, str, int], Sequence[str]]
    delivers: bool = False
    """Whether the sandbox's people can be checked."""
    prepare: Callable[[Place, str, str], None] | None = None
    """Called before the run with the topic and the run's name."""


def _naive(place: Place, topic: str, records: int) -> Sequence[str]:
    return [sys.executable, "-m", "tests.bench.naive", place.bootstrap, topic, str(records)]


def _pipe(place: Place, topic: str, records: int) -> Sequence[str]:
    return [sys.executable, "-m", "tests.bench.pipe", place.bootstrap, topic, str(records), place.drain]


def _service(place: Place, topic: str, records: int) -> Sequence[str]:
    config = place.folder / f"{topic}.yaml"
    config.write_bytes(msgspec.json.format(msgspec.json.encode(config_of(place, topic)), indent=2))
    return [sys.executable, "-m", "stream_sync", "run", "-c", str(config), "--until-caught-up"]


def _go_on(place: Place, topic: str, run: str) -> None:
    """Makes the run go on where another ended, at the topic's beginning: only from a first start is every update sent
    whole.
    """
    positions = [TopicPartition(topic, number, 0) for number in range(PARTITIONS)]
    asked = ConsumerGroupTopicPartitions(f"bench-{run}.{ACTIVATION}", positions)
    admin = AdminClient({"bootstrap.servers": place.bootstrap})
    for answer in admin.alter_consumer_group_offsets([asked]).values():
        answer.result(LIMIT)


CONTENDERS = (
    Contender("naive", "consume(1000), value(), decode: nothing else", "naive", _naive),
    Contender("pipe", "bodies posted untouched, 75 a request", "naive", _pipe),
    Contender("service", "upsert to Braze, where, 6 values; what changed is sent", "naive", _service, True, _go_on),
    Contender("backfill", "the same from a first start; whole rows are sent", "naive", _service, True),
)


def config_of(place: Place, topic: str) -> Mapping[str, object]:
    """The service's config file (JSON is YAML)."""
    return {
        "name": f"bench-${{{RUN}}}",
        "kafka": {"bootstrap.servers": place.bootstrap},
        "admin": {"port": 0},
        "sources": {"customers": {"topic": topic, "key": ["customer_id"], "before": "full", "types": TYPES}},
        "destinations": {
            "sandbox": {
                "type": "braze",
                "url": f"{place.sandbox}/braze/${{{RUN}}}",
                "api_key": "any-will-do",
                "rate_limit": "100000/1s",
            }
        },
        "activations": {
            ACTIVATION: {
                "source": "customers",
                "destination": "sandbox",
                "mode": "upsert",
                "where": WHERE,
                "identifier": {"external_id": "customer_id"},
                "fields": FIELDS,
                "attributes": ATTRIBUTES,
                "batch": {"max_records": 75},
            }
        },
    }
