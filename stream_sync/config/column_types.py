"""The names of column types that a source's `types:` may use (design: Values)."""

from __future__ import annotations

import re

from stream_sync.config.problems import did_you_mean

NAMES = (
    *("text", "int", "float", "bool", "decimal(2)", "date", "timestamp", "micro_timestamp", "nano_timestamp"),
    *("zoned_timestamp", "time", "milli_time", "micro_time", "nano_time", "duration", "uuid", "json", "bytes"),
    "array(text)",
)
EVERY_OTHER = "*"
"""Stands for all columns that are not named; may only be `json`."""

_PLAIN = frozenset(name for name in NAMES if "(" not in name)
_DECIMAL = re.compile(r"decimal\(\s*\d{1,4}\s*\)")
_ARRAY = re.compile(r"array\((.+)\)")


def wrong_type(column: str, name: str) -> str | None:
    """What is wrong with `column: name`, None where nothing is."""
    name = name.strip()
    if column == EVERY_OTHER:
        return None if name == "json" else f"'{name}' is not possible for all other columns; the one way is \"*\": json"
    if name in _PLAIN or _DECIMAL.fullmatch(name):
        return None
    if array := _ARRAY.fullmatch(name):
        return wrong_type("", array[1])
    if name.startswith(("decimal", "numeric")):
        return f"'{name}' is not a column type; a decimal needs its scale, the digits after the point: decimal(2)"
    if name.startswith("array"):
        return f"'{name}' is not a column type; an array needs the type of its elements: array(text)"
    return f"'{name}' is not a column type{did_you_mean(name, NAMES)}"
