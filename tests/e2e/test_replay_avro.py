"""A warehouse in Avro through real Kafka and a registry: the destination ends as PostgreSQL ended, whatever the
registry went through."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from stream_sync.sandbox.server import Sandbox
from tests.e2e.oracle import differences
from tests.e2e.service import run, service, until
from tests.e2e.test_replay import PARTITIONS, assert_done, config, expected, found
from tests.fixtures import avro
from tests.formats.registry_server import RegistryServer, serving
from tests.rig.client import Kafka, Outgoing


def load(kafka: Kafka, topic: str, capture: avro.Capture) -> None:
    """Writes the capture to a new topic, as the connector did."""
    kafka.create_topic(topic, PARTITIONS)
    kafka.produce(topic, [Outgoing(r.key, r.value, r.headers) for r in capture.records])


def avro_config(kafka: Kafka, prefix: str, sandbox: Sandbox, registry: RegistryServer, **source: Any) -> dict[str, Any]:
    settings = config(kafka, prefix, sandbox, "json-schema")
    settings["schema_registry"] = {"url": registry.url, "token": "hush-hush"}
    settings["sources"]["customers"].update(source)
    return settings


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("avro", {"encoding": "avro"}),
        ("avro", {"encoding": "auto"}),
        ("flat-avro", {"encoding": "avro", "format": "flattened", "before": "key"}),
    ],
)
async def test_a_mirror_ends_as_postgres_ended(
    kafka: Kafka, prefix: str, tmp_path: Path, name: str, source: dict[str, str]
) -> None:
    capture = avro.warehouse("customers", name)
    load(kafka, f"{prefix}.customers", capture)
    async with Sandbox() as sandbox, serving(capture.schemas) as registry:
        running = await run(avro_config(kafka, prefix, sandbox, registry, **source), tmp_path, "--until-caught-up")
        assert_done(running)

        assert differences(expected(), found(sandbox, prefix)) == []
        assert kafka.committed(f"{prefix}.everyone", f"{prefix}.customers") == kafka.end_offsets(f"{prefix}.customers")
        assert sorted(registry.asked) == sorted(set(registry.asked))
        assert "hush" not in running.log


async def test_a_registry_that_is_down_is_waited_for(kafka: Kafka, prefix: str, tmp_path: Path) -> None:
    capture = avro.warehouse("customers", "avro")
    load(kafka, f"{prefix}.customers", capture)
    async with Sandbox() as sandbox, serving(capture.schemas) as registry:
        await registry.stop()
        settings = avro_config(kafka, prefix, sandbox, registry)
        async with service(settings, tmp_path, "--until-caught-up") as running:
            await until(lambda: "schema_registry_unavailable" in running.log, "the registry is missed")
            assert found(sandbox, prefix) == {}
            await registry.start()
            await running.ended()
        assert_done(running)
        assert differences(expected(), found(sandbox, prefix)) == []


async def test_a_registry_in_trouble_is_waited_for_in_the_group(kafka: Kafka, prefix: str, tmp_path: Path) -> None:
    """Longer than the lane waits without polling."""
    capture = avro.warehouse("customers", "avro")
    load(kafka, f"{prefix}.customers", capture)
    async with Sandbox() as sandbox, serving(capture.schemas) as registry:
        settings = avro_config(kafka, prefix, sandbox, registry)
        settings["kafka"]["session.timeout.ms"] = 12_000
        registry.refusing = 503
        async with service(settings, tmp_path, "--until-caught-up") as running:
            await until(lambda: len(registry.asked) > 0, "the registry is asked")
            patience = time.monotonic() + 12 / 4
            await until(
                lambda: time.monotonic() > patience and len(registry.asked) > 2,
                "the registry is asked again and again",
            )
            registry.refusing = None
            await running.ended()
        assert_done(running)
        assert differences(expected(), found(sandbox, prefix)) == []
        assert running.log.count("partitions_assigned") == 1


async def test_an_unknown_id_is_a_dead_letter_and_the_rest_goes_on(kafka: Kafka, prefix: str, tmp_path: Path) -> None:
    capture = avro.warehouse("customers", "avro")
    topic = f"{prefix}.customers"
    load(kafka, topic, capture)
    changes = [record for record in capture.records if record.value is not None]
    kafka.produce(topic, [Outgoing(r.key, b"\0\0\0\3\xe7" + (r.value or b"")[5:], r.headers) for r in changes[:3]])
    async with Sandbox() as sandbox, serving(capture.schemas) as registry:
        assert_done(await run(avro_config(kafka, prefix, sandbox, registry), tmp_path, "--until-caught-up"))

        assert differences(expected(), found(sandbox, prefix)) == []
        letters = kafka.read_all(f"{prefix}.everyone.dlq")
        codes = [dict(letter.headers() or ()).get("stream_sync.code") for letter in letters]
        assert codes == [b"unknown_schema_id"] * 3
        assert registry.asked.count("/schemas/ids/999") == 1


async def test_refused_credentials_halt_the_lane_and_lose_nothing(kafka: Kafka, prefix: str, tmp_path: Path) -> None:
    capture = avro.warehouse("customers", "avro")
    load(kafka, f"{prefix}.customers", capture)
    async with Sandbox() as sandbox, serving(capture.schemas) as registry:
        settings = avro_config(kafka, prefix, sandbox, registry)
        registry.refusing = 401
        running = await run(settings, tmp_path, "--until-caught-up")
        assert running.process.returncode == 3
        assert "schema_registry_refused" in running.log
        assert found(sandbox, prefix) == {}
        registry.refusing = None
        assert_done(await run(settings, tmp_path, "--until-caught-up"))
        assert differences(expected(), found(sandbox, prefix)) == []
