"""Reads record keys, and the new key in the headers of a key change, as rows.

Invariants:
- A key row holds the needed ones of the key's columns; all others are missing. It is read with its own columns: the
  key's converter may be set otherwise than the value's.
- A bare key takes its types from the source's `types:`, else from the value's schema.
- A key that is no object has a name only if the source's `key` names one column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from stream_sync.formats import connect_schema
from stream_sync.formats.column_types import ColumnType
from stream_sync.formats.connect_json import Schema, Unwrapper
from stream_sync.formats.control_records import unreadable
from stream_sync.formats.numerics import exact_number
from stream_sync.formats.rows import Shape, Shapes
from stream_sync.formats.types_missing import types_missing
from stream_sync.model import Columns, Record, Row, Undecodable, WireValueError

NEW_KEY = "__debezium.newkey"
"""Header of the delete and the tombstone that a primary-key change begins with."""

_parse = msgspec.json.Decoder(float_hook=exact_number).decode


class Key(NamedTuple):
    """The fields of a `Change` that come from the record's key and headers."""

    row: Row | None
    columns: Columns | None
    new_row: Row | None
    changed: bool


class KeyReader:
    """`declared` gives a column's type where the wire does not."""

    def __init__(self, key: tuple[str, ...] | None, shapes: Shapes, declared: Mapping[str, ColumnType]) -> None:
        self._single = key[0] if key is not None and len(key) == 1 else None
        self._shapes = shapes
        self._declared = declared
        self._unwrapper: Unwrapper[dict[str, ColumnType] | None] = Unwrapper(self._types)
        self._last: tuple[Sequence[str], object, object, Shape] | None = None
        """The last key's columns, what gave their types, and the shape that this came to."""

    def read(self, record: Record, known: Mapping[str, ColumnType]) -> Key | Undecodable:
        """The key of a delete or tombstone; `known` are the types of the value's schema."""
        headers = [value for name, value in record.headers() or () if name == NEW_KEY]
        changed, header = bool(headers), next(iter(headers), None)  # a name can be there twice: the first wins
        data = record.key()
        if data is None:
            return Key(None, None, None, changed)
        try:
            types, payload = self._key(record, data)
        except (ValueError, RecursionError) as error:
            return unreadable(error, data, "KEY_CONVERTER")
        values = self._named(payload)
        if values is None:
            return Key(None, None, None, changed)
        shape = self._shape(values, types, known)
        return Key(shape.row(values), shape.checked, self._new_row(header, shape), changed)

    def values(self, record: Record) -> dict[str, Any] | None:
        """The key's columns in wire form; None for a null key and for one that cannot be read."""
        data = record.key()
        if data is None:
            return None
        try:
            return self._named(self._key(record, data)[1])
        except (ValueError, RecursionError):
            return None

    def names(self, record: Record) -> tuple[str, ...] | None:
        """The columns of the record's key; None for a null key. Raises WireValueError for one that cannot be read."""
        data = record.key()
        if data is None:
            return None
        try:
            values = self._named(self._key(record, data)[1])
        except (ValueError, RecursionError) as error:
            raise WireValueError(unreadable(error, data, "KEY_CONVERTER").message) from None
        if values is None:
            raise WireValueError("the key is no JSON object; name its one column in the source's `key`")
        return tuple(values)

    def _types(self, schema: Schema | None) -> dict[str, ColumnType] | None:
        if schema is None:
            return None
        if schema.get("type") == "struct":
            return connect_schema.column_types(schema, self._shapes.needed)
        return {self._single: connect_schema.column_type(schema)} if self._single else {}

    def _key(self, record: Record, data: bytes) -> tuple[dict[str, ColumnType] | None, Any]:
        """The types that the key's schema gives, None where it has none, and the key. Raises ValueError."""
        return self._parts(data)

    def _parts(self, data: bytes) -> tuple[dict[str, ColumnType] | None, Any]:
        types, payload = self._unwrapper.take_apart(data) or (None, data)
        return types, _parse(payload)

    def _named(self, payload: Any) -> dict[str, Any] | None:
        if isinstance(payload, dict):
            return payload
        return {self._single: payload} if self._single and payload is not None else None

    def _shape(
        self, values: Mapping[str, Any], types: Mapping[str, ColumnType] | None, known: Mapping[str, ColumnType]
    ) -> Shape:
        names, last = [*values], self._last
        if last is not None and last[0] == names and last[1] is types and last[2] is known:
            return last[3]
        shape = self._shapes.of(types if types is not None else self._fitting(values, known))
        self._last = names, types, known, shape
        return shape

    def _fitting(self, values: Mapping[str, Any], known: Mapping[str, ColumnType]) -> Mapping[str, ColumnType]:
        """The types of the key's needed columns, where its wire does not say them."""
        needed = self._shapes.needed & values.keys()
        fitting = {name: kind for name in needed if (kind := self._declared.get(name) or known.get(name)) is not None}
        if needed - fitting.keys():
            raise types_missing(needed - fitting.keys(), values)
        return fitting

    def _new_row(self, header: bytes | None, shape: Shape) -> Row | None:
        if not header:
            return None
        try:
            values = self._named(self._parts(header)[1])
        except (ValueError, RecursionError):  # StringConverter writes Struct{id=11}
            return None
        return None if values is None else shape.row(values)
