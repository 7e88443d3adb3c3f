"""`stream-sync types` against real Kafka: what it proposes for real captures, and how it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.fixtures.warehouse.records import FLAT_TYPES, TYPES, Captured, Table, flattened, records
from tests.rig.client import Kafka, Outgoing

SCALE_UNKNOWN = {"next_offer_score": "decimal(2)"}
"""The scale of a decimal is not in the data; this one's is 4."""


def types(
    kafka: Kafka, prefix: str, folder: Path, *arguments: str, bootstrap: str = "", **source: Any
) -> subprocess.CompletedProcess[str]:
    """Runs the command for the source `people`; a broker may stand still for a while."""
    config = {
        "name": prefix,
        "kafka": {"bootstrap.servers": bootstrap or kafka.bootstrap},
        "sources": {"people": {"topic": f"{prefix}.people", **source}},
        "destinations": {"braze": {"type": "braze", "url": "https://rest.fra-01.braze.eu", "api_key": "hidden"}},
        "activations": {
            "all": {
                "source": "people",
                "destination": "braze",
                "mode": "upsert",
                "identifier": {"external_id": "customer_id"},
                "fields": ["email"],
            }
        },
    }
    path = folder / "acme.yaml"
    with path.open("w") as file:
        YAML(typ="safe", pure=True).dump(config, file)
    command = [sys.executable, "-m", "stream_sync", "types", "-c", str(path), "--source", "people"]
    command += ["--timeout", "60s", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def load(kafka: Kafka, prefix: str, captured: list[Captured], partitions: int = 3) -> None:
    topic = f"{prefix}.people"
    kafka.create_topic(topic, partitions)
    kafka.produce(topic, [Outgoing(r.key, r.value, r.headers) for r in captured])


def proposed(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, str]] = YAML(typ="safe", pure=True).load(done.stdout)
    return found["types"]


@pytest.mark.parametrize("table", TYPES)
def test_the_types_of_a_real_table_are_proposed(kafka: Kafka, prefix: str, tmp_path: Path, table: Table) -> None:
    load(kafka, prefix, records(table, "json"))
    done = types(kafka, prefix, tmp_path)
    wanted = TYPES[table]
    assert proposed(done) == {**wanted, **{name: kind for name, kind in SCALE_UNKNOWN.items() if name in wanted}}
    assert f"of {prefix}.people; put this under `sources.people`" in done.stderr


def test_the_evidence_stands_beside_each_type_and_shows_no_value(kafka: Kafka, prefix: str, tmp_path: Path) -> None:
    captured = records("customers", "json")
    load(kafka, prefix, captured)
    done = types(kafka, prefix, tmp_path)
    lines = {line.split(":")[0].strip(): line for line in done.stdout.splitlines()}
    assert "the column's name decided; fits as well: int" in lines["birth_date"]
    assert "the scale is not in the data" in lines["lifetime_value"]
    assert "745 texts" in lines["customer_id"]
    assert "cus_0" not in done.stdout + done.stderr
    assert "@example" not in done.stdout + done.stderr


def test_flattened_topics_and_what_is_declared_already(kafka: Kafka, prefix: str, tmp_path: Path) -> None:
    load(kafka, prefix, flattened("loyalty_members", "flat-json"))
    declared = {"next_offer_score": "decimal(4)", "points": "text", "fax": "text", "*": "json"}
    done = types(kafka, prefix, tmp_path, format="flattened", types=declared)
    found = proposed(done)
    own = {name: kind for name, kind in found.items() if not name.startswith("__")}
    assert own == {**FLAT_TYPES["loyalty_members"], **declared}
    lines = {line.split(":")[0].strip(): line for line in done.stdout.splitlines()}
    assert lines["next_offer_score"].endswith("; as declared")
    assert "as declared, but the values speak for int" in lines["points"]
    assert "no record has it" in lines["fax"]


def test_the_oldest_and_the_newest_records_of_every_partition_are_read(
    kafka: Kafka, prefix: str, tmp_path: Path
) -> None:
    rows = [b'{"op":"c","source":{},"before":null,"after":{"id":%d}}' % number for number in range(1000)]
    rows[0] = rows[0].replace(b'"id"', b'"oldest":true,"id"')
    rows[-1] = rows[-1].replace(b'"id"', b'"newest":true,"id"')
    load(kafka, prefix, [Captured("", b"k", row, []) for row in rows], partitions=1)
    done = types(kafka, prefix, tmp_path, "--records", "20")
    assert {"oldest", "newest"} <= proposed(done).keys()
    assert "20 rows in 20 records" in done.stderr


def test_a_column_of_nulls_is_a_comment(kafka: Kafka, prefix: str, tmp_path: Path) -> None:
    row = b'{"op":"c","source":{},"after":{"id":1,"fax":null,"odd name":1.5,"yes":"x"}}'
    load(kafka, prefix, [Captured("", b"k", row, [])])
    done = types(kafka, prefix, tmp_path)
    assert proposed(done) == {"id": "int", "odd name": "float", "yes": "text"}
    assert "# fax:  # only NULL" in done.stdout


@pytest.mark.parametrize(
    ("captured", "gist"),
    [
        (records("customers", "json-schema")[:20], "carry their schema"),
        ([Captured("", b"k", b"\x00\x00\x00\x00\x01\x02", [])], "are Avro"),
    ],
    ids=["JSON with schema", "Avro"],
)
def test_a_source_that_says_its_types_needs_none(
    kafka: Kafka, prefix: str, tmp_path: Path, captured: list[Captured], gist: str
) -> None:
    load(kafka, prefix, captured)
    done = types(kafka, prefix, tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert gist in done.stderr
    assert "source people needs no `types:`" in done.stderr


def test_a_topic_without_rows_fails(kafka: Kafka, prefix: str, tmp_path: Path) -> None:
    load(kafka, prefix, [Captured("", b"k", b'{"ts_ms":1}', []), Captured("", b"k", None, [])])
    done = types(kafka, prefix, tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no rows were found" in done.stderr


def test_a_topic_that_is_not_there_fails(kafka: Kafka, prefix: str, tmp_path: Path) -> None:
    done = types(kafka, prefix, tmp_path)
    assert done.returncode == 1
    assert "does not exist" in done.stderr


def test_a_broker_that_is_not_there_fails(kafka: Kafka, prefix: str, tmp_path: Path) -> None:
    done = types(kafka, prefix, tmp_path, "--timeout", "1s", bootstrap="127.0.0.1:1")
    assert done.returncode == 1
    assert "cannot be read" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_source_that_is_not_in_the_config_is_told(kafka: Kafka, prefix: str, tmp_path: Path) -> None:
    done = types(kafka, prefix, tmp_path, "--source", "poeple")
    assert done.returncode == 2
    assert "did you mean 'people'?" in done.stderr
