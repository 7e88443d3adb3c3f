"""What the tests of formats/ share: a record without Kafka, and a decoded row as a plain dict."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from stream_sync.config.settings import Source
from stream_sync.formats.decoder import Decoder, open_decoder
from stream_sync.model import Absent, Change, Columns, Row, UnrepresentableError, WireValueError

UNREPRESENTABLE = "unrepresentable"
WRONG = "wrong"


class Held:
    """A record as the consumer gives it: model.Record."""

    def __init__(
        self, value: bytes | None, key: bytes | None = None, headers: Iterable[tuple[str, bytes | None]] | None = None
    ) -> None:
        self._value, self._key, self._headers = value, key, headers

    def topic(self) -> str:
        return "wh.marts.people"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 0

    def key(self) -> bytes | None:
        return self._key

    def value(self) -> bytes | None:
        return self._value

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return None if self._headers is None else list(self._headers)

    def timestamp(self) -> tuple[int, int]:
        return 0, 0


def decoder(types: Mapping[str, str], needed: Iterable[str] | None = None, **settings: Any) -> Decoder:
    """A decoder of a source with these `types:`; every one of their columns is needed unless said otherwise."""
    source = Source(topic="wh.marts.people", types=dict(types), **settings)
    return open_decoder(source, frozenset(types if needed is None else needed))


def envelope(after: Any, op: str = "u", before: Any = None, **members: Any) -> bytes:
    """A bare JSON envelope."""
    body = {"before": before, "after": after, "source": {"ts_ms": 1700000000000}, "op": op, **members}
    return json.dumps(body, ensure_ascii=False).encode()


def wrapped(fields: list[dict[str, Any]], after: Any, op: str = "u", before: Any = None) -> bytes:
    """An envelope with its schema, as JsonConverter writes it. `fields`: the columns' schemas."""
    row = {"type": "struct", "optional": True, "name": "wh.marts.people.Value", "fields": fields}
    schema = {
        "type": "struct",
        "name": "wh.marts.people.Envelope",
        "fields": [{**row, "field": "before"}, {**row, "field": "after"}, {"type": "string", "field": "op"}],
    }
    head = json.dumps(schema, separators=(",", ":")).encode()
    return b'{"schema":' + head + b',"payload":' + envelope(after, op, before) + b"}"


def values(columns: Columns, row: Row, names: Iterable[str]) -> dict[str, Any]:
    """A row as Python values; `Absent` members, UNREPRESENTABLE and WRONG stand for what has none."""
    return {name: value(columns, row, name) for name in names}


def value(columns: Columns, row: Row, name: str) -> Any:
    """One column of `values`."""
    wire = columns.raw(name)(row)
    if isinstance(wire, Absent):
        return wire
    try:
        return columns.reader(name)(row)
    except UnrepresentableError:
        return UNREPRESENTABLE
    except WireValueError:
        return WRONG


def changed(decoder: Decoder, value: bytes | None, key: bytes | None = None, **headers: bytes) -> Change:
    """The change that a record is known to be."""
    found = decoder.decode(Held(value, key, headers.items()))
    assert isinstance(found, Change), found
    return found
