"""Takes Kafka Connect's JSON apart: `{"schema": …, "payload": …}` or the bare payload.

Invariants:
- A schema is parsed once: a record that starts with the very bytes of a known one, up to `"payload":`, has that schema.
- Wrapped is what has both members and a schema that is an object with `type`, or null: a bare row may have columns of
  these names.
- What is kept is bounded; schemas come from the wire.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import msgspec

Schema = Mapping[str, Any]
Made = TypeVar("Made")

_KEPT = 64

UNREADABLE = (ValueError, RecursionError, ArithmeticError)
"""What msgspec and the decimal module raise for bytes of any kind."""


class _Wrapper(msgspec.Struct):
    schema: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    payload: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_take_apart = msgspec.json.Decoder(_Wrapper).decode
_parse = msgspec.json.Decoder().decode


class Unwrapper(Generic[Made]):
    """`make` turns a schema (None where it is null) into what the caller needs of it, once per schema."""

    def __init__(self, make: Callable[[Schema | None], Made]) -> None:
        self._make = make
        self._by_prefix: dict[bytes, Made] = {}
        self._by_schema: dict[bytes, Made] = {}
        self._last: tuple[bytes, Made] | None = None

    def unwrap(self, data: bytes) -> tuple[Made, bytes] | None:
        """The quick way: what was made of the schema, and what would be the payload if nothing came behind it; None
        where `data` is bare. Whoever cannot read that payload has to `take_apart`. Raises as that does."""
        if data.endswith(b"}"):
            if self._last is not None and data.startswith(self._last[0]):
                return self._last[1], data[len(self._last[0]) : -1]
            for prefix, made in self._by_prefix.items():
                if data.startswith(prefix):
                    self._last = (prefix, made)
                    return made, data[len(prefix) : -1]
        return self.take_apart(data)

    def take_apart(self, data: bytes) -> tuple[Made, bytes] | None:
        """The careful way: members in any order, whatever else is there. Raises ValueError where `data` is no JSON and
        what `make` raises; RecursionError where it is nested too deep."""
        try:
            wrapper = _take_apart(data)
        except msgspec.ValidationError:  # JSON, but no object
            return None
        if wrapper.schema is msgspec.UNSET or wrapper.payload is msgspec.UNSET:
            return None
        schema, payload = bytes(wrapper.schema), bytes(wrapper.payload)
        if schema not in self._by_schema:
            parsed = _parse(schema)
            if parsed is not None and not (isinstance(parsed, dict) and "type" in parsed):
                return None
            self._keep(self._by_schema, schema, self._make(parsed))
        made = self._by_schema[schema]
        prefix = b'{"schema":' + schema + b',"payload":'
        if data.startswith(prefix) and len(data) == len(prefix) + len(payload) + 1:
            self._keep(self._by_prefix, prefix, made)
        return made, payload

    @staticmethod
    def _keep(known: dict[bytes, Made], key: bytes, made: Made) -> None:
        if len(known) >= _KEPT:
            known.clear()
        known[key] = made
