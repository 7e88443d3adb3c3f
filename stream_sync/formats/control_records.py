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
    "invalid_avro",
    "unknown_schema_id",
    "wrong_encoding",
    "wrong_format",
    "unknown_op",
    "unknown_shape",
    "unsupported_connector",
]
"""Every `Undecodable.code` of this folder."""

_BY_NAME = {
    "io.debezium.connector.common.Heartbeat": "heartbeat",
    "io.debezium.connector.common.TransactionMetadataValue": "transaction",
    "io.debezium.connector.common.Notification": "notification",
    ".SchemaChangeValue": "schema_change",
    ".MessageValue": "message",
}


class ConverterError(ValueError):
    """Bytes that cannot be decoded, with the code of their dead letter. The message holds nothing of them; "it" in it
    is the key or the value."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code: Code = code


def undecodable(code: Code, message: str, stage: Stage = "VALUE_CONVERTER") -> Undecodable:
    return Undecodable(stage, code, message)


def unreadable(error: Exception, data: bytes, stage: Stage = "VALUE_CONVERTER") -> Undecodable:
    """Why bytes could not be decoded, by what the decoder raised."""
    part = "key" if stage == "KEY_CONVERTER" else "value"
    if isinstance(error, ConverterError):
        return undecodable(error.code, f"the {part} cannot be decoded: {error}", stage)
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
    if (found := control_record(payload, schema_name)) is not None:
        return found
    if payload is None:
        return undecodable("unknown_shape", "the value is a JSON null; a tombstone has no value at all")
    if not isinstance(payload, dict):
        return undecodable("unknown_shape", "the value is no JSON object")
    if _is_envelope(payload):
        return _no_row(payload)
    if {"specversion", "type", "data"} <= payload.keys():
        advice = (
            "it lacks iodebeziumop: set extension.attributes.enable=true in the converter, or use the JsonConverter"
        )
        return undecodable("unknown_shape", f"the value is a CloudEvent, but {advice}")
    hint = "it looks like the output of ExtractNewRecordState: `format: flattened`"
    return undecodable("wrong_format", f"the value has no `op` and `source`, so it is no envelope; {hint}")


def control_record(payload: Any, schema_name: str | None = None) -> NotAChange | None:
    """The control record that a parsed value is; None where it is none."""
    for name, kind in _BY_NAME.items():
        if schema_name is not None and schema_name.endswith(name):
            return NotAChange(kind)
    if not isinstance(payload, dict):
        return None
    members = payload.keys()
    if _is_envelope(payload):
        return NotAChange("message") if payload["op"] == "m" else None
    if members == {"ts_ms"}:
        return NotAChange("heartbeat")
    if {"status", "id", "event_count"} <= members and payload["status"] in ("BEGIN", "END"):
        return NotAChange("transaction")
    if "source" in members and ("ddl" in members or "tableChanges" in members):
        return NotAChange("schema_change")
    if {"id", "aggregate_type", "additional_data"} <= members:
        return NotAChange("notification")
    return None


def not_flattened(payload: Any, schema_name: str | None = None) -> NotAChange | Undecodable | None:
    """What a parsed value is on a topic of flattened rows; None where it may be a row."""
    if (found := control_record(payload, schema_name)) is not None:
        return found
    if not isinstance(payload, dict):
        return undecodable("unknown_shape", "the value is no JSON object")
    event = {"specversion", "iodebeziumop", "data"} <= payload.keys()
    if event or _is_envelope(payload):
        what = "a CloudEvent" if event else "an envelope with `op` and `source`"
        return undecodable("wrong_format", f"the value is {what}, not a flattened row: `format: debezium`")
    return None


MONGODB = undecodable(
    "unsupported_connector",
    "the record is of MongoDB's connector, which is not supported: its documents are no rows; bring them into a table "
    "first",
)


def is_mongodb(payload: Any) -> bool:
    """Whether a parsed value is an envelope of MongoDB's connector, which has documents as texts for rows."""
    if not isinstance(payload, dict) or not isinstance(source := payload.get("source"), dict):
        return False
    return source.get("connector") == "mongodb" or any(isinstance(payload.get(i), str) for i in ("before", "after"))


def _is_envelope(payload: dict[str, Any]) -> bool:
    return isinstance(payload.get("op"), str) and isinstance(payload.get("source"), dict)


def _no_row(payload: dict[str, Any]) -> Undecodable:
    if payload["op"] not in ("r", "c", "u", "d", "t"):
        return undecodable("unknown_op", "the envelope's op is none of r, c, u, d, t and m")
    if is_mongodb(payload):
        return MONGODB
    return undecodable("unknown_shape", "before and after are no JSON objects")
