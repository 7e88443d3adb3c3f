"""Reads an Avro type, as Kafka Connect's converters write it, into the type of a column; and makes of it what fastavro
is to decode.

Invariants:
- The Connect schema that the Avro one was made from is put together again, so that Avro and JSON share one table of
  types. The values are the same as in JSON, but for bytes: Avro has the bytes themselves, JSON base64.
- What fastavro is given has no logical types: one date out of range would cost the whole record.
- What nobody needs is decoded as cheaply as its bytes allow, and so that nothing in it can fail: text stays bytes.

Source: io.confluent.connect.avro.AvroData, whose names Apicurio's converter shares; schemas of Debezium 3.6.3.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from functools import lru_cache
from math import isfinite
from typing import Any

from fastavro import parse_schema

from stream_sync.formats import column_types as types
from stream_sync.formats.avro_schema import Node
from stream_sync.formats.column_types import ColumnType
from stream_sync.formats.connect_schema import InvalidSchemaError, column_type
from stream_sync.formats.unavailable import PLACEHOLDER
from stream_sync.model import Value, WireValueError

Wanted = bool | Mapping[str, "Wanted"]
"""What of a type is needed: all, nothing, or these fields of a record."""

_BASE = {
    "int": "int32",
    "long": "int64",
    "float": "float32",
    "double": "float64",
    "boolean": "boolean",
    "string": "string",
    "enum": "string",
    "bytes": "bytes",
    "fixed": "bytes",
    "record": "struct",
    "map": "map",
}
_DECIMAL = "org.apache.kafka.connect.data.Decimal"
_LOGICAL = {
    "date": "org.apache.kafka.connect.data.Date",
    "time-millis": "org.apache.kafka.connect.data.Time",
    "time-micros": "io.debezium.time.MicroTime",
    "timestamp-millis": "org.apache.kafka.connect.data.Timestamp",
    "timestamp-micros": "io.debezium.time.MicroTimestamp",
    "timestamp-nanos": "io.debezium.time.NanoTimestamp",
    "local-timestamp-millis": "org.apache.kafka.connect.data.Timestamp",
    "local-timestamp-micros": "io.debezium.time.MicroTimestamp",
    "local-timestamp-nanos": "io.debezium.time.NanoTimestamp",
}
"""Avro's own names, for schemas that lost Connect's (connect.meta.data=false)."""


def has_names(envelope: Node) -> bool:
    """Whether the converter wrote Connect's names down (connect.meta.data=true): else a number's unit is unknown."""
    return "connect.name" in envelope.props or any(has_names(part) for part in envelope.parts)


def column(node: Node, declared: ColumnType | None = None) -> ColumnType:
    """The type of a column. `declared`, from the config, stands for what the schema does not name. Raises
    InvalidSchemaError."""
    found = _column(node)
    if declared is None or _name(value_of(node)) is not None or declared.name == found.name:
        return found
    if declared.read is not None:
        return declared
    # Its wire value would be taken for the Python value, which the schema has not promised.
    return ColumnType(f"unproven {declared.name}", Any, declared.check, declared.check, declared.marks)


def value_of(node: Node) -> Node:
    """The type behind a union with null; the node itself where several remain, or none."""
    if node.type != "union":
        return node
    branches = [branch for branch in node.parts if branch.type != "null"]
    return branches[0] if len(branches) == 1 else node


def null_defaults(row: Node) -> dict[str, Any]:
    """The defaults, in wire form, of a row's nullable columns that have one; see `null_defaults`."""
    found: dict[str, Any] = {}
    for name, part in row.fields.items():
        kind = value_of(part)
        default = kind.props.get("connect.default") if kind is not part else None
        if isinstance(default, str) and kind.type in ("bytes", "fixed"):
            default = default.encode("latin-1", "replace")  # as Avro's JSON writes bytes
        if default is not None:
            found[name] = default
    return found


def _name(node: Node) -> str | None:
    name = node.props.get("connect.name")
    if isinstance(name, str):
        return name
    logical = node.props.get("logicalType")
    if logical == "decimal" and node.type in ("bytes", "fixed"):
        return _DECIMAL
    if isinstance(logical, str) and node.type in ("int", "long"):
        return _LOGICAL.get(logical)
    return node.name if node.type == "record" else None


def _column(node: Node) -> ColumnType:
    node = value_of(node)
    if _is_map(node):
        return _ENTRIES
    if node.type == "array":
        return types.array(_column(node.parts[0]))
    if node.type == "float":
        return FLOAT32
    if node.type not in _BASE:  # null, or a union of several types
        return types.SHOWN
    name = _name(node)
    connect: dict[str, Any] = {"type": _BASE[node.type], "name": name}
    if name == _DECIMAL:
        connect["parameters"] = {"scale": _scale(node)}
    return column_type(connect)


def _scale(node: Node) -> object:
    parameters = node.props.get("connect.parameters")
    if isinstance(parameters, Mapping) and "scale" in parameters:
        return parameters["scale"]
    scale = node.props.get("scale", 0)  # Avro's own default
    if type(scale) is not int:
        raise InvalidSchemaError("a decimal's scale is a whole number")
    return str(scale)


def _is_map(node: Node) -> bool:
    """Whether it is how Connect's converters write a map whose keys may be NULL or are no texts: a list of entries."""
    if node.type != "array" or node.parts[0].type != "record":
        return False
    entry = node.parts[0]
    marked = entry.props.get("connect.internal.type") == "MapEntry" or entry.name.endswith(".MapEntry")
    return marked and list(entry.fields) == ["key", "value"]


@lru_cache(8192)
def _read_float32(wire: Any) -> float:
    """The float with the fewest digits that is the same one in four bytes: 0.167, not 0.16699999570846558. It is what
    PostgreSQL shows of a `real`, and what JsonConverter writes."""
    if type(wire) is not float:
        raise WireValueError("is not a float")
    for digits in range(6, 9):
        short = float(f"{wire:.{digits}g}")
        if isfinite(short) and abs(short) <= _LARGEST_FLOAT32 and _FLOAT32.unpack(_FLOAT32.pack(short))[0] == wire:
            return short
    return wire


def _read_entries(wire: Any) -> Value:
    """From [{key, value}]: a dict where every key is a text, else [[key, value]], as JsonConverter has it."""
    if not isinstance(wire, list):
        raise WireValueError("is not a map")
    pairs = [(entry["key"], types.as_shown(entry["value"])) for entry in wire]
    return dict(pairs) if all(type(key) is str for key, _ in pairs) else [[types.as_shown(k), v] for k, v in pairs]


_FLOAT32 = struct.Struct("<f")
_LARGEST_FLOAT32 = 3.4028234663852886e38
FLOAT32 = ColumnType("float32", Any, _read_float32, _read_float32)
_ENTRIES = ColumnType("map_entries", Any, _read_entries, _read_entries, ([{"key": PLACEHOLDER, "value": PLACEHOLDER}],))


def to_decode(node: Node, wanted: Wanted) -> Any:
    """What fastavro's schemaless_reader decodes this type with. A wanted part comes as its wire value, another one as
    anything."""
    names = iter(range(node.size))
    return parse_schema(_plain(node, wanted, names.__next__))


def _plain(node: Node, wanted: Wanted, number: Callable[[], int]) -> Any:
    match node.type:
        case "string":
            return "string" if wanted else "bytes"
        case "union":
            return [_plain(branch, wanted, number) for branch in node.parts]
        case "array":
            return {"type": "array", "items": _plain(node.parts[0], wanted, number)}
        case "map":
            return {"type": "map", "values": _plain(node.parts[0], wanted, number)}
        case "fixed":
            return {"type": "fixed", "name": f"f{number()}", "size": node.props["size"]}
        case "enum":
            # On the wire it is its symbol's place.
            return {"type": "enum", "name": f"e{number()}", "symbols": node.props["symbols"]} if wanted else "int"
        case "record":
            fields = [
                {
                    "name": name,
                    "type": _plain(part, wanted if isinstance(wanted, bool) else wanted.get(name, False), number),
                }
                for name, part in node.fields.items()
            ]
            return {"type": "record", "name": f"r{number()}", "fields": fields}
    return node.type
