"""CloudEvents, as Debezium's CloudEventsConverter writes them in JSON, as the envelopes that they stand for.

Invariants:
- A CloudEvent is known by its `specversion` and `iodebeziumop`, which no envelope has; nothing is guessed.
- The extension attributes are texts, `iodebeziumtsms` too.
- A record that is no row (heartbeat, transaction, message) comes with a null value, as a tombstone does: only its key
  and its headers can tell. One taken for a tombstone would be a delete.

Source: captures of Debezium 3.6.3; io.debezium.converters.CloudEventsConverter, whose fromConnectData returns null for
whatever is no envelope.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import msgspec

from stream_sync.formats.control_records import undecodable
from stream_sync.model import NotAChange, Record, Undecodable

MARK = b'"iodebeziumop"'
"""In every CloudEvent that can be read."""

_CONTEXT = "__debezium.context."
"""What the headers of rows and tombstones begin with since Debezium 3.2, unless turned off; other records lack them."""
_BY_KEY = {"serverName": "heartbeat", "prefix": "message"}
_TRANSACTION = re.compile(r"\d+:\d+")
"""A transaction id of PostgreSQL's connector: txId:LSN."""


class _Event(msgspec.Struct):
    specversion: str
    iodebeziumop: str
    data: msgspec.Raw
    iodebeziumtsms: str | int | None = None


class Event(NamedTuple):
    """`data`: {before, after}, or {schema, payload} around it."""

    data: bytes
    head: bytes
    """The envelope's other members, in JSON."""

    def envelope(self, images: bytes) -> bytes:
        """The envelope with these images; JSON where they are a JSON object that is not empty."""
        return self.head + images[1:]


_read = msgspec.json.Decoder(_Event).decode


def read(value: bytes) -> Event | Undecodable | None:
    """The event in a value; None where it is none."""
    try:
        event = _read(value)
    except (ValueError, RecursionError):
        return None
    data = bytes(event.data)
    if not data.startswith(b"{"):
        cure = "set data.serializer.type=json in the converter"
        return undecodable("wrong_encoding", f"the CloudEvent's data is no JSON object; {cure}")
    time = str(event.iodebeziumtsms)
    ts_ms = time if re.fullmatch(r"-?\d{1,18}", time, re.ASCII) else "null"
    head = msgspec.json.encode(event.iodebeziumop)
    return Event(data, b'{"op":' + head + b',"source":{"ts_ms":' + ts_ms.encode() + b"},")


def has_context(record: Record) -> bool:
    """Whether the record's headers are those of a row or a tombstone."""
    return any(name.startswith(_CONTEXT) for name, _ in record.headers() or ())


def control_of_null(
    record: Record, key: Mapping[str, Any] | None, own: Collection[str], *, context: bool | None
) -> NotAChange | None:
    """The control record that a null value stands for; None where it is a tombstone. `key`: the record's, where it can
    be read; `own`: columns of the table; `context`: whether the topic's CloudEvents have the headers of `has_context`,
    None where no CloudEvent was seen."""
    if context and not has_context(record):
        return NotAChange("control")
    if key is None or len(key) != 1:
        return None
    (name, value), *_ = key.items()
    if name in _BY_KEY and name not in own:
        return NotAChange(_BY_KEY[name])
    if context is not None and name == "id" and isinstance(value, str) and _TRANSACTION.fullmatch(value):
        return None if has_context(record) else NotAChange("transaction")
    return None
