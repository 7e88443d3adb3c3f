"""The short ways to write an activation's `fields` and `attributes`, turned into one: name at the destination -> SQL.

Invariants:
- `[first_name, {email: lower(email)}]` and `{first_name: first_name, email: lower(email)}` mean the same.
- A name is mapped once; SQL is text (a YAML number or date is a mistake worth a word, not a constant).
- Each name's line in the report is where the person wrote it.
"""

from __future__ import annotations

import re
from typing import Any

from stream_sync.config.parts import kind
from stream_sync.config.problems import Place, Report

_COLUMN = re.compile(r'[^\W\d]\w*|"[^"]+"')
_OTHER_IN_SQL = frozenset(
    {"true", "false", "null", "case", "select", "any", "current_date", "current_time", "current_user"}
)
"""Words that SQL does not read as a column unless they are in double quotes; in a list they are columns."""


def mapping(raw: object, place: Place, report: Report) -> dict[str, str]:
    """`fields` or `attributes` as a mapping; what is wrong with it is left out and told."""
    mapped: dict[str, str] = {}
    match raw:
        case None:
            report.problem(place, "is empty; give columns, or leave the line out")
        case dict():
            for name, sql in raw.items():
                _add(mapped, name, sql, (*place, name), report)
        case list():
            for index, item in enumerate(raw):
                _add_item(mapped, item, (*place, index), place, report)
        case _:
            report.problem(place, f"should be a mapping (name: column) or a list of columns, not {kind(raw)}")
    return mapped


def identifier(raw: object, place: Place, report: Report) -> dict[str, str]:
    """`identifier` as a mapping."""
    mapped: dict[str, str] = {}
    if not isinstance(raw, dict) or not raw:
        example = f"{{external_id: {raw}}}" if isinstance(raw, str) and _COLUMN.fullmatch(raw) else "{external_id: id}"
        report.problem(place, f"should map the destination's identifier to a column, for instance {example}")
        return mapped
    for name, sql in raw.items():
        _add(mapped, name, sql, (*place, name), report)
    return mapped


def _add_item(mapped: dict[str, str], item: Any, at: Place, place: Place, report: Report) -> None:
    match item:
        case str() if _COLUMN.fullmatch(item.strip()):
            column = item.strip().strip('"')
            sql = f'"{column}"' if column.lower() in _OTHER_IN_SQL else item
            _add_named(mapped, column, sql, at, place, report)
        case str():
            report.problem(at, "is not a column; an expression needs the name it gets there: {name: expression}")
        case dict() if item:
            for name, sql in item.items():
                _add_named(mapped, name, sql, (*at, name), place, report)
        case _:
            report.problem(at, f"should be a column or {{name: expression}}, not {kind(item)}")


def _add_named(mapped: dict[str, str], name: str, sql: object, at: Place, place: Place, report: Report) -> None:
    line = report.line(at)
    if name in mapped:
        report.problem((*place, name), f"is mapped twice (first in line {report.line((*place, name))})", line=line)
        return
    if line is not None:
        report.lines[*place, name] = line
    report.same(at, (*place, name))
    _add(mapped, name, sql, (*place, name), report)


def _add(mapped: dict[str, str], name: str, sql: object, at: Place, report: Report) -> None:
    match sql:
        case str() if sql.strip():
            mapped[name] = str(sql).strip()
        case None | str():
            report.problem(at, "has no value; give a column or an SQL expression")
        case bool() | int() | float():
            word = str(sql).lower() if isinstance(sql, bool) else str(sql)
            report.problem(at, f'should be a column or an SQL expression as text; for a constant write "{word}"')
        case list() | dict():
            report.problem(at, f"should be a column or an SQL expression, not {kind(sql)}")
        case _:
            report.problem(
                at, "should be a column or an SQL expression as text; for a date write \"date '2024-01-31'\""
            )
