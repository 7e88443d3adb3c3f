"""The rows in records that come without a schema, as JSON shows them: what types are proposed from.

Invariants: nothing is raised for what a record holds; columns that the transformation of flattened rows added are not
the table's.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from stream_sync.formats import cloudevents
from stream_sync.formats.connect_json import UNREADABLE, Unwrapper
from stream_sync.formats.control_records import classify, not_flattened
from stream_sync.formats.flattened import ADDED
from stream_sync.formats.numerics import exact_number
from stream_sync.model import NotAChange, Undecodable

Without = Literal["schema", "avro", "control", "unreadable"]
"""Why a record gives no rows: its schema says the types, it is Avro's, it is no change, or it cannot be read."""

_parse = msgspec.json.Decoder(float_hook=exact_number).decode
_has_schema: Unwrapper[bool] = Unwrapper(lambda schema: schema is not None)


def rows(value: bytes | None, format_name: Literal["debezium", "flattened"]) -> list[dict[str, Any]] | Without:
    """The images in a record's value, in a source of this format; none in a tombstone."""
    if value is None or value == b"null":
        return []
    if value[:1] == b"\0":
        return "avro"
    event = cloudevents.read(value) if cloudevents.MARK in value else None
    if isinstance(event, Undecodable):
        return "unreadable"
    try:
        parsed = _bare(value, event)
    except UNREADABLE:
        return "unreadable"
    if parsed is None:
        return "schema"
    found = _images(parsed) if format_name == "debezium" else _row(parsed)
    if isinstance(found, NotAChange):
        return "control"
    return "unreadable" if isinstance(found, Undecodable) else found


def _bare(value: bytes, event: cloudevents.Event | None) -> Any:
    """The parsed value; None where a schema describes it."""
    described, payload = _has_schema.take_apart(value if event is None else event.data) or (False, None)
    if described:
        return None
    if event is not None:
        return _parse(event.envelope(event.data if payload is None else payload))
    return _parse(value if payload is None else payload)


def _images(parsed: Any) -> list[dict[str, Any]] | NotAChange | Undecodable:
    images = [parsed.get(image) for image in ("before", "after")] if isinstance(parsed, dict) else []
    found = [image for image in images if isinstance(image, dict)]
    if found or (isinstance(parsed, dict) and parsed.get("op") == "t"):
        return found
    return classify(parsed)


def _row(parsed: Any) -> list[dict[str, Any]] | NotAChange | Undecodable:
    if (other := not_flattened(parsed)) is not None:
        return other
    return [{name: value for name, value in parsed.items() if name not in ADDED}]
