"""One table of a warehouse, in memory, and the records that tell of its changes.

Invariants:
- `rows` is what the table holds now, `gone` the last image of every key that it no longer holds, `images` every row
  that it ever held, in order; a replay of all records handed out so far, in their order, ends with exactly that.
- Pure but for the table itself: times are given, in seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stream_sync.sandbox.debezium import Row, Table, Written, change, key_change, tombstone

Records = tuple[Written, ...]


class Warehouse:
    """The table `table`, whose primary key is one column of text."""

    def __init__(self, table: Table, rows: Iterable[Row]) -> None:
        self.table = table
        (self._key,) = table.key
        self._position = 1000
        self.rows: dict[str, Row] = {row[self._key]: row for row in rows}
        self.gone: dict[str, Row] = {}
        self.images: list[Row] = list(self.rows.values())

    def snapshot(self, at: float) -> Records:
        """Every row, as the connector's first look at the table writes it."""
        return tuple(change(self.table, "r", None, row, at, self._position) for row in self.rows.values())

    def insert(self, row: Row, at: float) -> Records:
        key = row[self._key]
        assert key not in self.rows, "a primary key is unique"
        self._hold(key, row)
        return (change(self.table, "c", None, row, at, self._next()),)

    def update(self, key: str, values: dict[str, Any], at: float) -> Records:
        """Sets some columns, not the key."""
        before = self.rows[key]
        self._hold(key, {**before, **values})
        return (change(self.table, "u", before, self.rows[key], at, self._next()),)

    def delete(self, key: str, at: float) -> Records:
        row = self.gone[key] = self.rows.pop(key)
        deleted = change(self.table, "d", row, None, at, self._next())
        return deleted, tombstone(deleted)

    def rename(self, key: str, new_key: str, at: float) -> Records:
        """Changes the primary key of a row."""
        assert new_key not in self.rows, "a primary key is unique"
        before = self.gone[key] = self.rows.pop(key)
        self._hold(new_key, {**before, self._key: new_key})
        return key_change(self.table, before, self.rows[new_key], at, self._next())

    def _hold(self, key: str, row: Row) -> None:
        self.rows[key] = row
        self.gone.pop(key, None)
        self.images.append(row)

    def _next(self) -> int:
        self._position += 1
        return self._position
