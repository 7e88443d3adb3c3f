"""Schemas are taken apart as the specification says; what could cost too much is refused before it is used."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from stream_sync.formats.avro_columns import to_decode
from stream_sync.formats.avro_schema import DEEPEST, Node, parse
from stream_sync.formats.connect_schema import InvalidSchemaError
from tests.fixtures import avro
from tests.formats.writing_avro import envelope_schema, nullable


def record(fields: dict[str, Any], name: str = "R", **props: Any) -> dict[str, Any]:
    listed = [{"name": field, "type": kind} for field, kind in fields.items()]
    return {"type": "record", "name": name, "fields": listed, **props}


def chain(length: int) -> dict[str, Any]:
    """Records that hold one another, each defined before it is used."""
    fields: dict[str, Any] = {"f0": record({"x": "int"}, "R0")}
    fields |= {f"f{number}": record({"x": f"R{number - 1}"}, f"R{number}") for number in range(1, length)}
    return record(fields)


def doubling(times: int, kind: Any) -> dict[str, Any]:
    """Records of two of the one before: 2 to the power of `times` of `kind` in the last."""
    fields: dict[str, Any] = {"f0": record({"a": kind, "b": kind}, "R0")}
    for number in range(1, times):
        fields[f"f{number}"] = record({"a": f"R{number - 1}", "b": f"R{number - 1}"}, f"R{number}")
    return record(fields)


def nested(kind: str, levels: int) -> Any:
    schema: Any = "int"
    for _ in range(levels):
        schema = {"type": kind, "items" if kind == "array" else "values": schema}
    return schema


REFUSED: dict[str, Any] = {
    "a record in itself": record({"next": nullable("R")}),
    "a record in itself through another": record({"a": record({"b": nullable("R")}, "B")}),
    "a record in an array of its own": record({"all": {"type": "array", "items": "R"}}),
    "too deep": chain(DEEPEST + 1),
    "arrays in arrays": nested("array", DEEPEST + 1),
    "maps in maps": nested("map", DEEPEST + 1),
    "too many types": doubling(20, "int"),
    "too many nulls": doubling(14, "null"),
    "an array of nulls": {"type": "array", "items": "null"},
    "an array of empty records": {"type": "array", "items": record({})},
    "an array of records of nulls": {"type": "array", "items": record({"a": "null"})},
    "an array of empty fixed": {"type": "array", "items": {"type": "fixed", "name": "F", "size": 0}},
    "a map of many nulls": {"type": "map", "values": record({f"f{n}": "null" for n in range(99)})},
    "an array of many nulls a byte": {
        "type": "array",
        "items": record({"x": "int"} | {f"f{n}": "null" for n in range(99)}),
    },
    "an unknown name": "Elsewhere",
    "a name used before it is defined": record({"a": "Later", "b": record({"x": "int"}, "Later")}),
    "a type defined twice": record({"a": record({"x": "int"}, "B"), "b": record({"x": "int"}, "B")}),
    "a field twice": {"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}] * 2},
    "an empty union": [],
    "a number": 7,
    "null": None,
    "a record without fields": {"type": "record", "name": "R"},
    "a field without a type": {"type": "record", "name": "R", "fields": [{"name": "a"}]},
    "a field that is none": {"type": "record", "name": "R", "fields": [7]},
    "a negative size": {"type": "fixed", "name": "F", "size": -1},
    "symbols that are no texts": {"type": "enum", "name": "E", "symbols": [1]},
    "an error": {"type": "error", "name": "E", "fields": []},
    "a type that is a number": {"type": 5},
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_schema_or_costs_too_much_is_refused(case: str) -> None:
    started = time.process_time()
    with pytest.raises(InvalidSchemaError):
        parse(REFUSED[case])
    assert time.process_time() - started < 10


TAKEN: dict[str, Any] = {
    "a primitive": "long",
    "a primitive with properties": {"type": "int", "connect.type": "int16"},
    "a type in a type": {"type": {"type": "string"}},
    "a named type twice": record({"a": record({"x": "int"}, "B", namespace="n"), "b": "n.B"}),
    "a name of the same namespace": record({"a": record({"x": "int"}, "B"), "b": "B"}, namespace="n.m"),
    "an enum and a fixed": record(
        {"e": {"type": "enum", "name": "E", "symbols": ["a"]}, "f": {"type": "fixed", "name": "F", "size": 4}, "g": "F"}
    ),
    "an array of nullable numbers": {"type": "array", "items": nullable("int")},
    "a map of nulls": {"type": "map", "values": "null"},
    "arrays in arrays": nested("array", DEEPEST - 1),
    "the widest table": envelope_schema({f"c{number}": nullable("string") for number in range(1600)}),
}


@pytest.mark.parametrize("case", TAKEN)
def test_what_is_fine_is_taken(case: str) -> None:
    node = parse(TAKEN[case])
    assert isinstance(node, Node)
    to_decode(node, True)
    to_decode(node, False)


@pytest.mark.parametrize("capture", ["avro-avro", "base-avro", "fl_rwt-avro", "fl_default-avro"])
def test_real_schemas_are_far_from_the_limits(capture: str) -> None:
    for schema in avro.kinds(capture).schemas.values():
        node = parse(schema)
        assert node.depth <= 8
        assert node.free <= 10
        assert node.dense == 1


def test_json_nested_too_deep_is_refused_one_way_or_the_other() -> None:
    with pytest.raises((InvalidSchemaError, RecursionError)):
        parse(json.loads("[" * 900 + '"int"' + "]" * 900))
