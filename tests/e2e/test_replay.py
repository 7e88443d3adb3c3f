"""A real warehouse's capture through real Kafka: the destination ends as PostgreSQL ended, value by value."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

from stream_sync.config.values import Rate
from stream_sync.sandbox.server import Sandbox
from tests.e2e.oracle import Activation, People, Row, differences, people_of_rows, row_of_postgres
from tests.e2e.service import LONG_SESSION, SHORT_SESSION, Running, run, service, until
from tests.fixtures.warehouse.records import CUSTOMERS_TYPES, Encoding, records, rows
from tests.rig.client import Kafka, Outgoing

ENCODINGS = get_args(Encoding)
PARTITIONS = 4
FIELDS = {
    "email": "email",
    "first_name": "first_name",
    "last_name": "last_name",
    "country": "country",
    "dob": "birth_date",
}
FIELDS_AND_KEY = {*FIELDS.values(), "customer_id"}
ATTRIBUTES = {name: name for name in CUSTOMERS_TYPES if name not in FIELDS_AND_KEY - {"customer_id", "birth_date"}}
GOLD = "loyalty_tier in ('gold', 'platinum') and churn_score > 0.5"


def gold(row: Row) -> bool | None:
    """GOLD, as Python."""
    if row["loyalty_tier"] is None or row["churn_score"] is None:
        return None
    return row["loyalty_tier"] in ("gold", "platinum") and row["churn_score"] > 0.5


def load(kafka: Kafka, topic: str, encoding: Encoding) -> None:
    """Writes the capture to a new topic, as the connector did."""
    kafka.create_topic(topic, PARTITIONS)
    kafka.produce(topic, [Outgoing(r.key, r.value, r.headers) for r in records("customers", encoding)])


def config(kafka: Kafka, prefix: str, sandbox: Sandbox, encoding: Encoding, **activation: Any) -> dict[str, Any]:
    """A mirror of all columns."""
    types = {"types": {**CUSTOMERS_TYPES}} if encoding == "json" else {}
    mirror = {
        "source": "customers",
        "destination": "braze",
        "mode": "mirror",
        "identifier": {"external_id": "customer_id"},
        "fields": FIELDS,
        "attributes": ATTRIBUTES,
        "deletes": {"after": "300ms", "max": 1000, "per": "1h"},
        "batch": {"max_wait": "50ms"},
        **activation,
    }
    return {
        "name": prefix,
        "kafka": {"bootstrap.servers": kafka.bootstrap, **LONG_SESSION},
        "admin": False,
        "sources": {"customers": {"topic": f"{prefix}.customers", "before": "full", **types}},
        "destinations": {
            "braze": {
                "type": "braze",
                "url": sandbox.address("braze", prefix),
                "api_key": "a-key",
                "spacing": "50ms",
            }
        },
        "activations": {"everyone": mirror},
    }


def expected(where: Any = None) -> People:
    """What PostgreSQL held at the end, as Braze shows it."""
    activation = Activation("mirror", "customer_id", FIELDS, ATTRIBUTES, where or (lambda _row: True))
    return people_of_rows([row_of_postgres(row, CUSTOMERS_TYPES) for row in rows("customers", "final")], activation)


def found(sandbox: Sandbox, prefix: str) -> People:
    """The people in the sandbox, without what Braze adds itself."""
    own = ("braze_id", "external_id")
    people = sandbox.workspace("braze", prefix).people
    return {identifier: {k: v for k, v in person.items() if k not in own} for identifier, person in people.items()}


def assert_done(running: Running) -> None:
    assert running.process.returncode == 0, running.log


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_a_mirror_ends_as_postgres_ended(kafka: Kafka, prefix: str, tmp_path: Path, encoding: Encoding) -> None:
    load(kafka, f"{prefix}.customers", encoding)
    async with Sandbox(journal=True) as sandbox:
        assert_done(await run(config(kafka, prefix, sandbox, encoding), tmp_path, "--until-caught-up"))

        assert differences(expected(), found(sandbox, prefix)) == []
        journal = sandbox.workspace("braze", prefix).journal
        assert journal is not None
        assert journal.overlaps == []
        assert kafka.committed(f"{prefix}.everyone", f"{prefix}.customers") == kafka.end_offsets(f"{prefix}.customers")


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_a_mirror_of_a_segment_ends_with_the_segment(
    kafka: Kafka, prefix: str, tmp_path: Path, encoding: Encoding
) -> None:
    load(kafka, f"{prefix}.customers", encoding)
    async with Sandbox() as sandbox:
        assert_done(await run(config(kafka, prefix, sandbox, encoding, where=GOLD), tmp_path, "--until-caught-up"))

        assert differences(expected(gold), found(sandbox, prefix)) == []


async def test_a_second_replay_from_the_start_changes_nothing(kafka: Kafka, prefix: str, tmp_path: Path) -> None:
    load(kafka, f"{prefix}.customers", "json")
    async with Sandbox() as sandbox:
        first = config(kafka, prefix, sandbox, "json")
        assert_done(await run(first, tmp_path, "--until-caught-up"))
        again = {**first, "activations": {"again": first["activations"]["everyone"]}}
        assert_done(await run(again, tmp_path, "--until-caught-up"))

        assert differences(expected(), found(sandbox, prefix)) == []


async def test_a_killed_process_loses_nothing(kafka: Kafka, prefix: str, tmp_path: Path) -> None:
    load(kafka, f"{prefix}.customers", "json")
    async with Sandbox(rate_limit=Rate(20, 1.0)) as sandbox:
        settings = config(kafka, prefix, sandbox, "json", batch={"max_records": 10, "max_wait": "50ms"})
        settings["destinations"]["braze"]["rate_limit"] = "20/1s"
        settings["kafka"] |= SHORT_SESSION
        async with service(settings, tmp_path) as running:
            await until(lambda: len(sandbox.workspace("braze", prefix).people) > 50, "half of the people are there")
            running.process.kill()
        sandbox.workspace("braze", prefix).window = None
        settings["destinations"]["braze"]["rate_limit"] = "3000/3s"
        assert_done(await run(settings, tmp_path, "--until-caught-up"))

        assert differences(expected(), found(sandbox, prefix)) == []
