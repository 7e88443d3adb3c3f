"""What a source's format and encoding come down to: an object that turns its records into changes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol

from stream_sync.config.settings import Source
from stream_sync.errors import HaltError
from stream_sync.formats import framing
from stream_sync.formats.avro_envelope import AvroEnvelopes
from stream_sync.formats.avro_flattened import AvroFlattened
from stream_sync.formats.avro_keys import AvroKeyReader
from stream_sync.formats.envelope import JsonEnvelopes
from stream_sync.formats.flattened_json import FlattenedJson
from stream_sync.formats.null_defaults import Notice
from stream_sync.formats.schemas import Schemas
from stream_sync.model import Decoded, Record


class Decoder(Protocol):
    """One source's records, read for one activation."""

    def decode(self, record: Record) -> Decoded:
        """Never raises for what a record holds; raises `TypesMissingError` (a HaltError) at a schemaless record while
        the config lacks the type of a needed column, and WaitError at one whose schema has to be fetched."""
        ...

    def key_names(self, record: Record) -> tuple[str, ...] | None:
        """The columns of the record's key; None for a null key. Raises WireValueError for one that cannot be read."""
        ...

    def key_values(self, record: Record) -> Mapping[str, Any] | None:
        """The key's columns in wire form; None for a null key, and for one that has no names or cannot be read. Raises
        WaitError."""
        ...


def _unheard(_code: str, _column: str) -> None:
    """For whoever wants no warnings."""


class Mixed:
    """A `Decoder` of a source whose records may be Avro or JSON, each for itself: what names a schema, in the headers
    or by a zero byte in front, is Avro. A tombstone goes with the record before it."""

    def __init__(self, avro: Decoder, json: Decoder) -> None:
        self._avro = avro
        self._json = json
        self._last = json

    def decode(self, record: Record) -> Decoded:
        """See `Decoder.decode`."""
        value = record.value()
        if value is not None:
            self._last = self._avro if value[:1] == b"\0" or framing.named(record.headers()) else self._json
        return self._last.decode(record)

    def key_names(self, record: Record) -> tuple[str, ...] | None:
        """See `Decoder.key_names`."""
        return self._avro.key_names(record)

    def key_values(self, record: Record) -> Mapping[str, Any] | None:
        """See `Decoder.key_values`."""
        return self._avro.key_values(record)


def open_decoder(
    source: Source, needed: frozenset[str], notice: Notice = _unheard, schemas: Schemas | None = None
) -> Decoder:
    """The decoder of a source that gives the columns `needed`, and no others; `notice` takes its warnings; `schemas` is
    the registry, without which nothing is read as Avro. Raises ValueError for a type name that is none."""
    json, avro = (FlattenedJson, AvroFlattened) if source.format == "flattened" else (JsonEnvelopes, AvroEnvelopes)
    if schemas is None:
        if source.encoding == "avro":
            raise HaltError("schema_registry_missing", "Avro needs `schema_registry: {url: …}` in the config")
        return json(source, needed, notice)
    match source.encoding:
        case "json":
            return json(source, needed, notice, partial(AvroKeyReader, schemas))
        case "avro":
            return avro(source, needed, notice, schemas)
        case "auto":
            in_json = json(source, needed, notice, partial(AvroKeyReader, schemas))
            return Mixed(avro(source, needed, notice, schemas), in_json)
