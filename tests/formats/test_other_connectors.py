"""What other connectors than PostgreSQL's write.

**Constructed**: built after Debezium's documentation and source, not captured. Each test says which fact it stands on.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from stream_sync.formats.keys import NEW_KEY
from stream_sync.model import Absent, Change, Undecodable
from tests.formats.reading import Held, changed, decoder, envelope, value, values, wrapped

SOURCES: dict[str, dict[str, Any]] = {
    "mysql": {
        "version": "3.6.3.Final", "connector": "mysql", "name": "wh", "ts_ms": 1700000000000, "snapshot": "false",
        "db": "marts", "sequence": None, "table": "people", "server_id": 223344, "gtid": None,
        "file": "mysql-bin.000003", "pos": 484, "row": 0, "thread": 7, "query": None,
    },
    "mariadb": {
        "version": "3.6.3.Final", "connector": "mariadb", "name": "wh", "ts_ms": 1700000000000, "snapshot": True,
        "db": "marts", "table": "people", "server_id": 0, "gtid": "0-223344-5", "file": "mariadb-bin.000003",
        "pos": 484, "row": 0, "thread": None, "query": None,
    },
    "sqlserver": {
        "version": "3.6.3.Final", "connector": "sqlserver", "name": "wh", "ts_ms": 1700000000000, "snapshot": None,
        "db": "marts", "schema": "dbo", "table": "people", "change_lsn": "00000027:00000758:0003",
        "commit_lsn": "00000027:00000758:0005", "event_serial_no": "2",
    },
    "oracle": {
        "version": "3.6.3.Final", "connector": "oracle", "name": "wh", "ts_ms": 1700000000000, "snapshot": "false",
        "db": "ORCLPDB1", "schema": "MARTS", "table": "PEOPLE", "txId": "6.28.807", "scn": "2122185",
        "commit_scn": "2122185", "lcr_position": None, "rs_id": "0x0a.1.0", "ssn": 0, "redo_thread": 1,
    },
}  # fmt: skip
PLACEHOLDER = "__debezium_unavailable_value"


@pytest.mark.parametrize("connector", SOURCES)
def test_the_shape_of_source_does_not_matter(connector: str) -> None:
    change = changed(decoder({"id": "int"}), envelope({"id": 1}, source=SOURCES[connector]))
    assert (change.op, change.ts_ms) == ("u", 1700000000000)


@pytest.mark.parametrize(
    ("field", "wire"),
    [
        ({"type": "int16"}, 1),
        ({"type": "int8"}, 1),
        ({"type": "boolean"}, True),
        (None, 1),
        (None, True),
    ],
)
def test_mysqls_boolean_is_a_bool_where_the_config_says_so(field: dict[str, Any] | None, wire: Any) -> None:
    """TINYINT(1) is INT16 in a snapshot (INT8 from 3.7) and BOOLEAN for a table created while streaming."""
    fields = [{"type": "int32", "field": "id"}, {**(field or {}), "optional": True, "field": "active"}]
    source = decoder({"id": "int", "active": "bool"})
    for row, expected in (({"id": 1, "active": wire}, True), ({"id": 1, "active": type(wire)(0)}, False)):
        change = changed(source, wrapped(fields, row) if field else envelope(row))
        assert value(change.columns, change.after, "active") is expected


def test_without_the_configs_word_mysqls_boolean_is_what_the_schema_says() -> None:
    change = changed(decoder({}, ["active"]), wrapped([{"type": "int16", "field": "active"}], {"active": 1}))
    assert value(change.columns, change.after, "active") == 1
    assert value(change.columns, change.after, "active") is not True


def test_unsigned_bigint_is_exact_where_the_connector_writes_it_precisely() -> None:
    """bigint.unsigned.handling.mode=precise; as `long`, the default, 2**64 - 1 arrives as -1 and nobody can tell."""
    field = {
        "type": "bytes", "name": "org.apache.kafka.connect.data.Decimal", "parameters": {"scale": "0"}, "field": "id",
    }  # fmt: skip
    change = changed(decoder({}, ["id"]), wrapped([field], {"id": "AP//////////"}))
    assert value(change.columns, change.after, "id") == Decimal(2**64 - 1)
    change = changed(decoder({}, ["id"]), wrapped([{"type": "int64", "field": "id"}], {"id": -1}))
    assert value(change.columns, change.after, "id") == -1


@pytest.mark.parametrize("connector", ["oracle", "sqlserver", "mysql"])
def test_an_unchanged_lob_is_unavailable_in_after_and_in_before(connector: str) -> None:
    """Oracle CLOB/BLOB (before always), SQL Server's max types from 3.6, MySQL's NOBLOB from 3.7."""
    types = {"id": "int", "bio": "text", "photo": "bytes"}
    blob = "X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ=="
    row = {"id": 1, "bio": PLACEHOLDER, "photo": blob}
    change = changed(decoder(types), envelope(row, before=row, source=SOURCES[connector]))
    assert change.incomplete
    change.columns.fill(change.after, change.before)
    for image in (change.before, change.after):
        assert values(change.columns, image, types) == {"id": 1, "bio": Absent.UNAVAILABLE, "photo": Absent.UNAVAILABLE}


def test_a_lob_unavailable_in_before_only_is_no_value() -> None:
    types = {"id": "int", "bio": "text"}
    data = envelope({"id": 1, "bio": "new"}, before={"id": 1, "bio": PLACEHOLDER}, source=SOURCES["oracle"])
    change = changed(decoder(types), data)
    change.columns.fill(change.after, change.before)
    assert value(change.columns, change.before, "bio") is Absent.UNAVAILABLE
    assert value(change.columns, change.after, "bio") == "new"


def test_a_key_change_without_headers_is_a_delete_and_a_create() -> None:
    """SQL Server: CDC has a delete and an insert, event_serial_no 1 and 2, and no header."""
    source = decoder({"id": "int"})
    delete = changed(source, envelope(None, "d", {"id": 1}, source=SOURCES["sqlserver"]), b'{"id":1}')
    create = changed(source, envelope({"id": 2}, "c", source=SOURCES["sqlserver"]), b'{"id":2}')
    assert (delete.op, delete.key_changed, create.op) == ("d", False, "c")


def mongo(op: str, **members: Any) -> bytes:
    source = {"connector": "mongodb", "name": "wh", "ts_ms": 1, "db": "marts", "collection": "people", "ord": 1}
    return json.dumps({"before": None, "after": None, **members, "source": source, "op": op, "ts_ms": 1}).encode()


DOCUMENT = '{"_id": {"$oid": "5f"}, "name": "Ann"}'
SCHEMA = {
    "type": "struct",
    "name": "wh.marts.people.Envelope",
    "fields": [
        {"type": "string", "optional": True, "name": "io.debezium.data.Json", "field": image}
        for image in ("before", "after")
    ]
    + [{"type": "string", "field": "op"}],
}


@pytest.mark.parametrize(
    "data",
    [
        mongo("c", after=DOCUMENT),
        mongo("r", after=DOCUMENT),
        mongo("u", updateDescription={"updatedFields": "{}"}),
        mongo("u", after=DOCUMENT, before=DOCUMENT),
        mongo("d"),
        mongo("d", before=DOCUMENT),
        json.dumps({"schema": SCHEMA, "payload": json.loads(mongo("d"))}).encode(),
        json.dumps({"schema": SCHEMA, "payload": json.loads(mongo("c", after=DOCUMENT))}).encode(),
    ],
)
def test_mongodb_is_refused_by_name(data: bytes) -> None:
    """Documents are texts of Extended JSON; a delete has no image at all, and must not pass for one of a table."""
    source = decoder({"id": "text"})
    found = source.decode(Held(data, b'{"id":"1"}'))
    assert isinstance(found, Undecodable)
    assert found.code == "unsupported_connector"
    assert "MongoDB" in found.message
    tombstone = source.decode(Held(None, b'{"id":"1"}'))
    assert isinstance(tombstone, Undecodable)
    assert tombstone.code == "unsupported_connector"


def test_a_delete_without_a_row_of_a_table_is_a_delete() -> None:
    for data in (envelope(None, "d"), envelope(None, "d", source=SOURCES["mysql"])):
        found = decoder({"id": "int"}).decode(Held(data, b'{"id":7}', [(NEW_KEY, b'{"id":8}')]))
        assert isinstance(found, Change)
        assert (found.op, found.before, found.key_changed) == ("d", None, True)
