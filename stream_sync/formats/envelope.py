"""Debezium envelopes in JSON, schemas on and off, and CloudEvents, as changes. The hot loop of this folder.

Invariants:
- `decode` never raises for what a record holds; it raises TypesMissingError, which is about the config.
- The fast way decodes only what is needed into a row class in which nothing is optional, so that the decoder itself
  proves that no needed column is missing and that plain values are of their type. Whatever does not fit goes the slow
  way, which tries the same with columns missing, then with values of any type, and then tells what the record is.
- Neither headers nor key of an ordinary change are touched.
- A delete without a row, as some connectors write it, is looked at twice: MongoDB's is refused.

Source of shapes and names: captures of Debezium 3.6.3; io.debezium.data.Envelope for the ops.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from stream_sync.config.settings import Source
from stream_sync.formats import cloudevents
from stream_sync.formats.column_types import declared_types
from stream_sync.formats.connect_json import UNREADABLE, Unwrapper
from stream_sync.formats.control_records import MONGODB, classify, is_mongodb, undecodable, unreadable
from stream_sync.formats.keyed import Keyed, OpenKeys
from stream_sync.formats.keys import KeyReader
from stream_sync.formats.layout import LAST_MS, Described, Layout, Layouts
from stream_sync.formats.null_defaults import Notice, NullDefaults
from stream_sync.formats.numerics import exact_number
from stream_sync.formats.rows import RowColumns, Shapes
from stream_sync.formats.types_missing import types_missing
from stream_sync.model import Change, Decoded, Record, Row, Undecodable

LARGEST = 16 * 1024 * 1024
"""Bytes of the largest value that is looked at."""

_NOT_WRAPPED = Described()


class _Images(msgspec.Struct):
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


_parse = msgspec.json.Decoder(float_hook=exact_number).decode
_parse_images = msgspec.json.Decoder(_Images, float_hook=exact_number).decode


class JsonEnvelopes(Keyed):
    """A `Decoder` of one source."""

    def __init__(self, source: Source, needed: frozenset[str], notice: Notice, open_keys: OpenKeys = KeyReader) -> None:
        """Raises ValueError for a name in `types:` that is no type."""
        declared = declared_types(source.types, needed)
        shapes = Shapes(needed, declared)
        super().__init__(open_keys(source.key, shapes, declared))
        self._nulls = NullDefaults(notice)
        layouts = Layouts(shapes, self._nulls)
        self._untyped = needed - declared.keys()
        self._bare = self._last = layouts.of(shapes.of(declared))
        self._unwrapper: Unwrapper[Described] = Unwrapper(layouts.describe)
        self._event_data: Unwrapper[Described] = Unwrapper(layouts.describe_images)
        self._event_context: bool | None = None
        self._own = needed | {*(source.key or ())}
        self._mongodb = False

    def decode(self, record: Record) -> Decoded:
        """See `Decoder.decode`."""
        value = record.value()
        if value is None:
            return self._null(record)
        if len(value) > LARGEST:
            return undecodable("too_large", f"the value is larger than {LARGEST} bytes")
        layout = self._bare
        payload = value
        suspects = None
        try:
            if value.startswith(b'{"schema"'):
                described, payload = self._unwrapper.unwrap(value) or (_NOT_WRAPPED, value)
                if described.layout is None:
                    return self._slowly(record, value)
                layout = self._last = described.layout
                suspects = described.suspects
            elif self._untyped:
                return self._slowly(record, value)
            envelope = layout.strict(payload)
        except UNREADABLE:
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
            if before is None and op != "t":
                return self._without_row(op, record, layout, payload, envelope.source.ts_ms)
            return self._without_after(
                op, record, before, layout.shape, layout.columns, envelope.source.ts_ms, incomplete
            )
        if suspects:
            self._nulls.look(suspects, after)
        return Change(op, before, after, layout.columns, record, envelope.source.ts_ms, incomplete)

    def _null(self, record: Record) -> Decoded:
        control = cloudevents.control_of_null(record, self._keys.values(record), self._own, context=self._event_context)
        if control is not None:
            return control
        if self._mongodb:
            return MONGODB
        return self._with_key("tombstone", record, None, self._last.shape, self._last.columns, None, False)

    def _without_row(
        self, op: Literal["r", "c", "u", "d", "t"], record: Record, layout: Layout, payload: bytes, ts_ms: int | None
    ) -> Decoded:
        try:
            parsed = _parse(payload)
        except UNREADABLE as error:
            return unreadable(error, payload)
        if is_mongodb(parsed):
            self._mongodb = True
            return classify(parsed)
        return self._without_after(op, record, None, layout.shape, layout.columns, ts_ms, False)

    def _slowly(self, record: Record, value: bytes) -> Decoded:
        event = cloudevents.read(value) if cloudevents.MARK in value else None
        if isinstance(event, Undecodable):
            return event
        try:
            if event is None:
                described, payload = self._unwrapper.take_apart(value) or (_NOT_WRAPPED, value)
            else:
                described, images = self._event_data.take_apart(event.data) or (_NOT_WRAPPED, event.data)
                payload = event.envelope(images)
                self._event_context = cloudevents.has_context(record)
        except UNREADABLE as error:
            return unreadable(error, value)
        layout = self._bare if described.name is None else described.layout
        if layout is not None:
            for decode, columns in ((layout.lenient, layout.columns), (layout.loose, layout.shape.checked)):
                try:
                    envelope = decode(payload)
                except UNREADABLE:
                    continue
                found = self._doubtful(record, envelope, payload, layout, columns)
                if isinstance(found, Change) and found.after is not None and columns is layout.columns:
                    self._nulls.look(described.suspects, found.after)
                return found
        try:
            parsed = _parse(payload)
        except UNREADABLE as error:
            return unreadable(error, payload)
        self._mongodb |= is_mongodb(parsed)
        return classify(parsed, described.name)

    def _doubtful(self, record: Record, envelope: Any, payload: bytes, layout: Layout, columns: RowColumns) -> Decoded:
        op, before, after, ts_ms = envelope.op, envelope.before, envelope.after, envelope.source.ts_ms
        if layout is not self._bare:
            self._last = layout
        elif self._untyped and op != "t" and (op == "d" or before is not None or after is not None):
            raise types_missing(self._untyped, _row_of(payload))
        if type(ts_ms) is not int or abs(ts_ms) > LAST_MS:
            ts_ms = None
        _mark_unavailable(layout, before, after)
        if after is None or op in {"d", "t"}:
            if before is None and op != "t":
                return self._without_row(op, record, layout, payload, ts_ms)
            return self._without_after(op, record, before, layout.shape, columns, ts_ms, True)
        return Change(op, before, after, columns, record, ts_ms, True)


def _row_of(payload: bytes) -> Mapping[str, Any]:
    """The row after or else before, as far as it can be read."""
    try:
        images = _parse_images(payload)
    except UNREADABLE:
        return {}
    return images.after or images.before or {}


def _mark_unavailable(layout: Layout, before: Row | None, after: Row | None) -> bool:
    marked = layout.shape.mark_unavailable
    return (before is not None and marked(before)) | (after is not None and marked(after))
