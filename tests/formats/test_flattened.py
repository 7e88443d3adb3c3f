"""Flattened records: which op each one is, in every delete.tombstone.handling.mode."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stream_sync.formats.keys import NEW_KEY
from stream_sync.formats.types_missing import TypesMissingError
from stream_sync.model import Absent, Change, NotAChange, Undecodable
from tests.fixtures.kinds.records import TYPES, Flattened, records
from tests.formats.reading import Held, changed, decoder, envelope, value, values, wrapped

ROW = {"id": 7, "name": "Ann"}
KEY = b'{"id":7}'
TYPES_HERE = {"id": "int", "name": "text"}
FIELDS: list[dict[str, Any]] = [{"type": "int32", "field": "id"}, {"type": "string", "optional": True, "field": "name"}]
ADDED_FIELDS = [
    {"type": "string", "optional": True, "field": name} for name in ("__deleted", "__op")
] + [{"type": "int64", "optional": True, "field": "__source_ts_ms"}]  # fmt: skip


def flat(row: Any = ROW, **added: Any) -> bytes:
    return json.dumps({**row, **added}).encode()


def flat_wrapped(row: Any = ROW, **added: Any) -> bytes:
    schema = {"type": "struct", "name": "wh.marts.people.Value", "fields": [*FIELDS, *ADDED_FIELDS]}
    return json.dumps({"schema": schema, "payload": None if row is None else {**row, **added}}).encode()


def read(data: bytes | None, key: bytes | None = KEY, **headers: bytes) -> Change:
    return changed(decoder(TYPES_HERE, format="flattened"), data, key, **headers)


@pytest.mark.parametrize("write", [flat, flat_wrapped])
@pytest.mark.parametrize(
    ("added", "op"),
    [
        ({}, "r"),
        ({"__deleted": "false"}, "r"),
        ({"__deleted": None}, "r"),
        ({"__op": "c"}, "c"),
        ({"__op": "u", "__deleted": "false"}, "u"),
        ({"__op": "r", "__deleted": "false"}, "r"),
    ],
)
def test_a_row_is_how_it_is_now(write: Any, added: dict[str, Any], op: str) -> None:
    change = read(write(**added))
    assert (change.op, change.before, change.incomplete) == (op, None, False)
    assert values(change.columns, change.after, TYPES_HERE) == ROW


@pytest.mark.parametrize("write", [flat, flat_wrapped])
@pytest.mark.parametrize("added", [{"__deleted": "true"}, {"__deleted": "true", "__op": "d"}, {"__op": "d"}])
def test_a_deleted_row_is_what_was_before(write: Any, added: dict[str, Any]) -> None:
    change = read(write(**added))
    assert (change.op, change.after) == ("d", None)
    assert values(change.columns, change.before, TYPES_HERE) == ROW
    assert change.key_columns is not None
    assert value(change.key_columns, change.key, "id") == 7


@pytest.mark.parametrize(
    "data", [None, b"null", flat_wrapped(None), b'{"payload": null, "schema": {"type":"struct","fields":[]}}']
)
def test_every_null_is_a_tombstone(data: bytes | None) -> None:
    change = read(data)
    assert (change.op, change.before, change.after) == ("tombstone", None, None)
    assert change.key_columns is not None
    assert value(change.key_columns, change.key, "id") == 7


@pytest.mark.parametrize(
    "header",
    [b'"u"', b"u", b'{"schema":{"type":"string","optional":true},"payload":"u"}'],
    ids=["SimpleHeaderConverter", "StringConverter", "JsonConverter"],
)
def test_the_op_of_a_header_counts_where_the_row_has_none(header: bytes) -> None:
    change = read(flat(), __op=header, __source_ts_ms=b"1700000000000")
    assert (change.op, change.ts_ms) == ("u", 1700000000000)
    assert read(flat(__op="c"), __op=header).op == "c"
    assert read(flat(__op="c"), __source_ts_ms=b"1700000000000").ts_ms == 1700000000000
    assert read(flat(__op="c", __source_ts_ms=5), __source_ts_ms=b"1700000000000").ts_ms == 5


@pytest.mark.parametrize(
    ("added", "ts_ms"),
    [
        ({"__source_ts_ms": 5, "__ts_ms": 6}, 5),
        ({"__ts_ms": 6}, 6),
        ({"__source_ts_ms": None, "__ts_ms": 6}, 6),
        ({"__source_ts_ms": "soon"}, None),
        ({"__source_ts_ms": True}, None),
        ({"__source_ts_ms": 10**40}, None),
        ({}, None),
    ],
)
def test_the_commit_time_is_where_the_transformation_put_it(added: dict[str, Any], ts_ms: int | None) -> None:
    assert read(flat(__op="u", **added)).ts_ms == ts_ms


UNDECODABLE: list[tuple[str, str, bytes]] = [
    ("unknown_shape", "neither", flat(__deleted=True)),
    ("unknown_shape", "neither", flat(__deleted="yes")),
    ("unknown_shape", "neither", flat_wrapped(__deleted="TRUE")),
    ("unknown_shape", '`__deleted` is "false"', flat(__deleted="false", __op="d")),
    ("unknown_op", "none of r, c", flat(__op="x")),
    ("unknown_op", "none of r, c", flat(__op=[1])),
    ("unknown_shape", "no flattened row", b"[1]"),
    ("unknown_shape", "no flattened row", b"7"),
    ("invalid_json", "not valid", b"{"),
    ("wrong_encoding", "encoding: avro", b"\x00\x00\x00\x00\x05\x02\x02"),
    ("wrong_format", "format: debezium", envelope(ROW)),
    ("wrong_format", "format: debezium", envelope(None, "d", ROW)),
    ("wrong_format", "format: debezium", wrapped(FIELDS, ROW)),
    ("wrong_format", "format: debezium", records("cloudevents", "srv.shop.full_id")[0].value or b""),
    ("too_deep", "deep", b'{"id":' + b"[" * 100_000),
]  # fmt: skip


@pytest.mark.parametrize(("code", "gist", "data"), UNDECODABLE, ids=lambda v: str(v)[:40])
def test_what_cannot_be_decoded_says_why(code: str, gist: str, data: bytes) -> None:
    found = decoder(TYPES_HERE, format="flattened").decode(Held(data, KEY))
    assert isinstance(found, Undecodable)
    assert found.code == code
    assert gist in found.message


def test_a_table_may_have_columns_of_these_names() -> None:
    types = {"op": "text", "source": "text", "__op": "text", "ts_ms": "int", "schema": "text", "payload": "text"}
    row = {"schema": "s", "payload": "p", "op": "x", "source": "web", "ts_ms": 1, "__op": "u"}
    source = decoder(types, format="flattened")
    for given in (row, {name: row[name] for name in ("op", "source", "__op", "ts_ms")}):
        change = changed(source, flat(given))
        assert change.op == "u"
        expected = {name: given.get(name, Absent.MISSING) for name in types}
        assert values(change.columns, change.after, types) == expected


def test_unavailable_and_missing_columns_are_known() -> None:
    change = read(flat({"id": 7, "name": "__debezium_unavailable_value"}, __op="u"))
    assert change.incomplete
    assert value(change.columns, change.after, "name") is Absent.UNAVAILABLE
    change = read(flat({"id": 7}))
    assert change.incomplete
    assert value(change.columns, change.after, "name") is Absent.MISSING


def test_types_missing_is_told_at_the_first_row_only() -> None:
    source = decoder({"id": "int"}, ["id", "born"], format="flattened")
    assert source.decode(Held(b'{"ts_ms":1}')) == NotAChange("heartbeat")
    with pytest.raises(TypesMissingError, match="born"):
        source.decode(Held(flat({"id": 1, "born": 5172})))
    assert isinstance(source.decode(Held(flat_wrapped())), Change)


def test_the_new_key_of_a_key_change() -> None:
    for data in (None, b"null", flat(__deleted="true")):
        change = read(data, **{NEW_KEY: b'{"id":11}'})
        assert change.key_changed
        assert change.key_columns is not None
        assert value(change.key_columns, change.new_key, "id") == 11


REWRITTEN = ["r", "c", "u", "d", "tombstone", "c", "d", "tombstone"]
DEFAULT = ["r", "r", "r", "tombstone", "r", "tombstone"]
CAPTURES: dict[Flattened, list[str]] = {
    "fl_rwt-json": REWRITTEN,
    "fl_rwt-json-nulls": REWRITTEN,
    "fl_rwt-json-schema": REWRITTEN,
    "fl_default-json": DEFAULT,
    "fl_default-json-nulls": DEFAULT,
    "fl_default-json-schema": DEFAULT,
}


@pytest.mark.parametrize(("capture", "ops"), CAPTURES.items())
def test_every_record_of_a_capture_in_order(capture: Flattened, ops: list[str]) -> None:
    types = TYPES["full_id"]
    source = decoder({} if capture.endswith("schema") else types, types, format="flattened")
    found = [source.decode(Held(r.value, r.key, r.headers)) for r in records(capture, "srv.shop.full_id")]
    assert [part.op for part in found if isinstance(part, Change)] == ops
    first = next(part for part in found if isinstance(part, Change) and part.key_changed)
    assert first.key_columns is not None
    assert (value(first.key_columns, first.key, "id"), value(first.key_columns, first.new_key, "id")) == (2, 3)


@pytest.mark.parametrize("capture", CAPTURES)
@pytest.mark.parametrize(
    ("topic", "kind"),
    [("__debezium-heartbeat.srv", "heartbeat"), ("srv.transaction", "transaction"), ("srv.message", "message")],
)
def test_control_records_pass_the_transformation_unflattened(capture: Flattened, topic: str, kind: str) -> None:
    types = TYPES["full_id"]
    source = decoder({} if capture.endswith("schema") else types, types, format="flattened")
    for record in records(capture, topic):
        assert source.decode(Held(record.value, record.key, record.headers)) == NotAChange(kind)
