"""Debezium envelopes in Avro, as changes.

Invariants:
- `decode` never raises for what a record holds; it raises WaitError where the writer's schema has to be fetched first.
- The writer's schema proves what a row holds: no needed column is missing that it has, and a plain value is of its
  type. Records of several schemas may follow one another; each is read with its own.
- What no activation needs is decoded only as far as fastavro has to, and cannot spoil a record.

Source of shapes and names: captures of Debezium 3.6.3 through Confluent's AvroConverter 7.0.16.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any

import msgspec

from stream_sync.config.settings import Source
from stream_sync.formats import framing
from stream_sync.formats.avro_columns import Wanted, column, has_names, null_defaults, to_decode, value_of
from stream_sync.formats.avro_keys import AvroKeyReader
from stream_sync.formats.avro_schema import Node
from stream_sync.formats.column_types import ColumnType, declared_types
from stream_sync.formats.connect_schema import InvalidSchemaError
from stream_sync.formats.control_records import MONGODB, ConverterError, classify, undecodable, unreadable
from stream_sync.formats.envelope import LARGEST
from stream_sync.formats.keyed import Keyed
from stream_sync.formats.layout import LAST_MS
from stream_sync.formats.null_defaults import Notice, NullDefaults, Suspect
from stream_sync.formats.rows import Shape, Shapes
from stream_sync.formats.schemas import AvroPart, Schemas
from stream_sync.model import Absent, Change, Decoded, Record, Row

Image = Mapping[str, Any]
"""A row as fastavro gives it."""
MakeRow = Callable[[Image], tuple[Row, bool]]
"""Makes a row; whether something in it is unavailable or missing."""

_OPS = {"r", "c", "u", "d", "t"}


def _no_row(_image: Image) -> tuple[Row, bool]:
    raise AssertionError("only a layout with a shape makes rows")


class AvroLayout(msgspec.Struct, frozen=True):
    """What a writer's schema says. `shape`: of a row envelope only; `suspects`: see `null_defaults`."""

    reading: Any
    name: str
    shape: Shape | None = None
    row: MakeRow = _no_row
    suspects: list[Suspect] = []


def row_maker(shape: Shape) -> MakeRow:
    """Makes rows of a shape."""
    names, types, lacking = tuple(shape.attributes), shape.types, shape.lacking
    make, mark_unavailable = shape.BareRow, shape.mark_unavailable
    marks = [*{repr(mark): mark for kind in types.values() for mark in kind.marks}.values()]
    is_free_of = frozenset(mark for mark in marks if not isinstance(mark, list | dict)).isdisjoint

    def some(image: Image) -> tuple[Any, ...]:
        return tuple(image[name] if name in types else Absent.MISSING for name in names)

    pick = itemgetter(*names) if len(names) > 1 and not lacking else some

    def row(image: Image) -> tuple[Row, bool]:
        wires = pick(image)
        made = make(*wires)
        try:
            is_marked = not is_free_of(wires)
        except TypeError:  # a list or an object is among them
            is_marked = any(mark in wires for mark in marks)
        return made, (mark_unavailable(made) or lacking) if is_marked else lacking

    return row


def column_types(
    row: Node, needed: frozenset[str], declared: Mapping[str, ColumnType], *, named: bool
) -> dict[str, ColumnType]:
    """The types of a row's needed columns. `named`: the schema has Connect's names, so that the config's types are
    not asked. Raises InvalidSchemaError."""
    return {
        name: column(field, None if named else declared.get(name))
        for name, field in row.fields.items()
        if name in needed
    }


def connect_name(node: Node) -> str:
    """A record's name as Connect has it: Avro's is the same, where Avro's rules for names let it be."""
    name = node.props.get("connect.name")
    return name if isinstance(name, str) else node.name


class AvroSource(Keyed):
    """What the decoders of Avro share."""

    def __init__(self, source: Source, needed: frozenset[str], notice: Notice, schemas: Schemas) -> None:
        """Raises ValueError for a name in `types:` that is no type."""
        # "*" is about what the wire does not say: a schema says it.
        self._declared = declared_types({name: kind for name, kind in source.types.items() if name != "*"}, needed)
        self._shapes = Shapes(needed, self._declared)
        super().__init__(AvroKeyReader(schemas, source.key, self._shapes, self._declared))
        self._nulls = NullDefaults(notice)
        self._last = self._shapes.of(self._declared)

    def _tombstone(self, record: Record) -> Decoded:
        return self._with_key("tombstone", record, None, self._last, self._last.columns, None, False)


class AvroEnvelopes(AvroSource):
    """A `Decoder` of one source."""

    def __init__(self, source: Source, needed: frozenset[str], notice: Notice, schemas: Schemas) -> None:
        """Raises ValueError for a name in `types:` that is no type."""
        super().__init__(source, needed, notice, schemas)
        self._values = AvroPart(schemas, framing.VALUE, self._describe)
        self._mongodb = False

    def decode(self, record: Record) -> Decoded:
        """See `Decoder.decode`."""
        value = record.value()
        if value is None:
            return MONGODB if self._mongodb else self._tombstone(record)
        if len(value) > LARGEST:
            return undecodable("too_large", f"the value is larger than {LARGEST} bytes")
        try:
            layout, envelope = self._values.decode(value, record.headers())
        except ConverterError as error:
            return unreadable(error, value)
        shape = layout.shape
        if shape is None or (op := envelope["op"]) not in _OPS:
            found = classify(envelope, layout.name)
            self._mongodb |= found is MONGODB
            return found
        self._last = shape
        before, after = envelope["before"], envelope["after"]
        row, incomplete, absent = layout.row, False, False
        if before is not None:
            before, incomplete = row(before)
        if after is not None:
            after, absent = row(after)
        ts_ms = envelope["source"]["ts_ms"]
        if ts_ms is not None and not -LAST_MS <= ts_ms <= LAST_MS:
            ts_ms = None
        if after is None or op in {"d", "t"}:
            return self._without_after(op, record, before, shape, shape.columns, ts_ms, incomplete or absent)
        if layout.suspects:
            self._nulls.look(layout.suspects, after)
        return Change(op, before, after, shape.columns, record, ts_ms, incomplete or absent)

    def _describe(self, node: Node) -> AvroLayout:
        """Raises InvalidSchemaError."""
        name = connect_name(node)
        fields = {field: value_of(part) for field, part in node.fields.items()}
        if not _is_envelope(fields):
            return AvroLayout(to_decode(node, True), name)
        row = fields["after"]
        needed = self._shapes.needed
        named = has_names(node)
        types = column_types(row, needed, self._declared, named=named)
        if types != column_types(fields["before"], needed, self._declared, named=named):
            raise InvalidSchemaError("its rows before and after are of different types")
        shape = self._shapes.of(types)
        image: Wanted = dict.fromkeys(shape.types, True)
        wanted: Wanted = {"op": True, "source": {"ts_ms": True}, "before": image, "after": image}
        suspects = self._nulls.suspects(null_defaults(row), shape.attributes)
        return AvroLayout(to_decode(node, wanted), name, shape, row_maker(shape), suspects)


def _is_envelope(fields: Mapping[str, Node]) -> bool:
    """Whether a record with these fields is a row envelope that can be read quickly: as every connector writes them."""
    expected = {"before": "record", "after": "record", "source": "record", "op": "string"}
    if any(name not in fields or fields[name].type != kind for name, kind in expected.items()):
        return False
    time = fields["source"].fields.get("ts_ms")
    return time is not None and value_of(time).type == "long"
