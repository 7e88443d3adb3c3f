"""Row changes as Debezium writes them: JSON envelopes without schemas, of a PostgreSQL table with full before images.

Invariants:
- Pure: a row is column name to Python value, times are given, and the same arguments give the same bytes.
- Values take the wire form of Debezium's defaults (Debezium's docs, "PostgreSQL connector, data type mappings"): a
  date is its days since 1970, a numeric the base64 of its unscaled big-endian bytes, a jsonb its text.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal, NamedTuple

Row = Mapping[str, Any]
"""Column name to Python value."""

_EPOCH = dt.date(1970, 1, 1)
_POSITION_BYTES = 56


class Written(NamedTuple):
    """One record to be written to the table's topic."""

    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Table(NamedTuple):
    """A table, as the envelopes name it. `key`: the columns of its primary key."""

    server: str
    schema: str
    name: str
    key: tuple[str, ...]

    @property
    def topic(self) -> str:
        """Where Debezium puts its changes."""
        return f"{self.server}.{self.schema}.{self.name}"

    def key_of(self, row: Row) -> bytes:
        """The record key of a row."""
        return _json({column: wire(row[column]) for column in self.key})


def change(
    table: Table, op: Literal["r", "c", "u", "d"], before: Row | None, after: Row | None, at: float, position: int
) -> Written:
    """The record of one change. `at`: the commit, in seconds since the epoch; `position`: its number in the log."""
    row = after if after is not None else before
    assert row is not None, "a change has a row"
    lsn = position * _POSITION_BYTES
    times = _times(at)
    source = {
        "version": "3.6.3.Final",
        "connector": "postgresql",
        "name": table.server,
        "ts_ms": times["ts_ms"],
        "snapshot": "true" if op == "r" else "false",
        "db": "postgres",
        "sequence": json.dumps([None if op == "r" else str(lsn), str(lsn)], separators=(",", ":")),
        "ts_us": times["ts_us"],
        "ts_ns": times["ts_ns"],
        "schema": table.schema,
        "table": table.name,
        "txId": position,
        "lsn": lsn,
        "xmin": None,
        "origin": None,
        "origin_lsn": None,
    }
    value = {"before": _image(before), "after": _image(after), "source": source, "transaction": None, "op": op}
    return Written(table.key_of(row), _json({**value, **times}))


def tombstone(deleted: Written) -> Written:
    """What follows the record of a delete, so that compaction can forget the key."""
    return deleted._replace(value=None)


def key_change(table: Table, before: Row, after: Row, at: float, position: int) -> tuple[Written, ...]:
    """An update of the primary key: the old key's delete and tombstone, then the new key's insert, tied by headers."""
    deleted = change(table, "d", before, None, at, position)
    deleted = deleted._replace(headers=(("__debezium.newkey", table.key_of(after)),))
    created = change(table, "c", None, after, at, position)
    created = created._replace(headers=(("__debezium.oldkey", table.key_of(before)),))
    return deleted, tombstone(deleted), created


def wire(value: Any) -> Any:
    """A value in the form that it has in the envelope."""
    match value:
        case dt.datetime():
            return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
        case dt.date():
            return (value - _EPOCH).days
        case Decimal():
            unscaled = int(value.scaleb(-int(value.as_tuple().exponent)))
            size = (unscaled if unscaled >= 0 else ~unscaled).bit_length() // 8 + 1
            return base64.b64encode(unscaled.to_bytes(size, "big", signed=True)).decode()
        case dict():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return value


def _image(row: Row | None) -> dict[str, Any] | None:
    return None if row is None else {column: wire(value) for column, value in row.items()}


def _times(at: float) -> dict[str, int]:
    micros = int(at * 1_000_000)
    return {"ts_ms": micros // 1000, "ts_us": micros, "ts_ns": micros * 1000}


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
