"""Flattened records in JSON, schemas on and off, as changes.

Invariants:
- `decode` never raises for what a record holds; it raises TypesMissingError, which is about the config.
- As with envelopes, the fast way decodes only what is needed, and what does not fit is looked at again: it may be a
  control record, which this transformation lets pass, or of another format, before it is a row with columns missing.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import msgspec

from stream_sync.config.settings import Source
from stream_sync.formats import connect_schema
from stream_sync.formats.column_types import declared_types
from stream_sync.formats.connect_json import UNREADABLE, Schema, Unwrapper
from stream_sync.formats.control_records import control_record, not_flattened, undecodable, unreadable
from stream_sync.formats.envelope import LARGEST
from stream_sync.formats.flattened import ADDED, DELETED, OP, SOURCE_TS_MS, TS_MS, Meaning, meaning
from stream_sync.formats.keyed import Keyed, OpenKeys
from stream_sync.formats.keys import KeyReader
from stream_sync.formats.null_defaults import Notice, NullDefaults, Suspect
from stream_sync.formats.numerics import exact_number
from stream_sync.formats.rows import RowColumns, Shape, Shapes
from stream_sync.formats.types_missing import types_missing
from stream_sync.model import Absent, Change, Decoded, NotAChange, Record, Row, Undecodable

_parse = msgspec.json.Decoder(float_hook=exact_number).decode
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_TELLING = {"op", "ts_ms", "status", "ddl", "tableChanges", "aggregate_type", "iodebeziumop"}
"""Some of what envelopes, CloudEvents and control records are known by."""

_NULL = b"null"


class _Layout:
    """Decoders to a row of `shape` that also has what the transformation added; see `layout.Layout`."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.strict = _decoder(shape, shape.Row, shape.exact)
        self.lenient = _decoder(shape, shape.LenientRow, shape.exact)
        self.loose = _decoder(shape, shape.LooseRow, exact=True)
        in_order = (DELETED, OP, SOURCE_TS_MS, TS_MS)
        self.added = operator.attrgetter(*(shape.attributes.get(name, name.strip("_")) for name in in_order))
        """Reads these four of a row."""


def _decoder(shape: Shape, row: type[msgspec.Struct], exact: bool) -> Callable[[bytes], Any]:
    # A needed column may be one of the added ones: then the row has it already.
    added = {name.strip("_"): name for name in ADDED if name not in shape.attributes}
    fields: list[Any] = [(attribute, Any, None) for attribute in added]
    whole = msgspec.defstruct("Flattened", fields, bases=(row,), rename=added, gc=False, kw_only=True)
    return msgspec.json.Decoder(whole, float_hook=exact_number if exact else None).decode


class _Described(msgspec.Struct, frozen=True):
    """What a value's schema says. `layout`: of a row only; `suspects`: see `null_defaults`."""

    name: str | None = None
    layout: _Layout | None = None
    suspects: list[Suspect] = []


_NOT_WRAPPED = _Described()


class FlattenedJson(Keyed):
    """A `Decoder` of one source."""

    def __init__(self, source: Source, needed: frozenset[str], notice: Notice, open_keys: OpenKeys = KeyReader) -> None:
        """Raises ValueError for a name in `types:` that is no type."""
        declared = declared_types(source.types, needed)
        self._shapes = Shapes(needed, declared)
        super().__init__(open_keys(source.key, self._shapes, declared))
        self._nulls = NullDefaults(notice)
        self._untyped = needed - declared.keys()
        self._layouts: dict[Shape, _Layout] = {}
        self._bare = self._last = self._layout(self._shapes.of(declared))
        self._unwrapper: Unwrapper[_Described] = Unwrapper(self._describe)

    def decode(self, record: Record) -> Decoded:
        """See `Decoder.decode`."""
        value = record.value()
        if value is None or value == _NULL:
            return self._tombstone(record)
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
                if payload == _NULL:
                    return self._tombstone(record)
            elif self._untyped:
                return self._slowly(record, value)
            row = layout.strict(payload)
        except UNREADABLE:
            return self._slowly(record, value)
        shape = layout.shape
        incomplete = shape.lacking
        for needle in shape.needles:
            if payload.find(needle) >= 0:
                incomplete |= shape.mark_unavailable(row)
                break
        if suspects:
            self._nulls.look(suspects, row)
        return self._change(record, row, layout, shape.columns, incomplete)

    def _change(self, record: Record, row: Row, layout: _Layout, columns: RowColumns, incomplete: bool) -> Decoded:
        deleted, said, *times = layout.added(row)
        found = meaning(_present(deleted), _present(said), times, record)
        if not isinstance(found, Meaning):
            return found
        op, ts_ms = found
        if op in {"d", "t"}:
            return self._without_after(op, record, row, layout.shape, columns, ts_ms, incomplete)
        return Change(op, None, row, columns, record, ts_ms, incomplete)

    def _tombstone(self, record: Record) -> Decoded:
        shape = self._last.shape
        return self._with_key("tombstone", record, None, shape, shape.columns, None, False)

    def _slowly(self, record: Record, value: bytes) -> Decoded:
        try:
            described, payload = self._unwrapper.take_apart(value) or (_NOT_WRAPPED, value)
        except UNREADABLE as error:
            return unreadable(error, value)
        layout = self._bare if described.name is None else described.layout
        if payload.strip() == _NULL and layout is not None:
            return self._tombstone(record)
        if (other := _not_a_row(payload, described)) is not None:
            return other
        if layout is not None:
            for decode, columns in ((layout.lenient, layout.shape.columns), (layout.loose, layout.shape.checked)):
                try:
                    row = decode(payload)
                except UNREADABLE:
                    continue
                found = self._doubtful(record, row, payload, layout, columns)
                if isinstance(found, Change) and columns is layout.shape.columns:
                    self._nulls.look(described.suspects, row)
                return found
        try:
            _parse(payload)
        except UNREADABLE as error:
            return unreadable(error, payload)
        return undecodable("unknown_shape", "the value is no flattened row")

    def _doubtful(self, record: Record, row: Row, payload: bytes, layout: _Layout, columns: RowColumns) -> Decoded:
        if layout is self._bare and self._untyped:
            try:
                values = _parse(payload)
            except UNREADABLE as error:
                return unreadable(error, payload)
            raise types_missing(self._untyped, values)
        if layout is not self._bare:
            self._last = layout
        layout.shape.mark_unavailable(row)
        return self._change(record, row, layout, columns, True)

    def _describe(self, schema: Schema | None) -> _Described:
        """Raises InvalidSchemaError."""
        if schema is None:
            return _Described()
        name = schema.get("name")
        name = name if isinstance(name, str) else ""
        fields = connect_schema.fields(schema)
        structs = {field for field, kind in fields.items() if kind.get("type") == "struct"}
        is_envelope = name.endswith(".Envelope") or ("op" in fields and structs & {"source", "before", "after"})
        if is_envelope or control_record(None, name) is not None:
            return _Described(name)
        layout = self._layout(self._shapes.of(connect_schema.column_types(schema, self._shapes.needed)))
        suspects = self._nulls.suspects(connect_schema.null_defaults(schema), layout.shape.attributes)
        return _Described(name, layout, suspects)

    def _layout(self, shape: Shape) -> _Layout:
        if shape not in self._layouts:
            if len(self._layouts) >= Shapes.KEPT:
                self._layouts.clear()
            self._layouts[shape] = _Layout(shape)
        return self._layouts[shape]


def _not_a_row(payload: bytes, described: _Described) -> NotAChange | Undecodable | None:
    """What the value is where its schema, or without one its members, say that it is no row."""
    if described.layout is not None:
        return None
    try:
        if described.name is None and not _TELLING & _members(payload).keys():
            return None
        parsed = _parse(payload)
    except UNREADABLE:
        return None
    return not_flattened(parsed, described.name)


def _present(added: Any) -> Any:
    """A needed column may be one that the transformation adds, and absent."""
    return None if added.__class__ is Absent else added
