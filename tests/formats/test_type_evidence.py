"""What many values of a column speak for, where one alone could not tell."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from stream_sync.formats.schemaless import rows
from stream_sync.formats.type_evidence import Evidence, evidence
from stream_sync.model import Absent
from tests.fixtures.kinds import records as kinds
from tests.fixtures.warehouse.records import FLAT_TYPES, TYPES, FlatTable, Table, flattened, records
from tests.formats.reading import wrapped

UNKNOWABLE = {"next_offer_score": "decimal(2)"}
"""Its scale, 4, is nowhere in the data."""

COLUMNS: list[tuple[str, list[Any], str]] = [
    ("n", [1, 0, 5172], "int or date"),
    ("birth_date", [-3653, 5172], "date or int"),
    ("birth_date", [-3653, 5172, -622191234, None], "date or int"),
    ("birth_date", [10**7], "int or milli_time"),
    ("is_open", [0, 1, 1], "bool or int"),
    ("n", [0, True], "bool"),
    ("open_time", [0, 47655123], "milli_time or int"),
    ("open_time", [0, 86_400_000_000], "micro_time or int"),
    ("open_time", [86_400_000_000_000], "nano_time or int"),
    ("at", [1704164645123, 1704164645], "int or nano_time"),
    ("at", [1704164645123456, 9223372036825200000, -9223372036832400000], "micro_timestamp or int"),
    ("at", ["2024-01-02T01:04:05Z", "infinity"], "zoned_timestamp"),
    ("n", [1, Decimal("1.25")], "float or decimal(2)"),
    ("n", [Decimal("1.25"), "NaN", "-Infinity"], "float"),
    ("n", [Decimal("1.25"), "x"], "json"),
    ("s", ["gold", "silver"], "text"),
    ("s", ["gold", "free"], "text or decimal(2) or bytes"),
    ("s", ["AYag", "BJPg", "CRpQ"], "decimal(2) or bytes or text"),
    ("s", ["AA==", "/w==", "AeJA"], "decimal(2) or bytes or text"),
    ("s", ["1.50", "12.5"], "decimal(2) or text"),
    ("s", ["1.50", "twelve"], "text"),
    ("s", ["+46701234567", "+46707654321"], "text"),
    ("s", ["3q2+7wAAAAAAAA==", "yv66vgAAAAAAAA==", "3q2+7wAAAAAAAQ=="], "bytes or decimal(2) or text"),
    ("j", ['{"a":1}', "5", "null"], "json"),
    ("j", ["[1,2)", "[3,4)"], "text"),
    ("l", [[], ["a"]], "array(text)"),
    ("l", [["AA==", None], ["AeJA"]], "array(decimal(2)) or array(bytes) or array(text)"),
    ("s", ["__debezium_unavailable_value", "x"], "text"),
    ("s", ["__debezium_unavailable_value"], "not in the records: ask the table's definition"),
    ("s", [None, Absent.MISSING], "only NULL: ask the table's definition"),
]


@pytest.mark.parametrize(("name", "values", "expected"), COLUMNS, ids=lambda v: str(v)[:40])
def test_only_what_fits_every_value_is_proposed(name: str, values: list[Any], expected: str) -> None:
    seen = Evidence()
    for value in values:
        seen.see(value)
    assert str(seen.proposal(name)) == expected


def test_the_evidence_is_counts_and_no_values() -> None:
    seen = Evidence()
    for value in ["Ann", "Bob", None, "__debezium_unavailable_value"]:
        seen.see(value)
    assert seen.proposal("name").evidence == "2 texts, 1 NULL"


@pytest.mark.parametrize("table", TYPES)
def test_a_real_table_is_typed_right_but_for_scales(table: Table) -> None:
    images = [row for record in records(table, "json") for row in taken(record.value, "debezium")]
    found = {name: seen.proposal(name).type for name, seen in evidence(images).items()}
    assert found == {**TYPES[table], **{name: kind for name, kind in UNKNOWABLE.items() if name in found}}


@pytest.mark.parametrize("table", FLAT_TYPES)
def test_a_flattened_table_is_typed_as_well(table: FlatTable) -> None:
    images = [row for record in flattened(table, "flat-json") for row in taken(record.value, "flattened")]
    found = {name: seen.proposal(name).type for name, seen in evidence(images).items()}
    wanted = {**FLAT_TYPES[table], **{name: kind for name, kind in UNKNOWABLE.items() if name in found}}
    # What add.fields gave another name than the default is a column like any other.
    assert {name: kind for name, kind in found.items() if not name.startswith("__")} == wanted


def taken(value: bytes | None, format_name: Any) -> list[dict[str, Any]]:
    found = rows(value, format_name)
    assert isinstance(found, list), found
    return found


def test_records_without_rows_say_why() -> None:
    assert rows(None, "debezium") == []
    assert rows(b"null", "flattened") == []
    assert rows(b"\x00\x00\x00\x00\x01", "debezium") == "avro"
    assert rows(wrapped([{"type": "int32", "field": "id"}], {"id": 1}), "debezium") == "schema"
    assert rows(b'{"ts_ms":1}', "debezium") == rows(b'{"ts_ms":1}', "flattened") == "control"
    assert rows(b'{"id":1}', "debezium") == rows(b"[1]", "flattened") == rows(b"{", "debezium") == "unreadable"


@pytest.mark.parametrize("encoding", ["json", "json-schema", "cloudevents", "fl_rwt-json", "fl_default-json-schema"])
def test_every_record_of_a_capture_is_taken(encoding: kinds.Encoding) -> None:
    format_name: Any = "flattened" if encoding.startswith("fl_") else "debezium"
    found = [rows(record.value, format_name) for record in kinds.records(encoding)]
    assert "unreadable" not in found
    assert ("schema" in found) == encoding.endswith("schema")
    for images in found:
        for image in images if isinstance(images, list) else ():
            assert not {"op", "source", "__op", "__deleted"} & image.keys()
