"""Which rows of a source somebody asks about: by their key, or by whom they are at the destination.

Invariants:
- A key is compared with what a person would type, in whatever form it is on the wire.
- A person is compared as they are sent: by the activation's own identifier expressions, whatever the segment.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from stream_sync.errors import FAULTS
from stream_sync.model import Change, Columns, Row
from stream_sync.replay.selection import is_key
from stream_sync.routing.compilations import Compilations
from stream_sync.routing.plan import Person, Plan, identifier_text


class KeyQuery:
    """A key as somebody wrote it: the key itself, a JSON object, the value of one of its columns, `column=value` (of
    several columns with commas), or the `#hash` that stands for it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._columns = _columns(text)

    def matches(self, key: bytes | None, values: Mapping[str, Any] | None) -> bool:
        """Whether this is the key. `values`: its columns, where they can be read."""
        if is_key(key, self._text):
            return True
        if values is None:
            return False
        typed = {name: _as_typed(value) for name, value in values.items()}
        return typed == self._columns or (len(typed) == 1 and self._text in typed.values())


class PersonQuery:
    """Somebody at the destination, by their identifier."""

    def __init__(self, text: str, plan: Plan) -> None:
        self._wanted = {
            Person(part.name, found) for part in plan.identifier if (found := identifier_text(text, part.is_email))
        }
        self._compilations = Compilations(plan, _unheard)

    def matches(self, change: Change) -> bool:
        """Whether the row is this person, before the change or after it."""
        rows = ((change.columns, change.before), (change.columns, change.after), (change.key_columns, change.key))
        return any(row is not None and columns is not None and self._is(columns, row) for columns, row in rows)

    def _is(self, columns: Columns, row: Row) -> bool:
        compiled = self._compilations.careful(columns)
        try:
            return compiled.name(row) in self._wanted
        except FAULTS:
            return False


def _unheard(_code: str, _name: str) -> None:
    """Somebody asks about rows that are there; what is wrong with others is not the answer."""


def _columns(text: str) -> dict[str, str] | None:
    """The columns that the text names; None where it names none."""
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        parts = [part.partition("=") for part in text.split(",")]
        return {name.strip(): value.strip() for name, _, value in parts} if all(sign for _, sign, _ in parts) else None
    return {name: _as_typed(value) for name, value in found.items()} if isinstance(found, dict) else None


def _as_typed(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=str).decode()
