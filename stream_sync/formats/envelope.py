"""Debezium envelopes in JSON, schemas on and off, as changes. The hot loop of this folder.

Invariants:
- `decode` never raises for what a record holds; it raises TypesMissingError, which is about the config.
- The fast way decodes only what is needed into a row class in which nothing is optional, so that the decoder itself
  proves that no needed column is missing and that plain values are of their type. Whatever does not fit goes the slow
  way, which tries the same with columns missing, then with values of any type, and then tells what the record is.
- Neither headers nor key of an ordinary change are touched.

Source of shapes and names: captures of Debezium 3.6.3; io.debezium.data.Envelope for the ops.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from stream_sync.config.settings import Source
from stream_sync.formats.column_types import declared_types
from stream_sync.formats.connect_json import Unwrapper
from stream_sync.formats.control_records import classify, undecodable, unreadable
from stream_sync.formats.keys import KeyReader
from stream_sync.formats.layout import LAST_MS, Described, Layout, Layouts
from stream_sync.formats.numerics import exact_number
from stream_sync.formats.rows import RowColumns, Shapes
from stream_sync.formats.types_missing import TypesMissingError, types_missing
from stream_sync.model import Change, Decoded, Record, Row, Undecodable

LARGEST = 16 * 1024 * 1024
"""Bytes of the largest value that is looked at."""

_UNREADABLE = (ValueError, RecursionError, ArithmeticError)
"""What msgspec and the decimal module raise for bytes of any kind."""

_NOT_WRAPPED = Described()


class _Images(msgspec.Struct):
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


_parse = msgspec.json.Decoder(float_hook=exact_number).decode
_parse_images = msgspec.json.Decoder(_Images, float_hook=exact_number).decode


class JsonEnvelopes:
    """A `Decoder` of one source."""

    def __init__(self, source: Source, needed: frozenset[str]) -> None:
        """Raises ValueError for a name in `types:` that is no type."""
        declared = declared_types(source.types, needed)
        shapes = Shapes(needed)
        layouts = Layouts(shapes)
        self._untyped = needed - declared.keys()
        self._bare = self._last = layouts.of(shapes.of(declared))
        self._keys = KeyReader(source.key, shapes, declared)
        self._unwrapper: Unwrapper[Described] = Unwrapper(layouts.describe)

    def key_names(self, record: Record) -> tuple[str, ...] | None:
        """See `Decoder.key_names`."""
        return self._keys.names(record)

    def decode(self, record: Record) -> Decoded:
        """See `Decoder.decode`."""
        value = record.value()
        if value is None:
            return self._with_key("tombstone", record, None, self._last, self._last.columns, None, False)
        if len(value) > LARGEST:
            return undecodable("too_large", f"the value is larger than {LARGEST} bytes")
        layout = self._bare
        payload = value
        try:
            if value.startswith(b'{"schema"'):
                described, payload = self._unwrapper.unwrap(value) or (_NOT_WRAPPED, value)
                if described.layout is None:
                    return self._slowly(record, value)
                layout = self._last = described.layout
            elif self._untyped:
                return self._slowly(record, value)
            envelope = layout.strict(payload)
        except _UNREADABLE:
            return self._slowly(record, value)
        op = envelope.op
        before = envelope.before
        after = envelope.after
        incomplete = layout.lacking
        for needle in layout.needles:
            if payload.find(needle) >= 0:
                incomplete |= _mark_unavailable(layout, before, after)
                break
        if after is None or op in {"d", "t"}:
            return self._without_after(op, record, before, layout, layout.columns, envelope.source.ts_ms, incomplete)
        return Change(op, before, after, layout.columns, record, envelope.source.ts_ms, incomplete)

    def _without_after(
        self,
        op: Literal["r", "c", "u", "d", "t"],
        record: Record,
        before: Row | None,
        layout: Layout,
        columns: RowColumns,
        ts_ms: int | None,
        incomplete: bool,
    ) -> Decoded:
        match op:
            case "d":
                return self._with_key("d", record, before, layout, columns, ts_ms, incomplete)
            case "t":
                return Change("t", None, None, columns, record, ts_ms)
            case _:
                return undecodable("unknown_shape", "the envelope's op is r, c or u, but it has no row in `after`")

    def _with_key(
        self,
        op: Literal["d", "tombstone"],
        record: Record,
        before: Row | None,
        layout: Layout,
        columns: RowColumns,
        ts_ms: int | None,
        incomplete: bool,
    ) -> Decoded:
        key = self._keys.read(record, layout.shape.types)
        if isinstance(key, Undecodable):
            return key
        return Change(
            op, before, None, columns, record, ts_ms, incomplete, key.row, key.columns, key.new_row, key.changed
        )

    def _slowly(self, record: Record, value: bytes) -> Decoded:
        try:
            described, payload = self._unwrapper.take_apart(value) or (_NOT_WRAPPED, value)
        except _UNREADABLE as error:
            return unreadable(error, value)
        layout = self._bare if described.name is None else described.layout
        if layout is not None:
            for decode, columns in ((layout.lenient, layout.columns), (layout.loose, layout.shape.checked)):
                try:
                    envelope = decode(payload)
                except _UNREADABLE:
                    continue
                return self._doubtful(record, envelope, payload, layout, columns)
        try:
            return classify(_parse(payload), described.name)
        except _UNREADABLE as error:
            return unreadable(error, payload)

    def _doubtful(self, record: Record, envelope: Any, payload: bytes, layout: Layout, columns: RowColumns) -> Decoded:
        if layout is self._bare and self._untyped:
            raise self._types_missing(payload)
        if layout is not self._bare:
            self._last = layout
        op, before, after, ts_ms = envelope.op, envelope.before, envelope.after, envelope.source.ts_ms
        if type(ts_ms) is not int or abs(ts_ms) > LAST_MS:
            ts_ms = None
        _mark_unavailable(layout, before, after)
        if after is None or op in {"d", "t"}:
            return self._without_after(op, record, before, layout, columns, ts_ms, True)
        return Change(op, before, after, columns, record, ts_ms, True)

    def _types_missing(self, payload: bytes) -> TypesMissingError:
        try:
            images = _parse_images(payload)
        except _UNREADABLE:
            images = _Images()
        return types_missing(self._untyped, images.after or images.before or {})


def _mark_unavailable(layout: Layout, before: Row | None, after: Row | None) -> bool:
    marked = layout.shape.mark_unavailable
    return (before is not None and marked(before)) | (after is not None and marked(after))
