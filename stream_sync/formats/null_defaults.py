"""Finds columns whose NULLs may arrive as the column's DEFAULT, which Kafka Connect's converters do unless told not to.

Invariants:
- Only a suspicion, told once a column: the default may also be what the row really holds.
- A schema in which a NULL was seen where a default stands is above it, and watched no longer: its converter lets NULLs
  through.
- Nothing is kept of a row.

Source: captures of Debezium 3.6.3; JsonConverter's `replace.null.with.default` (on by default), Confluent
AvroConverter's `ignore.default.for.nullables` (off by default).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from stream_sync.model import Row

Notice = Callable[[str, str], None]
"""Tells a warning: its code and the name of the column."""


class Suspect(NamedTuple):
    """A nullable column with a default, of one schema."""

    column: str
    attribute: str
    """Where a row of the schema's shape holds it."""
    default: Any
    """In wire form."""


class NullDefaults:
    """The suspects of one decoder. A schema's list of them grows shorter as they are told; empty = nothing to watch."""

    CODE: Final = "null_default_suspect"

    def __init__(self, notice: Notice) -> None:
        self._notice = notice
        self._told: set[str] = set()

    def suspects(self, defaults: Mapping[str, Any], attributes: Mapping[str, str]) -> list[Suspect]:
        """What to watch of a schema. `defaults`: of its nullable columns, in wire form; `attributes`: of its shape."""
        return [
            Suspect(column, attributes[column], default)
            for column, default in defaults.items()
            if column in attributes and default is not None and column not in self._told
        ]

    def look(self, suspects: list[Suspect], row: Row) -> None:
        """Tells the columns of `row` that hold their default, and takes them off the list."""
        for suspect in tuple(suspects):
            value = getattr(row, suspect.attribute)
            if value is None:
                suspects.clear()
                return
            if value == suspect.default:
                suspects.remove(suspect)
                if suspect.column not in self._told:
                    self._told.add(suspect.column)
                    self._notice(self.CODE, suspect.column)
