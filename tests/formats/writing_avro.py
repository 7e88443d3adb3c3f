"""What the tests of Avro share: a registry in memory, and records written as Connect's converters write them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import Any

from fastavro import parse_schema, schemaless_writer

from stream_sync.config.settings import Source
from stream_sync.formats import avro_schema
from stream_sync.formats.avro_schema import Node
from stream_sync.formats.connect_schema import InvalidSchemaError
from stream_sync.formats.control_records import ConverterError
from stream_sync.formats.decoder import Decoder, open_decoder
from stream_sync.formats.framing import SchemaId

NAMES = {"connect.version": 1}
DATE = {"type": "int", "connect.name": "io.debezium.time.Date"}
CONNECT_DATE = {"type": "int", "connect.name": "org.apache.kafka.connect.data.Date", "logicalType": "date"}
DECIMAL = {
    "type": "bytes",
    "scale": 2,
    "precision": 64,
    "connect.parameters": {"scale": "2"},
    "connect.name": "org.apache.kafka.connect.data.Decimal",
    "logicalType": "decimal",
}


class Known:
    """Schemas by id; see `schemas.Schemas`. A number stands for Confluent's ids."""

    def __init__(self, schemas: Mapping[Any, Any]) -> None:
        self.schemas = {SchemaId("id", id_) if isinstance(id_, int) else id_: one for id_, one in schemas.items()}
        self.asked: list[SchemaId] = []

    def node(self, schema_id: SchemaId) -> Node:
        self.asked.append(schema_id)
        if schema_id not in self.schemas:
            raise ConverterError("unknown_schema_id", "the registry does not know its schema")
        try:
            return avro_schema.parse(self.schemas[schema_id])
        except InvalidSchemaError as error:
            raise ConverterError("invalid_schema", str(error)) from None


def avro_decoder(schemas: Mapping[Any, Any], needed: Iterable[str], **settings: Any) -> Decoder:
    """A decoder of a source whose registry holds these schemas."""
    source = Source(topic="wh.marts.people", **settings)
    return open_decoder(source, frozenset(needed), schemas=Known(schemas))


def nullable(kind: Any) -> list[Any]:
    """As a nullable column's type is written."""
    return ["null", kind]


def envelope_schema(columns: Mapping[str, Any], named: bool = True) -> dict[str, Any]:
    """The schema of an envelope of a table with these columns' types. Without `named`: connect.meta.data=false."""
    fields = [{"name": name, "type": kind} for name, kind in columns.items()]
    row = {"type": "record", "name": "Value", "fields": fields, "connect.name": "wh.marts.people.Value"}
    source = {
        "type": "record",
        "name": "Source",
        "namespace": "io.debezium.connector.postgresql",
        "fields": [{"name": "version", "type": "string"}, {"name": "ts_ms", "type": "long"}],
        "connect.name": "io.debezium.connector.postgresql.Source",
    }
    schema = {
        "type": "record",
        "name": "Envelope",
        "namespace": "wh.marts.people",
        "fields": [
            {"name": "before", "type": ["null", row], "default": None},
            {"name": "after", "type": ["null", "Value"], "default": None},
            {"name": "source", "type": source},
            {"name": "op", "type": "string"},
            {"name": "ts_ms", "type": ["null", "long"], "default": None},
        ],
        "connect.version": 2,
        "connect.name": "wh.marts.people.Envelope",
    }
    return schema if named else without_names(schema)


def without_names(schema: Any) -> Any:
    """What connect.meta.data=false leaves of a schema."""
    if isinstance(schema, dict):
        return {name: without_names(part) for name, part in schema.items() if not name.startswith("connect.")}
    return [without_names(part) for part in schema] if isinstance(schema, list) else schema


def written(schema: Any, value: Any) -> bytes:
    """A value in Avro, without framing. Of logical types the value is the raw one."""
    out = io.BytesIO()
    schemaless_writer(out, parse_schema(_raw(schema)), value)
    return out.getvalue()


def framed(schema_id: int, schema: Any, value: Any) -> bytes:
    """Behind Confluent's framing."""
    return b"\0" + schema_id.to_bytes(4) + written(schema, value)


def row_change(after: Any, op: str = "u", before: Any = None, ts_ms: int = 1_700_000_000_000) -> dict[str, Any]:
    """An envelope, to be written with an `envelope_schema`."""
    return {"before": before, "after": after, "source": {"version": "3", "ts_ms": ts_ms}, "op": op, "ts_ms": None}


def _raw(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {name: _raw(part) for name, part in schema.items() if name != "logicalType"}
    return [_raw(part) for part in schema] if isinstance(schema, list) else schema
