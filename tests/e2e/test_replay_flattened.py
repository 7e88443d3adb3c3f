"""A flattened warehouse (rewrite-with-tombstone) through real Kafka: the destination ends as PostgreSQL ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

from stream_sync.sandbox.server import Sandbox
from tests.e2e.oracle import Activation, People, differences, people_of_rows, row_of_postgres
from tests.e2e.service import run
from tests.e2e.test_replay import ATTRIBUTES, FIELDS, PARTITIONS, assert_done, config, found
from tests.fixtures.warehouse.records import CUSTOMERS_TYPES, Flattened, flattened, rows
from tests.rig.client import Kafka, Outgoing

ENCODINGS = get_args(Flattened)


def load(kafka: Kafka, topic: str, encoding: Flattened) -> set[str]:
    """Writes the capture to a new topic, as the connector did; the ids that it deletes."""
    kafka.create_topic(topic, PARTITIONS)
    captured = flattened("customers", encoding)
    kafka.produce(topic, [Outgoing(r.key, r.value, r.headers) for r in captured])
    return {(r.key or b"").decode() for r in captured if r.value is None}


def flat_config(kafka: Kafka, prefix: str, sandbox: Sandbox, encoding: Flattened, **activation: Any) -> dict[str, Any]:
    settings = config(kafka, prefix, sandbox, "json" if encoding == "flat-json" else "json-schema", **activation)
    settings["sources"]["customers"].update({"format": "flattened", "before": "key"})
    return settings


def expected() -> People:
    """What PostgreSQL held at the end, as Braze shows it."""
    activation = Activation("mirror", "customer_id", FIELDS, ATTRIBUTES)
    return people_of_rows([row_of_postgres(row, CUSTOMERS_TYPES) for row in rows("customers", "final")], activation)


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_a_mirror_ends_as_postgres_ended(kafka: Kafka, prefix: str, tmp_path: Path, encoding: Flattened) -> None:
    load(kafka, f"{prefix}.customers", encoding)
    async with Sandbox() as sandbox:
        assert_done(await run(flat_config(kafka, prefix, sandbox, encoding), tmp_path, "--until-caught-up"))

        assert differences(expected(), found(sandbox, prefix)) == []
        assert kafka.committed(f"{prefix}.everyone", f"{prefix}.customers") == kafka.end_offsets(f"{prefix}.customers")


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_an_upsert_ends_with_everybody_and_deletes_nobody(
    kafka: Kafka, prefix: str, tmp_path: Path, encoding: Flattened
) -> None:
    deleted = load(kafka, f"{prefix}.customers", encoding)
    async with Sandbox() as sandbox:
        settings = flat_config(kafka, prefix, sandbox, encoding, mode="upsert")
        del settings["activations"]["everyone"]["deletes"]
        assert_done(await run(settings, tmp_path, "--until-caught-up"))

        people, final = found(sandbox, prefix), expected()
        assert differences(final, {name: person for name, person in people.items() if name in final}) == []
        beyond = people.keys() - final.keys()
        assert beyond
        assert all(any(name in key for key in deleted) for name in beyond)


async def test_a_mirror_whose_identifier_is_no_key_halts_before_anything_is_sent(
    kafka: Kafka, prefix: str, tmp_path: Path
) -> None:
    load(kafka, f"{prefix}.customers", "flat-json")
    async with Sandbox() as sandbox:
        settings = flat_config(kafka, prefix, sandbox, "flat-json", identifier={"external_id": "email"})
        settings["sources"]["customers"]["before"] = "full"
        running = await run(settings, tmp_path, "--until-caught-up")

        assert running.process.returncode == 3
        assert "flattened" in running.log
        assert found(sandbox, prefix) == {}
