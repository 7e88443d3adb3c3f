"""What a source's format and encoding come down to: an object that turns its records into changes."""

from __future__ import annotations

from typing import Protocol

from stream_sync.config.settings import Source
from stream_sync.errors import HaltError
from stream_sync.formats.envelope import JsonEnvelopes
from stream_sync.formats.flattened_json import FlattenedJson
from stream_sync.formats.null_defaults import Notice
from stream_sync.model import Decoded, Record


class Decoder(Protocol):
    """One source's records, read for one activation."""

    def decode(self, record: Record) -> Decoded:
        """Never raises for what a record holds; raises `TypesMissingError` (a HaltError) at a schemaless record while
        the config lacks the type of a needed column."""
        ...

    def key_names(self, record: Record) -> tuple[str, ...] | None:
        """The columns of the record's key; None for a null key. Raises WireValueError for one that cannot be read."""
        ...


def _unheard(_code: str, _column: str) -> None:
    """For whoever wants no warnings."""


def open_decoder(source: Source, needed: frozenset[str], notice: Notice = _unheard) -> Decoder:
    """The decoder of a source that gives the columns `needed`, and no others; `notice` takes its warnings. Raises
    HaltError for a format that this version does not read, ValueError for a type name that is none."""
    match source.format, source.encoding:
        case "debezium", "auto" | "json":
            return JsonEnvelopes(source, needed, notice)
        case "flattened", "auto" | "json":
            return FlattenedJson(source, needed, notice)
        case format_name, encoding:
            raise HaltError(
                "format_unsupported",
                f"format {format_name} with encoding {encoding} cannot be read yet; have the connector write Debezium "
                "envelopes as JSON (without ExtractNewRecordState, with the JsonConverter)",
            )
