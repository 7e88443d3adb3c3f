"""Avro values column by column: what a schema says, what it does not say, and one bad value that is only one."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from stream_sync.config.settings import Source
from stream_sync.formats.decoder import open_decoder
from stream_sync.formats.unavailable import PLACEHOLDER
from stream_sync.model import Absent, Change, NotAChange, Undecodable
from tests.formats.reading import UNREPRESENTABLE, WRONG, Held, changed, value
from tests.formats.writing_avro import (
    CONNECT_DATE,
    DATE,
    DECIMAL,
    Known,
    avro_decoder,
    envelope_schema,
    framed,
    nullable,
    row_change,
    without_names,
)


def semantic(base: str, name: str, **props: Any) -> dict[str, Any]:
    return {"type": base, "connect.version": 1, "connect.name": name, **props}


def entries(key: Any) -> dict[str, Any]:
    """A map as a list of entries."""
    fields = [{"name": "key", "type": key}, {"name": "value", "type": nullable("string")}]
    name = {"name": "MapEntry", "namespace": "io.confluent.connect.avro"}
    return {"type": "array", "items": {"type": "record", **name, "fields": fields}}


def structure(fields: dict[str, Any], name: str, **props: Any) -> dict[str, Any]:
    return {
        "type": "record",
        "name": name,
        "fields": [{"name": field, "type": kind} for field, kind in fields.items()],
        **props,
    }


POINT = structure({"x": "double", "wkb": nullable("bytes"), "srid": nullable("int")}, "Point")
VARIABLE = structure({"scale": "int", "value": "bytes"}, "VariableScaleDecimal", namespace="io.debezium.data")
ENUM = {"type": "enum", "name": "Mood", "symbols": ["sad", "happy"]}

VALUES: list[tuple[str, Any, Any, Any]] = [
    ("text", "string", "Ünï", "Ünï"),
    ("int16", {"type": "int", "connect.type": "int16"}, -7, -7),
    ("long", "long", -(2**63), -(2**63)),
    ("boolean", "boolean", True, True),
    ("double", "double", 0.1, 0.1),
    ("not a number", "double", float("nan"), None),
    ("float, as its column shows it", "float", 0.167, 0.167),
    ("float that is large", "float", 3.4028234663852886e38, 3.4028234663852886e38),
    ("bytes", "bytes", b"\0\xff", b"\0\xff"),
    ("fixed", {"type": "fixed", "name": "Four", "size": 4}, b"abcd", b"abcd"),
    ("enum", ENUM, "happy", "happy"),
    ("date", DATE, 5172, date(1984, 2, 29)),
    ("Connect's date", CONNECT_DATE, 5172, date(1984, 2, 29)),
    ("date beyond the calendar", CONNECT_DATE, -622191234, UNREPRESENTABLE),
    (
        "Connect's time",
        semantic("int", "org.apache.kafka.connect.data.Time", logicalType="time-millis"),
        47655123,
        time(13, 14, 15, 123000),
    ),
    (
        "Connect's time beyond the day",
        semantic("int", "org.apache.kafka.connect.data.Time", logicalType="time-millis"),
        86_400_000,
        UNREPRESENTABLE,
    ),
    (
        "Connect's timestamp",
        semantic("long", "org.apache.kafka.connect.data.Timestamp", logicalType="timestamp-millis"),
        1704164645123,
        datetime(2024, 1, 2, 3, 4, 5, 123000, UTC),
    ),
    (
        "Connect's infinite timestamp",
        semantic("long", "org.apache.kafka.connect.data.Timestamp", logicalType="timestamp-millis"),
        9223372036825200,
        UNREPRESENTABLE,
    ),
    ("micro time", semantic("long", "io.debezium.time.MicroTime"), 47655123456, time(13, 14, 15, 123456)),
    ("duration", semantic("long", "io.debezium.time.MicroDuration"), 90_000_000, timedelta(seconds=90)),
    ("decimal", DECIMAL, b"\x01\xe2\x40", Decimal("1234.56")),
    ("negative decimal", DECIMAL, b"\xff", Decimal("-0.01")),
    ("decimal of its own scale", VARIABLE, {"scale": 3, "value": b"\x01\xe2\x40"}, Decimal("123.456")),
    ("json", semantic("string", "io.debezium.data.Json"), '{"a":[1,null]}', {"a": [1, None]}),
    ("uuid", semantic("string", "io.debezium.data.Uuid"), "0-0", "0-0"),
    ("array", {"type": "array", "items": nullable("string")}, ["a", None], ["a", None]),
    ("array of dates", {"type": "array", "items": nullable(DATE)}, [0, None], [date(1970, 1, 1), None]),
    ("array of decimals", {"type": "array", "items": nullable(DECIMAL)}, [b"\x64"], [Decimal("1.00")]),
    ("map", {"type": "map", "values": nullable("string")}, {"a": "b", "c": None}, {"a": "b", "c": None}),
    ("map of entries", entries(nullable("string")), [{"key": "a", "value": "b"}], {"a": "b"}),
    ("map with number keys", entries("int"), [{"key": 1, "value": "b"}], [[1, "b"]]),
    ("struct", POINT, {"x": 1.5, "wkb": b"\1", "srid": None}, {"x": 1.5, "wkb": "AQ==", "srid": None}),
    ("one of several", ["null", "string", "long"], 7, 7),
]


@pytest.mark.parametrize(("kind", "wire", "expected"), [case[1:] for case in VALUES], ids=[case[0] for case in VALUES])
def test_what_the_schema_says(kind: Any, wire: Any, expected: Any) -> None:
    for column in (kind, nullable(kind)) if not isinstance(kind, list) else (kind,):
        schema = envelope_schema({"a": "int", "c": column, "z": "int"})
        source = avro_decoder({1: schema}, ["c"])
        change = changed(source, framed(1, schema, row_change({"a": 1, "c": wire, "z": 1})))
        found = value(change.columns, change.after, "c")
        assert found == expected or (expected is None and found != found)  # noqa: PLR0124  # NaN
        assert type(found) is type(expected) or expected is None


def test_one_value_out_of_range_is_one_bad_value() -> None:
    schema = envelope_schema({"born": nullable(CONNECT_DATE), "name": "string"})
    change = changed(
        avro_decoder({1: schema}, ["born", "name"]),
        framed(1, schema, row_change({"born": -622191234, "name": "Ann"})),
    )
    assert value(change.columns, change.after, "born") == UNREPRESENTABLE
    assert value(change.columns, change.after, "name") == "Ann"


UNAVAILABLE: list[tuple[str, Any, Any]] = [
    ("text", "string", PLACEHOLDER),
    ("json", semantic("string", "io.debezium.data.Json"), PLACEHOLDER),
    ("bytes", "bytes", PLACEHOLDER.encode()),
    ("hstore as json", semantic("string", "io.debezium.data.Json"), f'{{"{PLACEHOLDER}":"{PLACEHOLDER}"}}'),
    ("hstore as map", {"type": "map", "values": nullable("string")}, {PLACEHOLDER: PLACEHOLDER}),
    ("hstore as entries", entries(nullable("string")), [{"key": PLACEHOLDER, "value": PLACEHOLDER}]),
    ("array of texts", {"type": "array", "items": nullable("string")}, [PLACEHOLDER]),
    ("array of numbers", {"type": "array", "items": nullable("int")}, list(PLACEHOLDER.encode())),
    ("array of dates", {"type": "array", "items": nullable(DATE)}, list(PLACEHOLDER.encode())),
    ("array of bytes", {"type": "array", "items": nullable("bytes")}, [PLACEHOLDER.encode()]),
    (
        "array of uuids",
        {"type": "array", "items": nullable(semantic("string", "io.debezium.data.Uuid"))},
        ["b68a35a7-17ad-35b3-af2a-ae46edb4545a"],
    ),
]


@pytest.mark.parametrize(("kind", "wire"), [case[1:] for case in UNAVAILABLE], ids=[case[0] for case in UNAVAILABLE])
def test_unavailable_in_every_shape(kind: Any, wire: Any) -> None:
    schema = envelope_schema({"id": "int", "c": nullable(kind)})
    source = avro_decoder({1: schema}, ["id", "c"])
    before = {"id": 1, "c": None}
    change = changed(source, framed(1, schema, row_change({"id": 1, "c": wire}, before=before)))
    assert change.incomplete
    assert value(change.columns, change.after, "c") is Absent.UNAVAILABLE
    assert value(change.columns, change.before, "c") is None
    change.columns.fill(change.after, change.before)
    assert value(change.columns, change.after, "c") is None
    assert not changed(source, framed(1, schema, row_change(before))).incomplete


def test_each_record_is_read_with_its_writers_schema() -> None:
    old = envelope_schema({"id": "int", "name": nullable("string")})
    new = envelope_schema({"id": "long", "named": nullable("string"), "name2": "string"})
    source = avro_decoder({1: old, 2: new}, ["id", "name", "named"])
    first = framed(1, old, row_change({"id": 1, "name": "Ann"}))
    second = framed(2, new, row_change({"id": 2, "named": "Ben", "name2": "x"}))
    for _ in range(2):
        change = changed(source, first)
        found = [value(change.columns, change.after, name) for name in ("id", "name", "named")]
        assert found == [1, "Ann", Absent.MISSING]
        change = changed(source, second)
        found = [value(change.columns, change.after, name) for name in ("id", "name", "named")]
        assert found == [2, Absent.MISSING, "Ben"]
        assert change.incomplete


def test_without_names_the_config_says_what_a_column_is() -> None:
    columns = {"born": nullable(DATE), "seen": "long", "plain": "int", "ltv": nullable(DECIMAL)}
    schema = envelope_schema(columns, named=False)
    data = framed(1, schema, row_change({"born": 5172, "seen": 1_700_000_000_000, "plain": 5, "ltv": b"\x64"}))
    types = {"born": "date", "seen": "timestamp", "ltv": "decimal(7)", "*": "json"}
    change = changed(avro_decoder({1: schema}, columns, types=types), data)
    assert {name: value(change.columns, change.after, name) for name in columns} == {
        "born": date(1984, 2, 29),
        "seen": datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
        "plain": 5,
        "ltv": Decimal("1.00"),  # Avro's own logical type stays
    }
    change = changed(avro_decoder({1: schema}, columns), data)
    assert value(change.columns, change.after, "born") == 5172


def test_with_names_the_config_is_not_asked() -> None:
    schema = envelope_schema({"born": DATE, "n": "int"})
    change = changed(
        avro_decoder({1: schema}, ["born", "n"], types={"born": "int", "n": "date"}),
        framed(1, schema, row_change({"born": 5172, "n": 5172})),
    )
    assert value(change.columns, change.after, "born") == date(1984, 2, 29)
    assert value(change.columns, change.after, "n") == 5172


def test_a_type_of_the_config_that_the_value_is_not_of_is_an_error() -> None:
    schema = envelope_schema({"n": "int"}, named=False)
    for name in ("text", "bool", "uuid"):
        change = changed(
            avro_decoder({1: schema}, ["n"], types={"n": name}), framed(1, schema, row_change({"n": 5172}))
        )
        assert value(change.columns, change.after, "n") == WRONG


def test_without_names_control_records_are_still_known() -> None:
    heartbeat = without_names(
        {
            "type": "record",
            "name": "Heartbeat",
            "namespace": "io.debezium.connector.common",
            "fields": [{"name": "ts_ms", "type": "long"}],
        }
    )
    source = avro_decoder({1: heartbeat}, ["id"])
    assert source.decode(Held(framed(1, heartbeat, {"ts_ms": 1}))) == NotAChange("heartbeat")


@pytest.mark.parametrize("needed", [[], ["id"], ["id", "name"], ["nowhere"], ["id", "nowhere"]])
def test_any_number_of_columns_may_be_needed(needed: list[str]) -> None:
    schema = envelope_schema({"id": "int", "name": "string"})
    change = changed(avro_decoder({1: schema}, needed), framed(1, schema, row_change({"id": 1, "name": "Ann"})))
    row = {"id": 1, "name": "Ann"}
    for name in needed:
        assert value(change.columns, change.after, name) == row.get(name, Absent.MISSING)
    assert change.columns.raws(needed)(change.after) == tuple(row.get(name, Absent.MISSING) for name in needed)
    assert change.incomplete == ("nowhere" in needed)


def test_what_is_not_needed_cannot_spoil_a_record() -> None:
    schema = envelope_schema({"id": "int", "note": "string", "mood": ENUM})
    data = framed(1, schema, row_change({"id": 1, "note": "good", "mood": "sad"}))
    bad = data.replace(b"good", b"\xff\xff\xff\xff")
    change = changed(avro_decoder({1: schema}, ["id"]), bad)
    assert value(change.columns, change.after, "id") == 1
    found = avro_decoder({1: schema}, ["note"]).decode(Held(bad))
    assert isinstance(found, Undecodable)
    assert found.code == "invalid_avro"


@pytest.mark.parametrize("op", ["r", "c", "u", "d", "t"])
def test_every_op(op: str) -> None:
    schema = envelope_schema({"id": "int"})
    row = {"id": 1}
    before, after = (row, None) if op == "d" else (None, None) if op == "t" else (None, row)
    change = changed(avro_decoder({1: schema}, ["id"]), framed(1, schema, row_change(after, op, before)))
    assert change.op == op
    assert change.ts_ms == 1_700_000_000_000


@pytest.mark.parametrize(("op", "code"), [("x", "unknown_op"), ("", "unknown_op"), ("c", "unknown_shape")])
def test_what_no_connector_writes(op: str, code: str) -> None:
    schema = envelope_schema({"id": "int"})
    found = avro_decoder({1: schema}, ["id"]).decode(Held(framed(1, schema, row_change(None, op))))
    assert isinstance(found, Undecodable)
    assert found.code == code


def test_a_commit_time_out_of_bounds_is_none() -> None:
    schema = envelope_schema({"id": "int"})
    change = changed(avro_decoder({1: schema}, ["id"]), framed(1, schema, row_change({"id": 1}, ts_ms=2**60)))
    assert change.ts_ms is None


def test_mongodb_is_refused_by_name() -> None:
    schema = envelope_schema({"id": "int"})
    for field in schema["fields"][:2]:
        field["type"] = nullable("string")
    source = avro_decoder({1: schema}, ["id"])
    for data in (framed(1, schema, row_change("{}", "c")), None):
        found = source.decode(Held(data))
        assert isinstance(found, Undecodable)
        assert found.code == "unsupported_connector"


def test_a_null_that_may_be_a_default_is_told_once() -> None:
    kind = [{"type": "boolean", "connect.default": True}, "null"]
    decimal = [{**DECIMAL, "connect.default": "\u0000\u0096"}, "null"]
    schema = envelope_schema({"id": "int", "opted_in": kind, "price": decimal})
    told: list[tuple[str, str]] = []
    source = open_decoder(
        Source(topic="t"), frozenset({"id", "opted_in", "price"}), lambda code, name: told.append((code, name)),
        Known({1: schema}),
    )  # fmt: skip
    for _ in range(3):
        row = {"id": 1, "opted_in": True, "price": b"\0\x96"}
        assert isinstance(source.decode(Held(framed(1, schema, row_change(row)))), Change)
    assert told == [("null_default_suspect", "opted_in"), ("null_default_suspect", "price")]
