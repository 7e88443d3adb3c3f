"""Tells what a record is that is no row envelope: a control record of the connector, or nothing this format knows.

Invariants:
- A schema's name decides where there is one; else the members do.
- No message holds anything of the record.

Source: facts of Debezium 3.6.3 captures; io.debezium.schema.SchemaFactory tests the names by their end as well.
"""

from __future__ import annotations

from typing import Any, Literal

from stream_sync.formats.connect_schema import InvalidSchemaError
from stream_sync.model import NotAChange, Stage, Undecodable

Code = Literal[
    "invalid_json",
    "too_large",
    "too_deep",
    "number_out_of_range",
    "invalid_schema",
    "wrong_encoding",
    "wrong_format",
    "unknown_op",
    "unknown_shape",
]
"""Every `Undecodable.code` of this folder."""

_BY_NAME = {
    "io.debezium.connector.common.Heartbeat": "heartbeat",
    "io.debezium.connector.common.TransactionMetadataValue": "transaction",
    "io.debezium.connector.common.Notification": "notification",
    ".SchemaChangeValue": "schema_change",
    ".MessageValue": "message",
}


def undecodable(code: Code, message: str, stage: Stage = "VALUE_CONVERTER") -> Undecodable:
    return Undecodable(stage, code, message)


def unreadable(error: Exception, data: bytes, stage: Stage = "VALUE_CONVERTER") -> Undecodable:
    """Why bytes could not be taken as JSON, by what the decoder raised."""
    part = "key" if stage == "KEY_CONVERTER" else "value"
    if isinstance(error, RecursionError):
        return undecodable("too_deep", f"the {part} is nested too deep", stage)
    if data[:1] == b"\0":
        hint = "its first byte is that of Avro behind a schema id: `encoding: avro`"
        return undecodable("wrong_encoding", f"the {part} is not JSON; {hint}", stage)
    if isinstance(error, InvalidSchemaError):
        return undecodable("invalid_schema", f"the {part}'s schema is no Connect schema: {error}", stage)
    if "out of range" in str(error):
        return undecodable("number_out_of_range", f"the {part} holds a number that is too large", stage)
    return undecodable("invalid_json", f"the {part} is not valid JSON", stage)


def classify(payload: Any, schema_name: str | None = None) -> NotAChange | Undecodable:
    """What a parsed value is that has not the shape of a row envelope."""
    for name, kind in _BY_NAME.items():
        if schema_name is not None and schema_name.endswith(name):
            return NotAChange(kind)
    if payload is None:
        return undecodable("unknown_shape", "the value is a JSON null; a tombstone has no value at all")
    if not isinstance(payload, dict):
        return undecodable("unknown_shape", "the value is no JSON object")
    if isinstance(payload.get("op"), str) and isinstance(payload.get("source"), dict):
        return _envelope(payload)
    members = payload.keys()
    if members == {"ts_ms"}:
        return NotAChange("heartbeat")
    if {"status", "id", "event_count"} <= members and payload["status"] in ("BEGIN", "END"):
        return NotAChange("transaction")
    if "source" in members and ("ddl" in members or "tableChanges" in members):
        return NotAChange("schema_change")
    if {"id", "aggregate_type", "additional_data"} <= members:
        return NotAChange("notification")
    if "specversion" in members and "iodebeziumop" in members:
        return undecodable("wrong_format", "the value is a CloudEvent; use the JSON converter, not CloudEvents'")
    hint = "it looks like the output of ExtractNewRecordState: `format: flattened`"
    return undecodable("wrong_format", f"the value has no `op` and `source`, so it is no envelope; {hint}")


def _envelope(payload: dict[str, Any]) -> NotAChange | Undecodable:
    op = payload["op"]
    if op == "m":
        return NotAChange("message")
    if op not in ("r", "c", "u", "d", "t"):
        return undecodable("unknown_op", "the envelope's op is none of r, c, u, d, t and m")
    if isinstance(payload.get("after"), str) or isinstance(payload.get("before"), str):
        return undecodable("unknown_shape", "before and after are texts, as MongoDB's connector writes them")
    return undecodable("unknown_shape", "before and after are no JSON objects")
