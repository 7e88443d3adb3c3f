"""The bench's row changes in each encoding that is measured, as Debezium's converters write them.

Invariants:
- Pure. The same change says the same in each of them; schemas and source blocks have the shape of Debezium 3.6.3's.
- With its schema an update's envelope is 4 to 5 kB long, of which the schema is four fifths.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any, Literal, NamedTuple

from fastavro import parse_schema, schemaless_writer

from tests.bench.changes import COMMITTED_MS, Customer, RowChange, debezium_json, image, unscaled_bytes

Encoding = Literal["json", "json-schema", "avro"]
Encode = Callable[[RowChange], tuple[bytes, bytes | None]]

KEY_ID, VALUE_ID = 3, 4
"""The schemas' ids in the registry."""


class _Column(NamedTuple):
    """One column as Connect and Avro have it; `name` is Connect's, of a type with a meaning."""

    connect: str
    avro: str
    name: str | None = None
    parameters: Mapping[str, str] | None = None
    logical: Mapping[str, Any] = {}
    optional: bool = True


_DECIMAL = _Column(
    "bytes",
    "bytes",
    "org.apache.kafka.connect.data.Decimal",
    {"scale": "2", "connect.decimal.precision": "12"},
    {"logicalType": "decimal", "scale": 2, "precision": 12},
)
_ALLOWED = {"allowed": "true,first,first_in_data_collection,last_in_data_collection,last,false,incremental"}
_TEXT, _LONG = _Column("string", "string"), _Column("int64", "long")
_TEXT_ALWAYS, _LONG_ALWAYS = _TEXT._replace(optional=False), _LONG._replace(optional=False)

_ROW = {
    "customer_id": _TEXT_ALWAYS,
    "email": _TEXT,
    "first_name": _TEXT,
    "birth_date": _Column("int32", "int", "io.debezium.time.Date"),
    "lifetime_value": _DECIMAL,
    "churn_score": _Column("double", "double"),
    "loyalty_tier": _TEXT,
    "orders_count": _Column("int32", "int"),
    "is_subscriber": _Column("boolean", "boolean"),
}
_SOURCE = {
    "version": _TEXT_ALWAYS,
    "connector": _TEXT_ALWAYS,
    "name": _TEXT_ALWAYS,
    "ts_ms": _LONG_ALWAYS,
    "snapshot": _Column("string", "string", "io.debezium.data.Enum", _ALLOWED),
    "db": _TEXT_ALWAYS,
    "sequence": _TEXT,
    "ts_us": _LONG,
    "ts_ns": _LONG,
    "schema": _TEXT_ALWAYS,
    "table": _TEXT_ALWAYS,
    "txId": _LONG,
    "lsn": _LONG,
    "xmin": _LONG,
    "origin": _TEXT,
    "origin_lsn": _LONG,
}
_BLOCK = {"id": _TEXT_ALWAYS, "total_order": _LONG_ALWAYS, "data_collection_order": _LONG_ALWAYS}
_TIMES = {"ts_ms": _LONG, "ts_us": _LONG, "ts_ns": _LONG}
_KEY = {"customer_id": _TEXT_ALWAYS}


def _connect(columns: Mapping[str, _Column]) -> list[dict[str, Any]]:
    found = []
    for field, column in columns.items():
        part: dict[str, Any] = {"type": column.connect, "optional": column.optional}
        part |= {"name": column.name, "version": 1} if column.name else {}
        part |= {"parameters": column.parameters} if column.parameters else {}
        found.append({**part, "field": field})
    return found


def _struct(name: str, fields: list[dict[str, Any]], *, optional: bool, field: str = "") -> dict[str, Any]:
    struct = {"type": "struct", "fields": fields, "optional": optional, "name": name}
    return {**struct, "field": field} if field else struct


_CONNECT = _struct(
    "wh.marts.customers.Envelope",
    [
        _struct("wh.marts.customers.Value", _connect(_ROW), optional=True, field="before"),
        _struct("wh.marts.customers.Value", _connect(_ROW), optional=True, field="after"),
        _struct("io.debezium.connector.postgresql.Source", _connect(_SOURCE), optional=False, field="source"),
        _struct("event.block", _connect(_BLOCK), optional=True, field="transaction"),
        *_connect({"op": _TEXT_ALWAYS, **_TIMES}),
    ],
    optional=False,
)


def _avro(columns: Mapping[str, _Column]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for field, column in columns.items():
        kind: Any = column.avro
        if column.name:
            kind = {"type": column.avro, "connect.version": 1, "connect.name": column.name, **column.logical}
            kind |= {"connect.parameters": column.parameters} if column.parameters else {}
        found.append(
            {"name": field, "type": ["null", kind], "default": None} if column.optional else _named(field, kind)
        )
    return found


def _named(name: str, kind: Any) -> dict[str, Any]:
    return {"name": name, "type": kind}


def _record(name: str, fields: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": fields, "connect.name": name}


def _nullable(name: str, kind: Any) -> dict[str, Any]:
    return {"name": name, "type": ["null", kind], "default": None}


SCHEMAS: Mapping[int, Any] = {
    KEY_ID: _record("wh.marts.customers.Key", _avro(_KEY)),
    VALUE_ID: _record(
        "wh.marts.customers.Envelope",
        [
            _nullable("before", _record("wh.marts.customers.Value", _avro(_ROW))),
            _nullable("after", "wh.marts.customers.Value"),
            _named("source", _record("io.debezium.connector.postgresql.Source", _avro(_SOURCE))),
            _nullable("transaction", _record("event.block", _avro(_BLOCK))),
            *_avro({"op": _TEXT_ALWAYS, **_TIMES}),
        ],
    ),
}
"""What the registry serves, by id."""


def _prefix(schema: Mapping[str, Any]) -> bytes:
    return f'{{"schema":{json.dumps(schema, separators=(",", ":"))},"payload":'.encode()


_KEY_PREFIX = _prefix(_struct("wh.marts.customers.Key", _connect(_KEY), optional=False))
_VALUE_PREFIX = _prefix(_CONNECT)


def connect_json(change: RowChange) -> tuple[bytes, bytes | None]:
    """The record's key and value, as JsonConverter writes them with schemas.enable=true."""
    key, value = debezium_json(change)
    key = b"%b%b}" % (_KEY_PREFIX, key)
    if value is None:
        return key, None
    source = json.dumps(_source(change), separators=(",", ":"))
    times = json.dumps(_times(change), separators=(",", ":"))[1:-1]
    payload = (
        f'{{"before":{image(change.before)},"after":{image(change.after)},"source":{source},"transaction":null,'
        f'"op":"{change.op}",{times}}}'
    )
    return key, b"%b%b}" % (_VALUE_PREFIX, payload.encode())


def confluent_avro(change: RowChange) -> tuple[bytes, bytes | None]:
    """The record's key and value, as Confluent's AvroConverter writes them."""
    row = change.after or change.before
    assert row is not None
    key = _framed(KEY_ID, {"customer_id": row.customer_id})
    if change.op == "tombstone":
        return key, None
    envelope = {
        "before": _row(change.before),
        "after": _row(change.after),
        "source": _source(change),
        "transaction": None,
        "op": change.op,
        **_times(change),
    }
    return key, _framed(VALUE_ID, envelope)


ENCODE: Mapping[Encoding, Encode] = {"json": debezium_json, "json-schema": connect_json, "avro": confluent_avro}


def _source(change: RowChange) -> dict[str, Any]:
    moment = COMMITTED_MS + change.number
    log_position = 28_694_008 + 312 * change.number
    return {
        "version": "3.6.3.Final",
        "connector": "postgresql",
        "name": "wh",
        "ts_ms": moment,
        "snapshot": "false",
        "db": "postgres",
        "sequence": f'["{log_position - 312}","{log_position}"]',
        "ts_us": moment * 1000 + 301,
        "ts_ns": (moment * 1000 + 301) * 1000,
        "schema": "marts",
        "table": "customers",
        "txId": 1570 + change.number,
        "lsn": log_position,
        "xmin": None,
        "origin": None,
        "origin_lsn": None,
    }


def _times(change: RowChange) -> dict[str, int]:
    moment = COMMITTED_MS + change.number + 155
    return {"ts_ms": moment, "ts_us": moment * 1000 + 915, "ts_ns": (moment * 1000 + 915) * 1000 + 719}


def _row(row: Customer | None) -> dict[str, Any] | None:
    return None if row is None else {**row._asdict(), "lifetime_value": unscaled_bytes(row.lifetime_value)}


def _without_logical_types(schema: Any) -> Any:
    """What raw bytes can be written with."""
    if isinstance(schema, list):
        return [_without_logical_types(part) for part in schema]
    if isinstance(schema, dict):
        return {name: _without_logical_types(part) for name, part in schema.items() if name != "logicalType"}
    return schema


_WRITING = {number: parse_schema(_without_logical_types(schema)) for number, schema in SCHEMAS.items()}


def _framed(schema_id: int, value: Mapping[str, Any]) -> bytes:
    output = BytesIO()
    output.write(b"\0" + schema_id.to_bytes(4))
    schemaless_writer(output, _WRITING[schema_id], value)
    return output.getvalue()
