"""What a record without a row in `after` becomes, whatever its encoding: a delete, a truncate, a tombstone.

Invariants: the key is read for deletes and tombstones only; one that cannot be read is a dead letter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol

from stream_sync.formats.column_types import ColumnType
from stream_sync.formats.control_records import undecodable
from stream_sync.formats.keys import KeyReader
from stream_sync.formats.rows import RowColumns, Shape, Shapes
from stream_sync.model import Change, Decoded, Record, Row, Undecodable


class OpenKeys(Protocol):
    """Makes the key reader of a source; see `KeyReader`."""

    def __call__(
        self, key: tuple[str, ...] | None, shapes: Shapes, declared: Mapping[str, ColumnType], /
    ) -> KeyReader: ...


class Keyed:
    """The part of a `Decoder` that reads keys."""

    def __init__(self, keys: KeyReader) -> None:
        self._keys = keys

    def key_names(self, record: Record) -> tuple[str, ...] | None:
        """See `Decoder.key_names`."""
        return self._keys.names(record)

    def key_values(self, record: Record) -> Mapping[str, Any] | None:
        """See `Decoder.key_values`."""
        return self._keys.values(record)

    def _without_after(
        self,
        op: Literal["r", "c", "u", "d", "t"],
        record: Record,
        before: Row | None,
        shape: Shape,
        columns: RowColumns,
        ts_ms: int | None,
        incomplete: bool,
    ) -> Decoded:
        match op:
            case "d":
                return self._with_key("d", record, before, shape, columns, ts_ms, incomplete)
            case "t":
                return Change("t", None, None, columns, record, ts_ms)
            case _:
                return undecodable("unknown_shape", "the envelope's op is r, c or u, but it has no row in `after`")

    def _with_key(
        self,
        op: Literal["d", "tombstone"],
        record: Record,
        before: Row | None,
        shape: Shape,
        columns: RowColumns,
        ts_ms: int | None,
        incomplete: bool,
    ) -> Decoded:
        key = self._keys.read(record, shape.types)
        if isinstance(key, Undecodable):
            return key
        return Change(
            op, before, None, columns, record, ts_ms, incomplete, key.row, key.columns, key.new_row, key.changed
        )
