"""Every type's wire forms, as Python values."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from stream_sync.config.column_types import NAMES, wrong_type
from stream_sync.formats.column_types import named
from stream_sync.model import UnrepresentableError, WireValueError
from tests.formats.reading import UNREPRESENTABLE, WRONG, changed, decoder, envelope, value, wrapped

MOMENT = datetime(2024, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)

DECLARED: list[tuple[str, Any, Any]] = [
    ("text", "Ünï 🎉", "Ünï 🎉"),
    ("text", "", ""),
    ("text", None, None),
    ("text", 5, WRONG),
    ("int", 5, 5),
    ("int", -(2**63), -(2**63)),
    ("int", 2**80, 2**80),
    ("int", True, WRONG),
    ("int", 5.0, WRONG),
    ("int", "5", WRONG),
    ("float", 1.5, 1.5),
    ("float", 3, 3.0),
    ("float", "Infinity", math.inf),
    ("float", "-Infinity", -math.inf),
    ("float", "1.5", WRONG),
    ("float", False, WRONG),
    ("bool", True, True),
    ("bool", 0, False),
    ("bool", 1, True),
    ("bool", 2, WRONG),
    ("bool", "true", WRONG),
    ("decimal(2)", "AeJA", Decimal("1234.56")),
    ("decimal(2)", "/w==", Decimal("-0.01")),
    ("decimal(2)", "AA==", Decimal("0.00")),
    ("decimal(0)", "APo=", Decimal(250)),
    ("decimal(2)", 1234.56, Decimal("1234.56")),
    ("decimal(2)", 7, Decimal(7)),
    ("decimal(2)", "1234.56", Decimal("1234.56")),
    ("decimal(2)", "-0.5", Decimal("-0.5")),
    ("decimal(2)", "NAN", UNREPRESENTABLE),
    ("decimal(2)", "Infinity", UNREPRESENTABLE),
    ("decimal(9)", {"scale": 1, "value": "AKo="}, Decimal("17.0")),
    ("decimal(2)", "no number", WRONG),
    ("decimal(2)", True, WRONG),
    ("decimal(2)", {"scale": 10**9, "value": "AKo="}, WRONG),
    ("decimal(2)", [1], WRONG),
    ("date", 5172, date(1984, 2, 29)),
    ("date", -719162, date(1, 1, 1)),
    ("date", "1984-02-29Z", date(1984, 2, 29)),
    ("date", "1984-02-29", date(1984, 2, 29)),
    ("date", -622191234, UNREPRESENTABLE),
    ("date", "+292278994-08-16Z", UNREPRESENTABLE),
    ("date", "infinity", UNREPRESENTABLE),
    ("date", "yesterday", WRONG),
    ("date", "2024-02-30", UNREPRESENTABLE),
    ("date", "0000-01-01", UNREPRESENTABLE),
    ("date", "\uff12024-01-01", WRONG),
    ("date", 1.5, WRONG),
    ("date", True, WRONG),
    ("date", [1], WRONG),
    ("timestamp", 1704164645123, MOMENT.replace(microsecond=123000)),
    ("timestamp", "2024-01-02T03:04:05Z", MOMENT.replace(microsecond=0)),
    ("timestamp", 9223372036825200, UNREPRESENTABLE),
    ("timestamp", 10**4000, UNREPRESENTABLE),
    ("timestamp", "soon", WRONG),
    ("micro_timestamp", 1704164645123456, MOMENT),
    ("micro_timestamp", -1, datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
    ("micro_timestamp", 9223372036825200000, UNREPRESENTABLE),
    ("micro_timestamp", -9223372036832400000, UNREPRESENTABLE),
    ("nano_timestamp", 1704164645123456999, MOMENT),
    ("nano_timestamp", 2**63 - 1, UNREPRESENTABLE),
    ("nano_timestamp", -(2**63), UNREPRESENTABLE),
    ("nano_timestamp", {}, WRONG),
    ("zoned_timestamp", "2024-01-02T03:04:05.123456Z", MOMENT),
    ("zoned_timestamp", "2024-01-02T03:04:05.123Z", MOMENT.replace(microsecond=123000)),
    ("zoned_timestamp", "2024-01-02T03:04:05.123456789Z", MOMENT),
    ("zoned_timestamp", "2024-01-02T05:04:05.123456+02:00", MOMENT),
    ("zoned_timestamp", "infinity", UNREPRESENTABLE),
    ("zoned_timestamp", "-infinity", UNREPRESENTABLE),
    ("zoned_timestamp", "-0043-03-15T00:00:00.000000Z", UNREPRESENTABLE),
    ("zoned_timestamp", "2024-02-30T00:00:00Z", UNREPRESENTABLE),
    ("zoned_timestamp", 1704164645123, WRONG),
    ("time", 47655123, time(13, 14, 15, 123000)),
    ("time", 47655123456, time(13, 14, 15, 123456)),
    ("time", 47655123456000, time(13, 14, 15, 123456)),
    ("time", "11:14:15.123456Z", time(11, 14, 15, 123456)),
    ("time", "13:14:15+02:00", time(11, 14, 15)),
    ("milli_time", 1000, time(0, 0, 1)),
    ("micro_time", 1000, time(0, 0, 0, 1000)),
    ("nano_time", 1000, time(0, 0, 0, 1)),
    ("micro_time", "11:14:15Z", time(11, 14, 15)),
    ("duration", 90_000_001, timedelta(seconds=90, microseconds=1)),
    ("duration", "P0Y0M-1DT0H0M0S", timedelta(days=-1)),
    ("duration", 10**30, UNREPRESENTABLE),
    ("duration", 1.5, WRONG),
    ("duration", "soon", WRONG),
    ("time", 86400000000, UNREPRESENTABLE),
    ("time", 86400000, UNREPRESENTABLE),
    ("time", -1, UNREPRESENTABLE),
    ("time", "24:00:00", UNREPRESENTABLE),
    ("time", "noon", WRONG),
    ("uuid", "11111111-2222-3333-4444-555555555555", "11111111-2222-3333-4444-555555555555"),
    ("json", '{"a": 1, "b": [1.5, null], "c": "x"}', {"a": 1, "b": [1.5, None], "c": "x"}),
    ("json", "null", None),
    ("json", '"text"', "text"),
    ("json", {"k": None, "n": 1.5}, {"k": None, "n": 1.5}),
    ("json", "not json", WRONG),
    ("json", "1e999", UNREPRESENTABLE),
    ("json", "[" * 5000 + "]" * 5000, WRONG),
    ("bytes", "3q2+7w==", b"\xde\xad\xbe\xef"),
    ("bytes", "3q2-7w==", b"\xde\xad\xbe\xef"),
    ("bytes", "", b""),
    ("bytes", "?", WRONG),
    ("bytes", 1, WRONG),
    ("array(text)", ["a", None, ""], ["a", None, ""]),
    ("array(text)", [], []),
    ("array(text)", ["a", 1], WRONG),
    ("array(text)", "a", WRONG),
    ("array(decimal(2))", ["AeJA", 0.1], [Decimal("1234.56"), Decimal("0.1")]),
    ("array(date)", [0, None], [date(1970, 1, 1), None]),
    ("array(date)", [-622191234], UNREPRESENTABLE),
    ("array(array(int))", [[1], None], [[1], None]),
]


@pytest.mark.parametrize(("kind", "wire", "expected"), DECLARED, ids=lambda v: str(v)[:30])
def test_a_declared_column_reads_as(kind: str, wire: Any, expected: Any) -> None:
    change = changed(decoder({"x": kind}), envelope({"x": wire}))
    found = value(change.columns, change.after, "x")
    assert (found, type(found)) == (expected, type(expected))


def test_nan_is_a_float() -> None:
    change = changed(decoder({"x": "float"}), envelope({"x": "NaN"}))
    assert math.isnan(value(change.columns, change.after, "x"))


def semantic(name: str, base: str, **more: Any) -> dict[str, Any]:
    return {"type": base, "name": name, **more}


TIME = "io.debezium.time."
CONNECT = "org.apache.kafka.connect.data."
DATA = "io.debezium.data."

DESCRIBED: list[tuple[dict[str, Any], Any, Any]] = [
    (semantic(TIME + "Date", "int32"), 5172, date(1984, 2, 29)),
    (semantic(CONNECT + "Date", "int32"), 5172, date(1984, 2, 29)),
    (semantic(TIME + "IsoDate", "string"), "1984-02-29Z", date(1984, 2, 29)),
    (semantic(TIME + "Time", "int32"), 1000, time(0, 0, 1)),
    (semantic(CONNECT + "Time", "int32"), 1000, time(0, 0, 1)),
    (semantic(TIME + "MicroTime", "int64"), 1000, time(0, 0, 0, 1000)),
    (semantic(TIME + "MicroTime", "int64"), 86400000000, UNREPRESENTABLE),
    (semantic(TIME + "NanoTime", "int64"), 1000, time(0, 0, 0, 1)),
    (semantic(TIME + "IsoTime", "string"), "13:14:15.123456Z", time(13, 14, 15, 123456)),
    (semantic(TIME + "ZonedTime", "string"), "11:14:15Z", time(11, 14, 15)),
    (semantic(TIME + "Timestamp", "int64"), 1704164645123, MOMENT.replace(microsecond=123000)),
    (semantic(CONNECT + "Timestamp", "int64"), 1704164645123, MOMENT.replace(microsecond=123000)),
    (semantic(CONNECT + "Timestamp", "int64"), 9223372036825200, UNREPRESENTABLE),
    (semantic(TIME + "MicroTimestamp", "int64"), 1704164645123456, MOMENT),
    (semantic(TIME + "NanoTimestamp", "int64"), 1704164645123456000, MOMENT),
    (semantic(TIME + "IsoTimestamp", "string"), "2024-01-02T03:04:05.123456Z", MOMENT),
    (semantic(TIME + "ZonedTimestamp", "string"), "2024-01-02T03:04:05.123456Z", MOMENT),
    (semantic(TIME + "MicroDuration", "int64"), 37091106789000, timedelta(microseconds=37091106789000)),
    (semantic(TIME + "NanoDuration", "int64"), -86400000000000, timedelta(days=-1)),
    (semantic(TIME + "Interval", "string"), "P1Y2M3DT4H5M6.789S", timedelta(microseconds=37091106789000)),
    (semantic(TIME + "Interval", "string"), "P0Y0M-1DT0H0M0S", timedelta(days=-1)),
    (semantic(TIME + "Interval", "string"), "a while", WRONG),
    (semantic(TIME + "Year", "int32"), 2024, 2024),
    (semantic(TIME + "StructuredDate", "struct"), {"year": 1984, "month": 2, "day": 29}, date(1984, 2, 29)),
    (semantic(TIME + "StructuredDate", "struct"), {"specialValue": "POSITIVE_INFINITY"}, UNREPRESENTABLE),
    (semantic(TIME + "StructuredDate", "struct"), {"year": 0, "month": 2, "day": 29}, UNREPRESENTABLE),
    (semantic(TIME + "StructuredDate", "struct"), "1984-02-29", WRONG),
    (semantic(TIME + "StructuredTime", "struct"), {"hour": 1, "minute": 2, "second": 3}, time(1, 2, 3)),
    (
        semantic(TIME + "StructuredZonedTimestamp", "struct"),
        {"year": 2024, "month": 1, "day": 2, "hour": 5, "minute": 4, "second": 5, "nanos": 123456000,
         "offsetSeconds": 7200},
        MOMENT,
    ),
    (semantic(CONNECT + "Decimal", "bytes", parameters={"scale": "2"}), "AeJA", Decimal("1234.56")),
    (semantic(CONNECT + "Decimal", "bytes", parameters={"scale": "0"}), "APo=", Decimal(250)),
    (semantic(CONNECT + "Decimal", "bytes", parameters={"scale": "2"}), 1234.56, Decimal("1234.56")),
    (semantic(DATA + "VariableScaleDecimal", "struct"), {"scale": 9, "value": "AbabS6zQXxU="},
     Decimal("123456789.123456789")),
    (semantic(DATA + "VariableScaleDecimal", "struct"), {"scale": 0, "value": "BWvHXi1jEAAA"}, Decimal(10**20)),
    (semantic(DATA + "Json", "string"), '{"k1":"v1","k2":null}', {"k1": "v1", "k2": None}),
    (semantic(DATA + "Xml", "string"), "<a>1</a>", "<a>1</a>"),
    (semantic(DATA + "Uuid", "string"), "11111111-2222-3333-4444-555555555555", "11111111-2222-3333-4444-555555555555"),
    (semantic(DATA + "Enum", "string", parameters={"allowed": "a,b"}), "a", "a"),
    (semantic(DATA + "EnumSet", "string", parameters={"allowed": "a,b,c"}), "a,c", "a,c"),
    (semantic(DATA + "Bits", "bytes", parameters={"length": "5"}), "FQ==", b"\x15"),
    (semantic(DATA + "geometry.Point", "struct"), {"x": 1.5, "y": 2.5, "wkb": "AQ==", "srid": None},
     {"x": 1.5, "y": 2.5, "wkb": "AQ==", "srid": None}),
    (semantic("a.name.of.tomorrow", "string"), "text", "text"),
    ({"type": "int8"}, 5, 5),
    ({"type": "int16"}, 5, 5),
    ({"type": "int32"}, "5", WRONG),
    ({"type": "int64"}, 5, 5),
    ({"type": "float"}, 0.167, 0.167),
    ({"type": "double"}, 123456789.12345679, 123456789.12345679),
    ({"type": "double"}, "Infinity", math.inf),
    ({"type": "boolean"}, True, True),
    ({"type": "boolean"}, 1, WRONG),
    ({"type": "string"}, "AeJA", "AeJA"),
    ({"type": "bytes"}, "3q2+7w==", b"\xde\xad\xbe\xef"),
    ({"type": "map", "keys": {"type": "string"}, "values": {"type": "string"}}, {"k2": None}, {"k2": None}),
    ({"type": "array", "items": {"type": "int32"}}, [1, 2, None], [1, 2, None]),
    ({"type": "array", "items": semantic(TIME + "Date", "int32")}, [5172, None], [date(1984, 2, 29), None]),
    (
        {"type": "array", "items": semantic(CONNECT + "Decimal", "bytes", parameters={"scale": "2"})},
        ["AeJA"],
        [Decimal("1234.56")],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "wire", "expected"), DESCRIBED, ids=lambda v: str(v)[:60])
def test_a_column_with_schema_reads_as(schema: dict[str, Any], wire: Any, expected: Any) -> None:
    change = changed(decoder({}, ["x"]), wrapped([{**schema, "optional": True, "field": "x"}], {"x": wire}))
    found = value(change.columns, change.after, "x")
    assert (found, type(found)) == (expected, type(expected))


def test_a_number_is_exact_however_many_digits_it_has() -> None:
    text = "12345678901234567890.123456789012345678"
    data = envelope({"x": 0}).replace(b'"x": 0', b'"x":' + text.encode())
    change = changed(decoder({"x": "decimal(18)"}), data)
    assert value(change.columns, change.after, "x") == Decimal(text)


def test_floats_stay_floats_beside_exact_decimals() -> None:
    types = {"ratio": "float", "price": "decimal(2)", "doc": "json"}
    change = changed(decoder(types), envelope({"ratio": 0.1, "price": 0.1, "doc": {"n": 0.1}}))
    found = [value(change.columns, change.after, name) for name in types]
    assert found == [0.1, Decimal("0.1"), {"n": 0.1}]
    assert [type(item) for item in found[:2]] == [float, Decimal]


def test_every_other_column_is_as_json_shows_it() -> None:
    source = decoder({"*": "json", "at": "date"}, ["at", "text", "number", "doc", "nested", "list"])
    row = {"at": 0, "text": "AeJA", "number": 1, "doc": '{"a":1}', "nested": {"a": 0.5}, "list": [1]}
    change = changed(source, envelope(row))
    shown = {name: value(change.columns, change.after, name) for name in row}
    assert shown == {**row, "at": date(1970, 1, 1)}


@pytest.mark.parametrize(
    ("kind", "wire"), [("date", "a secret"), ("date", -622191234), ("text", 424242), ("json", "{")]
)
def test_an_error_names_the_column_and_never_the_value(kind: str, wire: Any) -> None:
    change = changed(decoder({"signup": kind}), envelope({"signup": wire}))
    with pytest.raises((WireValueError, UnrepresentableError)) as caught:
        change.columns.reader("signup")(change.after)
    assert "'signup'" in str(caught.value)
    assert str(wire) not in str(caught.value).replace("'signup'", "")


def test_the_config_knows_the_same_type_names() -> None:
    for name in (*NAMES, "array(decimal( 4 ))"):
        assert wrong_type("x", name) is None
        assert named(name).name == name.replace(" ", "")


@pytest.mark.parametrize("name", ["numeric", "decimal", "decimal(-1)", "array", "array()", "pico_time", "Text", ""])
def test_a_name_that_is_no_type_says_what_is_one(name: str) -> None:
    assert wrong_type("x", name) is not None
    with pytest.raises(ValueError, match=r"is not a column type; write one of text, int"):
        named(name)
