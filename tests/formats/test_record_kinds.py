"""What a record is: a change of each op, a control record, or nothing that can be decoded."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stream_sync.errors import HaltError
from stream_sync.formats.envelope import LARGEST
from stream_sync.model import Absent, Change, NotAChange, Undecodable
from tests.fixtures.kinds.records import TYPES, Encoding, records
from tests.formats.reading import Held, changed, decoder, envelope, value, wrapped

ENCODINGS: list[Encoding] = ["json", "json-nulls", "json-schema"]


def decoded(encoding: Encoding, topic: str, table: str = "full_id") -> list[Any]:
    types = TYPES[table]
    source = decoder({} if encoding == "json-schema" else types, types)
    return [source.decode(Held(record.value, record.key, record.headers)) for record in records(encoding, topic)]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_op_of_a_table_in_order(encoding: Encoding) -> None:
    changes = decoded(encoding, "srv.shop.full_id")
    assert [change.op for change in changes] == ["r", "c", "u", "d", "tombstone", "c", "d", "tombstone", "t"]
    for change in changes:
        assert (change.before is not None) == (change.op in ("u", "d"))
        assert (change.after is not None) == (change.op in ("r", "c", "u"))
        assert (change.key is not None) == (change.op in ("d", "tombstone"))
        assert (change.ts_ms is None) == (change.op == "tombstone")


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    ("topic", "kinds"),
    [
        ("__debezium-heartbeat.srv", {"heartbeat"}),
        ("srv.transaction", {"transaction"}),
        ("srv.message", {"message"}),
    ],
)
def test_control_records_are_no_changes(encoding: Encoding, topic: str, kinds: set[str]) -> None:
    found = decoded(encoding, topic)
    assert found
    assert {part.kind for part in found if isinstance(part, NotAChange)} == kinds
    assert all(isinstance(part, NotAChange) for part in found)


SCHEMA_CHANGE = {"source": {"ts_ms": 1}, "ts_ms": 1, "databaseName": "wh", "ddl": "create table", "tableChanges": []}
NOTIFICATION = {
    "id": "1",
    "type": "STARTED",
    "aggregate_type": "Initial Snapshot",
    "additional_data": {},
    "timestamp": 1,
}


@pytest.mark.parametrize(("value", "kind"), [(SCHEMA_CHANGE, "schema_change"), (NOTIFICATION, "notification")])
def test_bare_control_records_are_known_by_their_members(value: dict[str, Any], kind: str) -> None:
    assert decoder({"id": "int"}).decode(Held(json.dumps(value).encode())) == NotAChange(kind)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("io.debezium.connector.common.Heartbeat", "heartbeat"),
        ("io.debezium.connector.common.TransactionMetadataValue", "transaction"),
        ("io.debezium.connector.mysql.SchemaChangeValue", "schema_change"),
        ("io.debezium.connector.common.Notification", "notification"),
        ("io.debezium.connector.postgresql.MessageValue", "message"),
    ],
)
def test_control_records_with_a_schema_are_known_by_its_name(name: str, kind: str) -> None:
    value = {"schema": {"type": "struct", "name": name, "fields": []}, "payload": {"anything": 1}}
    assert decoder({"id": "int"}).decode(Held(json.dumps(value).encode())) == NotAChange(kind)


BARE = {"id": 1}
UNDECODABLE: list[tuple[str, bytes]] = [
    ("invalid_json", b""),
    ("invalid_json", b"{"),
    ("invalid_json", b'{"op":"u"} trailing'),
    ("invalid_json", b"Struct{id=1}"),
    ("invalid_json", envelope({"id": 1, "name": "?"}).replace(b"?", b"\xff")),
    ("invalid_json", envelope({"id": 1, "name": "?"}).replace(b"?", b"\\ud800")),
    ("wrong_encoding", b"\x00\x00\x00\x00\x05\x02\x02"),
    ("unknown_op", envelope(BARE, op="x")),
    ("unknown_op", envelope(BARE, op="")),
    ("unknown_shape", b"null"),
    ("unknown_shape", b"[1]"),
    ("unknown_shape", b'"text"'),
    ("unknown_shape", envelope(None, op="u")),
    ("unknown_shape", envelope(None, op="c")),
    ("unknown_shape", envelope([1])),
    ("unsupported_connector", envelope('{"_id": {"$oid": "5f"}}')),
    ("unknown_shape", b'{"schema":{"type":"struct","name":"a.Envelope","fields":[]},"payload":null}'),
    ("wrong_format", b'{"id":1,"name":"Ann","__deleted":"false"}'),
    ("wrong_format", b"{}"),
    ("wrong_format", envelope(BARE).replace(b'"source": {"ts_ms": 1700000000000}', b'"source": 1')),
    ("too_deep", envelope(BARE, extra=0).replace(b'"extra": 0', b'"extra":' + b"[" * 100_000 + b"]" * 100_000)),
    ("number_out_of_range", envelope(BARE).replace(b'"id": 1', b'"id":' + b"9" * 100_000)),
    ("number_out_of_range", envelope(BARE).replace(b'"id": 1', b'"id":' + b"9" * 500_000 + b".5")),
    ("invalid_schema", wrapped([{"type": "int33", "field": "id"}], BARE)),
    ("invalid_schema", wrapped([{"type": "array", "field": "id"}], BARE)),
    ("invalid_schema", wrapped([{"name": "org.apache.kafka.connect.data.Decimal", "field": "id"}], BARE)),
    ("invalid_schema", b'{"schema":{"type":"struct","fields":[1]},"payload":{}}'),
]  # fmt: skip


@pytest.mark.parametrize(("code", "value"), UNDECODABLE, ids=lambda v: str(v)[:40])
def test_what_cannot_be_decoded_says_why(code: str, value: bytes) -> None:
    found = decoder({"id": "int", "name": "text"}).decode(Held(value))
    assert isinstance(found, Undecodable)
    assert (found.stage, found.code) == ("VALUE_CONVERTER", code)


def test_a_value_too_large_to_look_at() -> None:
    found = decoder({"id": "int"}).decode(Held(b" " * (LARGEST + 1)))
    assert isinstance(found, Undecodable)
    assert found.code == "too_large"


def test_records_of_other_formats_say_which() -> None:
    source = decoder({"id": "int"})
    hints = {
        "fl_rwt-json": "format: flattened",
        "fl_default-json-schema": "format: flattened",
        "avro": "encoding: avro",
    }
    for encoding, hint in hints.items():
        first = records(encoding)[0]  # type: ignore[arg-type]
        found = source.decode(Held(first.value, first.key, first.headers))
        assert isinstance(found, Undecodable)
        assert hint in found.message


def test_avro_without_a_registry_halts_before_the_first_record() -> None:
    with pytest.raises(HaltError, match="schema_registry"):
        decoder({"id": "int"}, encoding="avro")


def test_only_needed_columns_can_spoil_a_record() -> None:
    data = envelope({"id": 1, "other": 0}).replace(b'"other": 0', b'"other":' + b"9" * 500_000)
    change = changed(decoder({"id": "int"}), data)
    assert value(change.columns, change.after, "id") == 1


@pytest.mark.parametrize("after", [{"id": 1}, {"id": 1, "new_name": "Ann"}])
def test_a_column_gone_from_the_record_is_missing_not_null(after: dict[str, Any]) -> None:
    source = decoder({"id": "int", "name": "text"})
    change = changed(source, envelope(after))
    assert change.incomplete
    assert value(change.columns, change.after, "name") is Absent.MISSING
    assert value(change.columns, change.after, "id") == 1
    complete = changed(source, envelope({"id": 1, "name": None}))
    assert not complete.incomplete
    assert value(complete.columns, complete.after, "name") is None


def test_a_column_gone_from_the_schema_is_missing() -> None:
    change = changed(decoder({}, ["id", "name"]), wrapped([{"type": "int32", "field": "id"}], {"id": 1}))
    assert change.incomplete
    assert value(change.columns, change.after, "name") is Absent.MISSING


@pytest.mark.parametrize("ts_ms", [b"null", b'"soon"', b"1.5", b"true", b"[]", b"9" * 4000], ids=lambda v: str(v)[:8])
def test_a_commit_time_that_is_none_costs_nothing_else(ts_ms: bytes) -> None:
    data = envelope({"id": 1}).replace(b"1700000000000", ts_ms)
    change = changed(decoder({"id": "int"}), data)
    assert change.ts_ms is None
    assert value(change.columns, change.after, "id") == 1


def test_ordinary_changes_touch_neither_key_nor_headers() -> None:
    class Untouchable(Held):
        def key(self) -> bytes | None:
            raise AssertionError

        def headers(self) -> list[tuple[str, bytes | None]] | None:
            raise AssertionError

    source = decoder({"id": "int"})
    for op in "rcut":
        assert isinstance(source.decode(Untouchable(envelope({"id": 1}, op))), Change)


def test_columns_are_one_object_per_schema() -> None:
    source = decoder({}, ["id"])
    narrow = wrapped([{"type": "int32", "field": "id"}], {"id": 1})
    wider = wrapped([{"type": "int32", "field": "id"}, {"type": "string", "field": "x"}], {"id": 1, "x": ""})
    other = wrapped([{"type": "string", "field": "id"}], {"id": "1"})
    columns = [changed(source, data).columns for data in (narrow, wider, narrow, other, narrow)]
    assert columns[0] is columns[1] is columns[2] is columns[4]
    assert columns[3] is not columns[0]


@pytest.mark.parametrize("names", [[], ["id"], ["name", "id"]])
def test_wire_values_of_several_columns_at_once(names: list[str]) -> None:
    change = changed(decoder({"id": "int", "name": "text"}), envelope({"id": 1, "name": "Ann"}))
    assert change.columns.raws(names)(change.after) == tuple({"id": 1, "name": "Ann"}[name] for name in names)
