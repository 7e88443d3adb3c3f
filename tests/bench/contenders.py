"""What is measured: each contender is a command that takes a topic to its end.

Invariants:
- A new encoding is a line in `encodings.py`, its decode in `naive.py`, and lines in CONTENDERS; nothing else knows
  their names.
- Every run of the service is a consumer group and a sandbox workspace of its own, both named after `RUN`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence

import msgspec

from tests.bench.changes import TYPES
from tests.bench.encodings import Encoding
from tests.bench.people import ATTRIBUTES, FIELDS, WHERE
from tests.bench.place import Place

ACTIVATION = "customers"
RUN = "BENCH_RUN"
"""The environment variable that tells the runs of the service apart."""


Command = Callable[[Place, Encoding, str, int], Sequence[str]]
"""Takes a topic, in this encoding and with so many records, to its end."""


class Contender(msgspec.Struct, frozen=True):
    """`yardstick`: whom it is compared with."""

    name: str
    what: str
    yardstick: str
    command: Command
    encoding: Encoding = "json"
    delivers: bool = False
    """Whether the sandbox's people can be checked."""
    prepare: Callable[[Place, str, str], Sequence[str]] | None = None
    """The command that has to run before, for the topic and the run's name."""


def _naive(place: Place, encoding: Encoding, topic: str, records: int) -> Sequence[str]:
    return [sys.executable, "-m", "tests.bench.naive", place.bootstrap, topic, str(records), encoding, place.registry]


def _pipe(place: Place, _encoding: Encoding, topic: str, records: int) -> Sequence[str]:
    return [sys.executable, "-m", "tests.bench.pipe", place.bootstrap, topic, str(records), place.drain]


def _service(place: Place, encoding: Encoding, topic: str, _records: int) -> Sequence[str]:
    config = place.folder / f"{encoding}.{topic}.yaml"
    config.write_bytes(msgspec.json.format(msgspec.json.encode(config_of(place, encoding, topic)), indent=2))
    return [sys.executable, "-m", "stream_sync", "run", "-c", str(config), "--until-caught-up"]


def _plan(place: Place, encoding: Encoding, topic: str, _records: int) -> Sequence[str]:
    return [*_planned(place, encoding, topic), "--json"]


def _plan_of_an_edit(place: Place, encoding: Encoding, topic: str, _records: int) -> Sequence[str]:
    old = place.folder / f"{encoding}.{topic}.old.yaml"
    config = config_of(place, encoding, topic)
    old.write_bytes(msgspec.json.encode(config).replace(WHERE.encode(), f"not ({WHERE})".encode()))
    return [*_planned(place, encoding, topic), "--against", str(old), "--json"]


def _planned(place: Place, encoding: Encoding, topic: str) -> Sequence[str]:
    config = place.folder / f"{encoding}.{topic}.plan.yaml"
    config.write_bytes(msgspec.json.encode(config_of(place, encoding, topic)))
    return [sys.executable, "-m", "stream_sync", "plan", "-c", str(config)]


def _go_on(place: Place, topic: str, run: str) -> Sequence[str]:
    return [sys.executable, "-m", "tests.bench.go_on", place.bootstrap, topic, f"bench-{run}.{ACTIVATION}"]


_NAIVE = "consume(1000), value(), decode: nothing else"
_SERVICE = "upsert to Braze, where, 6 values; what changed is sent"

CONTENDERS = (
    Contender("naive", _NAIVE, "naive", _naive),
    Contender("pipe", "bodies posted untouched, 75 a request", "naive", _pipe),
    Contender("service", _SERVICE, "naive", _service, delivers=True, prepare=_go_on),
    Contender("backfill", "the same from a first start; whole rows are sent", "naive", _service, delivers=True),
    Contender("plan", "what a config would do with the history", "naive", _plan),
    Contender("plan-edit", "the same of two configs at once", "naive", _plan_of_an_edit),
    Contender("naive-schema", "JSON with schema, all of it decoded", "naive-schema", _naive, "json-schema"),
    Contender("service-schema", "JSON with schema", "naive-schema", _service, "json-schema", True, _go_on),
    Contender("naive-avro", "Avro, the schema parsed once", "naive-avro", _naive, "avro"),
    Contender("service-avro", "Avro", "naive-avro", _service, "avro", True, _go_on),
)


def config_of(place: Place, encoding: Encoding, topic: str) -> Mapping[str, object]:
    """The service's config file (JSON is YAML)."""
    source = {"topic": topic, "key": ["customer_id"], "before": "full"}
    return {
        "name": f"bench-${{{RUN}}}",
        "kafka": {"bootstrap.servers": place.bootstrap},
        "admin": {"port": 0},
        **({"schema_registry": {"url": place.registry}} if encoding == "avro" else {}),
        "sources": {"customers": {**source, "types": TYPES} if encoding == "json" else source},
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
