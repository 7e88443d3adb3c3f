"""Reads a Kafka Connect schema, as JsonConverter writes it, into the types of a table's columns.

Invariants:
- The semantic name decides (`io.debezium.time.Date`), then the base type (`int32`); an unknown name is its
  base type.
- A schema that is not shaped as one raises InvalidSchemaError; its depth is bounded by the JSON decoder's.

Source: io.debezium.time.*, io.debezium.data.*, org.apache.kafka.connect.data.*; facts seen in Debezium 3.6.3 captures.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from stream_sync.formats import column_types as types
from stream_sync.formats.column_types import ColumnType
from stream_sync.formats.numerics import LARGEST_SCALE

_SEMANTIC = {
    "io.debezium.time.Date": types.DATE,
    "io.debezium.time.Time": types.MILLI_TIME,
    "io.debezium.time.MicroTime": types.MICRO_TIME,
    "io.debezium.time.NanoTime": types.NANO_TIME,
    "io.debezium.time.Timestamp": types.TIMESTAMP,
    "io.debezium.time.MicroTimestamp": types.MICRO_TIMESTAMP,
    "io.debezium.time.NanoTimestamp": types.NANO_TIMESTAMP,
    "io.debezium.time.ZonedTimestamp": types.ZONED_TIMESTAMP,
    "io.debezium.time.ZonedTime": types.ISO_TIME,
    "io.debezium.time.Interval": types.INTERVAL,
    "io.debezium.time.MicroDuration": types.DURATION,
    "io.debezium.time.NanoDuration": types.NANO_DURATION,
    "io.debezium.time.IsoDate": types.DATE,
    "io.debezium.time.IsoTime": types.ISO_TIME,
    "io.debezium.time.IsoTimestamp": types.ZONED_TIMESTAMP,
    "io.debezium.time.StructuredDate": types.STRUCTURED,
    "io.debezium.time.StructuredTime": types.STRUCTURED,
    "io.debezium.time.StructuredTimestamp": types.STRUCTURED,
    "io.debezium.time.StructuredZonedTime": types.STRUCTURED,
    "io.debezium.time.StructuredZonedTimestamp": types.STRUCTURED,
    "org.apache.kafka.connect.data.Date": types.DATE,
    "org.apache.kafka.connect.data.Time": types.MILLI_TIME,
    "org.apache.kafka.connect.data.Timestamp": types.TIMESTAMP,
    "io.debezium.data.VariableScaleDecimal": types.VARIABLE_SCALE_DECIMAL,
    "io.debezium.data.Json": types.JSON,
}
_SCALE = re.compile(r"-?[0-9]{1,5}")
_DECIMAL = "org.apache.kafka.connect.data.Decimal"
_BASE = {
    "int8": types.INT,
    "int16": types.INT,
    "int32": types.INT,
    "int64": types.INT,
    "float": types.FLOAT,
    "double": types.FLOAT,
    "float32": types.FLOAT,
    "float64": types.FLOAT,
    "boolean": types.BOOLEAN,
    "string": types.TEXT,
    "bytes": types.BYTES,
    "struct": types.SHOWN,
    "map": types.SHOWN,
}


class InvalidSchemaError(ValueError):
    """What the wire says is a schema is none. The message says why, without the schema."""


def column_type(schema: Mapping[str, Any]) -> ColumnType:
    """The type of one field's schema. Raises InvalidSchemaError."""
    name, base = schema.get("name"), schema.get("type")
    if isinstance(name, str) and name in _SEMANTIC:
        return _SEMANTIC[name]
    if name == _DECIMAL:
        parameters = schema.get("parameters")
        scale = parameters.get("scale") if isinstance(parameters, Mapping) else None
        if not isinstance(scale, str) or not _SCALE.fullmatch(scale) or abs(int(scale)) > LARGEST_SCALE:
            raise InvalidSchemaError("a Connect Decimal has its scale in its parameters, as text")
        return types.decimal(int(scale))
    if base == "array":
        items = schema.get("items")
        if not isinstance(items, Mapping):
            raise InvalidSchemaError("a Connect array has a schema of its items")
        return types.array(column_type(items))
    if isinstance(base, str) and base in _BASE:
        return _BASE[base]
    raise InvalidSchemaError("not a Connect type")


def fields(schema: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """A struct's fields' schemas by name. Raises InvalidSchemaError."""
    listed = schema.get("fields")
    if schema.get("type") != "struct" or not isinstance(listed, list):
        raise InvalidSchemaError("a Connect struct has a list of fields")
    found: dict[str, Mapping[str, Any]] = {}
    for entry in listed:
        if not isinstance(entry, Mapping) or not isinstance(entry.get("field"), str):
            raise InvalidSchemaError("a Connect field is an object with its name in `field`")
        found[entry["field"]] = entry
    return found


def null_defaults(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults, in wire form, of a row's nullable columns that have one. Raises InvalidSchemaError."""
    return {
        name: field["default"]
        for name, field in fields(schema).items()
        if field.get("optional") is True and field.get("default") is not None
    }


def column_types(schema: Mapping[str, Any], needed: frozenset[str]) -> dict[str, ColumnType]:
    """The types of a row's needed columns; those the schema lacks are left out. Raises InvalidSchemaError."""
    return {name: column_type(field) for name, field in fields(schema).items() if name in needed}
