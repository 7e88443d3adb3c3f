"""A table of one's own, kept in a file of CSV or JSON lines: every save becomes the changes that Debezium would write.

Invariants:
- The rows are those of the last save that could be read; one that cannot be read changes nothing and is told.
- A file is read when it has been left alone for a moment: half a file, seen while it is written, would be deletes.
- An empty cell of CSV is NULL. A column of CSV is numbers, or booleans, where all its cells are JSON's; else text.
- Rows have the same columns: one that a row, or a later save, leaves out is NULL. The key is text, and unique.
"""

from __future__ import annotations

import csv
import json
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from stream_sync.errors import StreamSyncError
from stream_sync.sandbox.debezium import Row, Table, Written
from stream_sync.sandbox.warehouse import Warehouse

MOST_ROWS = 10_000
"""What the embedded broker can keep of a snapshot, with room for changes."""
SERVER, SCHEMA = "sandbox", "public"
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,17})?", re.ASCII)
"""What a double or a bigint holds; what is longer is text."""
_BOOLEANS = {"true", "false"}


class TableError(StreamSyncError):
    """The file is not a table."""


class Saved(NamedTuple):
    """What a save of the file did to the table."""

    records: list[Written]
    words: str


class OwnTable:
    """The table in `path`; `key` = None is its first column. Raises TableError where it cannot be read at first."""

    def __init__(self, path: Path, key: str | None) -> None:
        self._path = path
        self._seen = self._read = self._stamp()
        rows = _rows(path)
        columns = list(rows[0])
        self.key = columns[0] if key is None else key
        if self.key not in columns:
            raise TableError(f"{path}: has no column {self.key!r} for the key; there are {', '.join(columns)}")
        name = re.sub(r"[^A-Za-z0-9_-]", "_", path.stem)
        self.table = Table(SERVER, SCHEMA, name, (self.key,))
        self._warehouse = Warehouse(self.table, self._by_key(rows).values())

    def __len__(self) -> int:
        return len(self._warehouse.rows)

    def snapshot(self) -> Iterable[Written]:
        """Every row."""
        return self._warehouse.snapshot(time.time())

    def look(self) -> Saved | None:
        """What was saved since the last look; None where nothing was, or it is being written still. To be called now
        and then. Raises TableError, once for each save that cannot be read."""
        stamp, before = self._stamp(), self._seen
        self._seen = stamp
        if stamp != before or stamp == self._read:
            return None
        self._read = stamp
        return self._take(self._by_key(_rows(self._path)))

    def _take(self, rows: dict[str, Row]) -> Saved:
        house, now = self._warehouse, time.time()
        columns = dict.fromkeys(name for row in (*house.rows.values(), *rows.values()) for name in row)
        house.rows = {key: {**columns, **row} for key, row in house.rows.items()}
        rows = {key: {**columns, **row} for key, row in rows.items()}
        gone = [key for key in house.rows if key not in rows]
        new = [key for key in rows if key not in house.rows]
        changed = [key for key, row in house.rows.items() if key in rows and not _are_same(row, rows[key])]
        records = [record for key in gone for record in house.delete(key, now)]
        records += [record for key in new for record in house.insert(rows[key], now)]
        records += [record for key in changed for record in house.update(key, dict(rows[key]), now)]
        return Saved(records, f"{len(new)} inserted, {len(changed)} updated, {len(gone)} deleted")

    def _by_key(self, rows: list[dict[str, Any]]) -> dict[str, Row]:
        found: dict[str, Row] = {}
        for number, row in enumerate(rows, 1):
            value = row.get(self.key)
            key = value if isinstance(value, str) else "" if value is None else json.dumps(value)
            if not key or key in found:
                what = "is there twice" if key else "is empty"
                raise TableError(f"{self._path}: {self.key} of row {number} {what}; a key names one row")
            found[key] = {**row, self.key: key}
        return found

    def _stamp(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size


def _rows(path: Path) -> list[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(_lines(file, path) if path.suffix in (".jsonl", ".ndjson") else _csv(file, path))
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}") from error
    if not rows:
        raise TableError(f"{path}: has no rows; give names of columns in the first line, and one row or more")
    if len(rows) > MOST_ROWS:
        raise TableError(f"{path}: has {len(rows):,} rows; the sandbox takes {MOST_ROWS:,}: cut it")
    columns = dict.fromkeys(name for row in rows for name in row)
    return [{**columns, **row} for row in rows]


def _csv(file: Iterable[str], path: Path) -> Iterator[dict[str, Any]]:
    reader = csv.reader(file, strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
        if len(set(names)) < len(names) or "" in names:
            raise TableError(f"{path}: its first line has a name twice, or none between two commas; name each column")
        cells = []
        for row in reader:
            if row and len(row) != len(names):
                where = f"line {reader.line_num}: has {len(row)} cells, the first line {len(names)}"
                raise TableError(f"{path}: {where}; put a cell that has a comma in double quotes")
            cells += [row] if row else []
    except csv.Error as error:
        raise TableError(f"{path}: line {reader.line_num}: is no CSV: {error}") from error
    columns = [_typed(column) for column in zip(*cells, strict=True)]
    yield from (dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True))


def _typed(column: tuple[str, ...]) -> list[Any]:
    filled = {cell for cell in column if cell}
    is_json = filled <= _BOOLEANS or all(map(_NUMBER.fullmatch, filled))
    return [(json.loads(cell) if is_json else cell) if cell else None for cell in column]


def _lines(file: Iterable[str], path: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise TableError(f"{path}: line {number}: is no JSON: {error}") from error
        if not isinstance(row, dict):
            raise TableError(f"{path}: line {number}: is no object; write one row a line: {{…}}")
        yield row


def _are_same(row: Row, other: Row) -> bool:
    """As JSON: Python takes 1 for true and 1.0."""
    return json.dumps(row, sort_keys=True) == json.dumps(other, sort_keys=True)
