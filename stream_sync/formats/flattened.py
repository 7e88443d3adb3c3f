"""What a flattened record (Debezium's ExtractNewRecordState) means, whatever its encoding.

Invariants:
- A null value is the delete of its key, or follows one: a tombstone. So is a null *payload*: in its default mode the
  transformation leaves the schema, and JsonConverter writes `null` or `{"schema": …, "payload": null}`.
- `__deleted` is text: "true" or "false", and anything else is an error, since whoever takes "false" for true deletes
  people.
- A row without an op is read as `r`: how it is, not how it came to be. There are no images of before, so whatever the
  op, what is sent is whole.
- The names below are the transformation's defaults; of another `add.fields.prefix` only the deletes are known.

Source: captures of Debezium 3.6.3 in all modes; io.debezium.transforms.ExtractNewRecordState.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

import msgspec

from stream_sync.formats.control_records import undecodable
from stream_sync.formats.layout import LAST_MS
from stream_sync.model import Record, Undecodable

DELETED, OP, SOURCE_TS_MS, TS_MS = "__deleted", "__op", "__source_ts_ms", "__ts_ms"
ADDED = (DELETED, OP, SOURCE_TS_MS, TS_MS)
"""The fields that the transformation may have added and that are read. A table's own columns stand beside them."""

Op = Literal["r", "c", "u", "d", "t"]
_OPS: dict[str, Op] = {"r": "r", "c": "c", "u": "u", "d": "d", "t": "t"}
_parse = msgspec.json.Decoder().decode


class Meaning(NamedTuple):
    """`d`: the row is how it was before."""

    op: Op
    ts_ms: int | None


def meaning(deleted: Any, op: Any, times: Iterable[Any], record: Record) -> Meaning | Undecodable:
    """What the added fields say, None where the record has none; `times` are commit times, the first one counts.
    Headers (add.headers) are asked only for what the fields do not say."""
    ts_ms = None
    for time in times:
        if _is_time(time):
            ts_ms = time
            break
    if op is None or ts_ms is None:
        in_headers, ts_ms = _of_headers(record, ts_ms)
        op = in_headers if op is None else op
    if deleted not in (None, "true", "false"):
        return undecodable("unknown_shape", '`__deleted` is neither "true" nor "false", so nobody knows what it means')
    if deleted == "true" or (op == "d" and deleted is None):
        return Meaning("d", ts_ms)
    if op is None:
        return Meaning("r", ts_ms)
    if not isinstance(op, str) or op not in _OPS:
        return undecodable("unknown_op", "`__op` is none of r, c, u, d and t")
    if op == "d":
        return undecodable("unknown_shape", '`__op` says d, but `__deleted` is "false"')
    return Meaning(_OPS[op], ts_ms)


def _of_headers(record: Record, ts_ms: int | None) -> tuple[Any, int | None]:
    op = None
    for name, data in record.headers() or ():
        if name == OP:
            op = _header(data)
        elif name in (SOURCE_TS_MS, TS_MS) and ts_ms is None and _is_time(time := _header(data)):
            ts_ms = time
    return op, ts_ms


def _header(data: bytes | None) -> Any:
    """A header's value in the three forms that Connect's header converters give it: `"u"`, {schema, payload}, `u`."""
    if data is None:
        return None
    try:
        found = _parse(data)
    except (ValueError, RecursionError):
        return data.decode(errors="replace")
    return found.get("payload") if isinstance(found, dict) else found


def _is_time(value: Any) -> bool:
    return type(value) is int and abs(value) <= LAST_MS
