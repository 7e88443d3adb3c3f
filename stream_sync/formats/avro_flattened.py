"""Flattened records in Avro, as changes; see `flattened` for what they mean.

Invariants: as in `avro_envelope`.
"""

from __future__ import annotations

from stream_sync.config.settings import Source
from stream_sync.formats import framing
from stream_sync.formats.avro_columns import has_names, null_defaults, to_decode, value_of
from stream_sync.formats.avro_envelope import AvroLayout, AvroSource, column_types, connect_name, row_maker
from stream_sync.formats.avro_schema import Node
from stream_sync.formats.control_records import ConverterError, control_record, not_flattened, undecodable, unreadable
from stream_sync.formats.envelope import LARGEST
from stream_sync.formats.flattened import ADDED, DELETED, OP, SOURCE_TS_MS, TS_MS, Meaning, meaning
from stream_sync.formats.null_defaults import Notice
from stream_sync.formats.schemas import AvroPart, Schemas
from stream_sync.model import Change, Decoded, Record


class AvroFlattened(AvroSource):
    """A `Decoder` of one source."""

    def __init__(self, source: Source, needed: frozenset[str], notice: Notice, schemas: Schemas) -> None:
        """Raises ValueError for a name in `types:` that is no type."""
        super().__init__(source, needed, notice, schemas)
        self._values = AvroPart(schemas, framing.VALUE, self._describe)

    def decode(self, record: Record) -> Decoded:
        """See `Decoder.decode`."""
        value = record.value()
        if value is None:
            return self._tombstone(record)
        if len(value) > LARGEST:
            return undecodable("too_large", f"the value is larger than {LARGEST} bytes")
        try:
            layout, image = self._values.decode(value, record.headers())
        except ConverterError as error:
            return unreadable(error, value)
        if image is None:  # the schema of a row or null
            return self._tombstone(record)
        shape = layout.shape
        if shape is None:
            found = not_flattened(image, layout.name)
            return found or undecodable("unknown_shape", "the value is no record with the columns of a row")
        self._last = shape
        row, incomplete = layout.row(image)
        if layout.suspects:
            self._nulls.look(layout.suspects, row)
        times = (image.get(SOURCE_TS_MS), image.get(TS_MS))
        said = meaning(image.get(DELETED), image.get(OP), times, record)
        if not isinstance(said, Meaning):
            return said
        if said.op in {"d", "t"}:
            return self._without_after(said.op, record, row, shape, shape.columns, said.ts_ms, incomplete)
        return Change(said.op, None, row, shape.columns, record, said.ts_ms, incomplete)

    def _describe(self, node: Node) -> AvroLayout:
        """Raises InvalidSchemaError."""
        row = value_of(node)
        name = connect_name(row)
        source = row.fields.get("source")
        is_envelope = "op" in row.fields and source is not None and value_of(source).type == "record"
        if row.type != "record" or is_envelope or control_record(None, name) is not None:
            return AvroLayout(to_decode(node, True), name)
        shape = self._shapes.of(column_types(row, self._shapes.needed, self._declared, named=has_names(node)))
        wanted = dict.fromkeys((*shape.types, *ADDED), True)
        suspects = self._nulls.suspects(null_defaults(row), shape.attributes)
        return AvroLayout(to_decode(node, wanted), name, shape, row_maker(shape), suspects)
