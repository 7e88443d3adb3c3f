"""What the decoders of Avro need of a schema registry, and how a part of a record is decoded with what it gives.

Invariants:
- The bytes must fit their writer's schema to the last one: it is all the integrity that Avro has.
- `decode` raises ConverterError for what a record does wrong, WaitError where a schema is not known yet.
- What is kept is bounded; ids come from the wire.

Source: fastavro 1.13 raises EOFError, IndexError, OverflowError or a ValueError for bytes of any kind (measured).
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any, Final, Generic, Protocol, TypeVar

from fastavro import schemaless_reader

from stream_sync.formats.avro_schema import Node
from stream_sync.formats.connect_schema import InvalidSchemaError
from stream_sync.formats.control_records import ConverterError
from stream_sync.formats.framing import PREFIX, Framed, HeaderNames, Headers, SchemaId, in_bytes, in_headers, not_framed

_UNREADABLE = (EOFError, IndexError, OverflowError, ValueError)


class Schemas(Protocol):
    """The registry as far as it is known."""

    def node(self, schema_id: SchemaId) -> Node:
        """The schema. Raises ConverterError(`unknown_schema_id`, `invalid_schema`) for one that cannot be had,
        WaitError for one that has to be fetched."""
        ...


class Plan(Protocol):
    """What a decoder makes of a schema. `reading` is what fastavro decodes with: see `avro_columns.to_decode`."""

    @property
    def reading(self) -> Any: ...


Made = TypeVar("Made", bound=Plan)


class AvroPart(Generic[Made]):
    """Decodes the keys or the values of one source."""

    KEPT: Final = 256

    def __init__(self, schemas: Schemas, names: HeaderNames, make: Callable[[Node], Made]) -> None:
        """`make` raises InvalidSchemaError for a schema that it cannot use."""
        self._schemas = schemas
        self._names = names
        self._make = make
        self._by_id: dict[SchemaId, Made | str] = {}
        """A text says why a schema cannot be used."""
        self._by_prefix: dict[bytes, Made] = {}

    def decode(self, data: bytes, headers: Headers | None) -> tuple[Made, Any]:
        """What was made of the writer's schema, and the value."""
        framed = in_headers(headers, self._names)
        made = self._by_prefix.get(data[:PREFIX]) if framed is None else None
        start = PREFIX
        if made is None:
            made, start = self._framed(data, framed)
        reader = BytesIO(data)
        reader.seek(start)
        try:
            value = schemaless_reader(reader, made.reading, None)
        except _UNREADABLE:
            raise ConverterError("invalid_avro", "its bytes do not fit the schema that it names") from None
        if reader.tell() != len(data):
            raise ConverterError("invalid_avro", "bytes are left over behind what its schema says")
        return made, value

    def _framed(self, data: bytes, framed: Framed | None) -> tuple[Made, int]:
        framed = framed or in_bytes(data)
        if framed is None:
            raise not_framed(data)
        made = self._of(framed.schema_id)
        if framed.start == PREFIX:
            self._keep(self._by_prefix, data[:PREFIX], made)
        return made, framed.start

    def _of(self, schema_id: SchemaId) -> Made:
        made = self._by_id.get(schema_id)
        if made is None:
            node = self._schemas.node(schema_id)
            try:
                made = self._make(node)
            except InvalidSchemaError as error:
                made = str(error)
            self._keep(self._by_id, schema_id, made)
        if isinstance(made, str):
            raise ConverterError("invalid_schema", f"its schema cannot be used: {made}")
        return made

    def _keep(self, known: dict[Any, Any], key: Any, made: object) -> None:
        if len(known) >= self.KEPT:
            known.clear()
        known[key] = made
