"""`stream-sync validate --live` against a real Kafka, a registry and the sandbox: what it finds, and that it changes
nothing."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from stream_sync.sandbox.server import Sandbox
from tests.e2e.test_replay import GOLD, PARTITIONS, config, found, load
from tests.e2e.test_replay_avro import avro_config
from tests.e2e.test_replay_avro import load as load_avro
from tests.fixtures import avro
from tests.fixtures.warehouse.records import CUSTOMERS_TYPES, flattened
from tests.formats.registry_server import serving
from tests.rig.client import Kafka, Outgoing
from tests.rig.server import KafkaServer

LIMIT = 120.0
NOBODY = "127.0.0.1:1"


class Told(NamedTuple):
    """How the command ended and what it said."""

    status: int | None
    out: str
    err: str

    def lines(self, place: str) -> list[str]:
        """What was said of a place."""
        return [line for line in (self.out + self.err).splitlines() if f"{place} " in line or f"{place}:" in line]


async def validate(settings: Mapping[str, Any], folder: Path) -> Told:
    path = folder / "acme.yaml"
    path.write_text(json.dumps(settings, indent=1))  # JSON is YAML
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "stream_sync", "validate", "-c", str(path), "--live",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={**os.environ, "COLUMNS": "80"},
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), LIMIT)
    told = Told(process.returncode, out.decode(), err.decode())
    assert "Traceback" not in told.err, told.err
    return told


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running:
        yield running


async def test_a_right_config_has_no_problems_and_nothing_is_changed(
    kafka: Kafka, prefix: str, tmp_path: Path, sandbox: Sandbox
) -> None:
    load(kafka, f"{prefix}.customers", "json")
    before = kafka.topics()

    told = await validate(config(kafka, prefix, sandbox, "json"), tmp_path)

    assert (told.status, told.err) == (0, "")
    assert told.out.splitlines()[-1].endswith("no problems, nor with what it names")
    assert "not proven: destinations.braze (line " in told.out
    assert "it keeps 7 days" in told.out
    assert kafka.topics() == before
    assert kafka.committed(f"{prefix}.everyone", f"{prefix}.customers") == {}
    assert found(sandbox, prefix) == {}


async def test_no_topic_appears_where_the_broker_creates_what_is_asked_for(
    prefix: str, tmp_path: Path, sandbox: Sandbox
) -> None:
    with KafkaServer({"auto.create.topics.enable": "true"}) as server:
        kafka = Kafka(server.bootstrap)

        told = await validate(config(kafka, prefix, sandbox, "json"), tmp_path)

        assert told.status == 2
        assert "there is no topic" in told.err
        assert kafka.topics() == set()


async def test_every_problem_is_told_at_once(kafka: Kafka, prefix: str, tmp_path: Path, sandbox: Sandbox) -> None:
    load(kafka, f"{prefix}.customers", "json")
    settings = config(kafka, prefix, sandbox, "json", where=GOLD)
    source, activation = settings["sources"]["customers"], settings["activations"]["everyone"]
    source["types"] = {**CUSTOMERS_TYPES, "*": "json"}
    source["key"] = ["customer_number"]
    activation["fields"] = {**activation["fields"], "home_city": "contry"}
    settings["sources"]["others"] = {"topic": f"{prefix}.customer"}
    settings["activations"]["others"] = {**activation, "source": "others", "mode": "update", "deletes": None}
    settings["destinations"]["refusing"] = {
        "type": "braze",
        "url": sandbox.address("braze", f"{prefix}-refusing"),
        "api_key": "not-the-key",
    }
    sandbox.workspace("braze", f"{prefix}-refusing").key = "the-key"

    told = await validate(settings, tmp_path)

    assert told.status == 2
    assert f"did you mean '{prefix}.customers'?" in "".join(told.lines("sources.others.topic"))
    assert "whose key is made of customer_id" in "".join(told.lines("sources.customers.key"))
    missing = "".join(told.lines("activations.everyone.fields.home_city"))
    assert "'contry'; did you mean 'country'?" in missing
    assert "401" in "".join(told.lines("destinations.refusing"))
    assert "not-the-key" not in told.out + told.err


async def test_missing_types_are_proposed(kafka: Kafka, prefix: str, tmp_path: Path, sandbox: Sandbox) -> None:
    load(kafka, f"{prefix}.customers", "json")
    settings = config(kafka, prefix, sandbox, "json")
    typed = {name: kind for name, kind in CUSTOMERS_TYPES.items() if name != "birth_date"}
    settings["sources"]["customers"]["types"] = typed

    told = await validate(settings, tmp_path)

    assert told.status == 2
    assert "birth_date: date or int" in "".join(told.lines("sources.customers.types"))


async def test_a_wrong_format_is_told_with_the_right_one(
    kafka: Kafka, prefix: str, tmp_path: Path, sandbox: Sandbox
) -> None:
    kafka.create_topic(f"{prefix}.customers", PARTITIONS, {"cleanup.policy": "compact"})
    flat = flattened("customers", "flat-json-schema")
    kafka.produce(f"{prefix}.customers", [Outgoing(r.key, r.value, r.headers) for r in flat])

    told = await validate(config(kafka, prefix, sandbox, "json-schema"), tmp_path)

    assert told.status == 2
    assert "`format: flattened`" in "".join(told.lines("sources.customers.format"))
    assert "note: sources.customers.topic" in told.out
    assert "every update is sent whole" in told.out


async def test_the_topics_of_the_service_are_looked_at(
    kafka: Kafka, prefix: str, tmp_path: Path, sandbox: Sandbox
) -> None:
    load(kafka, f"{prefix}.customers", "json")
    kafka.create_topic(f"{prefix}.everyone.dlq", 1, {"cleanup.policy": "compact"})
    kafka.create_topic(f"{prefix}.everyone.held", PARTITIONS, {"retention.ms": "86400000"})

    told = await validate(config(kafka, prefix, sandbox, "json"), tmp_path)

    assert told.status == 2
    assert "is compacted" in "".join(told.lines("activations.everyone"))
    assert "has 1 partitions and the source's topic has 4" in told.out
    assert "set its retention.ms to -1" in "".join(told.lines("activations.everyone.deletes"))


async def test_avro_is_read_with_the_registry(kafka: Kafka, prefix: str, tmp_path: Path, sandbox: Sandbox) -> None:
    capture = avro.warehouse("customers", "avro")
    load_avro(kafka, f"{prefix}.customers", capture)
    async with serving(capture.schemas) as registry:
        settings = avro_config(kafka, prefix, sandbox, registry)
        settings["activations"]["everyone"]["fields"]["home_city"] = "contry"

        told = await validate(settings, tmp_path)

        assert "no row looked at has a column 'contry'" in told.err
        assert told.err.count("acme.yaml: ") == 2  # the problem, and how many

        registry.refusing = 401
        refused = await validate(settings, tmp_path)
        assert refused.status == 2
        assert "refuses the credentials (401)" in "".join(refused.lines("schema_registry"))
        assert "hush" not in refused.out + refused.err

        await registry.stop()
        del settings["activations"]["everyone"]["fields"]["home_city"]
        down = await validate(settings, tmp_path)
        assert down.status == 1
        assert "not reached: schema_registry.url" in down.err


async def test_what_does_not_answer_is_told_in_bounded_time(
    kafka: Kafka, prefix: str, tmp_path: Path, sandbox: Sandbox
) -> None:
    settings = config(kafka, prefix, sandbox, "json")
    settings["kafka"]["bootstrap.servers"] = NOBODY
    settings["destinations"]["braze"]["url"] = f"http://{NOBODY}"
    began = time.monotonic()

    told = await validate(settings, tmp_path)

    assert time.monotonic() - began < 60
    assert told.status == 1
    assert "not reached: kafka.bootstrap.servers" in told.err
    assert "not reached: destinations.braze" in told.err
    assert "2 did not answer" in told.out
    assert "librdkafka" not in told.err


@pytest.mark.parametrize(
    ("properties", "status", "place", "words"),
    [
        ({"session.timeout.ms": 0}, 2, "kafka.session.timeout.ms", "no value that librdkafka takes"),
        ({"fetch.min.bytes": 0}, 2, "kafka.fetch.min.bytes", "not this value"),
        ({"security.protocol": "SSL"}, 1, "kafka.bootstrap.servers", "`security.protocol`"),
    ],
)
async def test_wrong_properties_of_kafka_are_told(
    kafka: Kafka,
    prefix: str,
    tmp_path: Path,
    sandbox: Sandbox,
    properties: Mapping[str, Any],
    status: int,
    place: str,
    words: str,
) -> None:
    load(kafka, f"{prefix}.customers", "json")
    settings = config(kafka, prefix, sandbox, "json")
    settings["kafka"].update(properties)

    told = await validate(settings, tmp_path)

    assert told.status == status
    assert words in "".join(told.lines(place))
