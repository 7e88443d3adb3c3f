"""Reads record keys that may be Avro, JSON or one after the other: the key's converter may be another than the value's.

Invariants: as in `keys`; an Avro key has its own schema's types.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from stream_sync.formats import framing
from stream_sync.formats.avro_columns import column, has_names, to_decode
from stream_sync.formats.avro_schema import Node
from stream_sync.formats.column_types import ColumnType
from stream_sync.formats.keys import KeyReader
from stream_sync.formats.rows import Shapes
from stream_sync.formats.schemas import AvroPart, Schemas
from stream_sync.model import Record


class _Key(msgspec.Struct, frozen=True):
    """A key's schema: how to decode it, and its columns' types."""

    reading: Any
    types: dict[str, ColumnType]


class AvroKeyReader(KeyReader):
    """A `KeyReader` for sources that have a schema registry."""

    def __init__(
        self, schemas: Schemas, key: tuple[str, ...] | None, shapes: Shapes, declared: Mapping[str, ColumnType]
    ) -> None:
        super().__init__(key, shapes, declared)
        self._avro = AvroPart(schemas, framing.KEY, self._describe)

    def _key(self, record: Record, data: bytes) -> tuple[dict[str, ColumnType] | None, Any]:
        headers = record.headers()
        if framing.in_headers(headers, framing.KEY) is None:
            return self._parts(data)
        made, payload = self._avro.decode(data, headers)
        return made.types, payload

    def _parts(self, data: bytes) -> tuple[dict[str, ColumnType] | None, Any]:
        if data[:1] != b"\0":
            return super()._parts(data)
        made, payload = self._avro.decode(data, None)
        return made.types, payload

    def _describe(self, node: Node) -> _Key:
        known: Mapping[str, ColumnType] = {} if has_names(node) else self._declared
        fields = node.fields if node.type == "record" else {self._single: node} if self._single else {}
        needed = self._shapes.needed & fields.keys()
        return _Key(to_decode(node, True), {name: column(fields[name], known.get(name)) for name in needed})
