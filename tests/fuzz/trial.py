"""One input: decoded, and everything of it read, as a lane would."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

from stream_sync.errors import HaltError
from stream_sync.formats.decoder import Decoder
from stream_sync.model import (
    Absent,
    Change,
    Columns,
    NotAChange,
    Record,
    Row,
    Undecodable,
    UnrepresentableError,
    WireValueError,
)
from stream_sync.sinks.forms import Form
from tests.sinks.every_form import EVERY_FORM

LARGE = 20_000
"""Bytes of a record whose values are not put into every form, none of which may raise: a megabyte takes as long as its
sink takes, times eighty."""


def trial(decoder: Decoder, record: Record, columns: Iterable[str]) -> str:
    """What became of it: `change`, `no change`, an undecodable's code, or a halt's reason. Raises whatever a decoder or
    a reader may not raise."""
    with contextlib.suppress(WireValueError):
        decoder.key_names(record)
    try:
        found: Any = decoder.decode(record)
    except HaltError as error:
        return f"halt {error.reason}"
    if isinstance(found, NotAChange):
        return "no change"
    if isinstance(found, Undecodable):
        assert found.message
        return found.code
    assert isinstance(found, Change), type(found)
    images: list[tuple[Columns | None, Row | None]] = [(found.columns, found.before), (found.columns, found.after)]
    images += [(found.key_columns, found.key), (found.key_columns, found.new_key)]
    if found.before is not None and found.after is not None:
        found.columns.fill(found.after, found.before)
    forms = EVERY_FORM.values() if len(record.value() or b"") < LARGE else ()
    for readable, row in images:
        if readable is not None and row is not None:
            for name in columns:
                _read(readable, row, name, forms)
    return "change"


def _read(columns: Columns, row: Row, name: str, forms: Iterable[Form]) -> None:
    try:
        raw = columns.raw(name)
    except KeyError:  # a decoder that does not need this column
        return
    if not isinstance(raw(row), Absent):
        with contextlib.suppress(WireValueError, UnrepresentableError):
            value = columns.reader(name)(row)
            for form in forms:
                form(value)
