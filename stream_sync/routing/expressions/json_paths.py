"""-> ->> #> #>>: parts of JSON values.

Invariants:
- -> and #> give JSON (a JSON null is not NULL there), ->> and #>> text (a JSON null is NULL).
- A part that is not there is NULL; a value that is no JSON is an error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stream_sync.errors import FAULTS
from stream_sync.model import Row
from stream_sync.routing.expressions.array_input import array_literal
from stream_sync.routing.expressions.errors import EvaluationError, ExpressionError, failure, mismatch
from stream_sync.routing.expressions.kinds import Json, Kind, kind_of
from stream_sync.routing.expressions.node import Bound, Node, Reader, require_kind
from stream_sync.routing.expressions.text_output import json_scalar_text, json_text

_ABSENT: Any = object()


def _member(value: Any, key: Any) -> Any:
    """One step down by a text key or an integer index (below 0: from the end); _ABSENT where there is none."""
    if type(value) is dict and type(key) is str:
        return value.get(key, _ABSENT)
    if type(value) is list and type(key) is int and -len(value) <= key < len(value):
        return value[key]
    return _ABSENT


def _step(value: Any, key: str) -> Any:
    """One step of a path: digits index an array."""
    if type(value) is list:
        digits = key.strip()
        return _member(value, int(digits)) if digits.removeprefix("-").isdecimal() and len(digits) < 12 else _ABSENT
    return _member(value, key)


def _as_json(value: Any) -> Any:
    return None if value is _ABSENT else Json(value)


def _as_text(value: Any) -> Any:
    if type(value) is str:
        return value
    if value is _ABSENT or value is None:
        return None
    return json_text(value) if type(value) in (dict, list) else json_scalar_text(value)


def member(document: Node, key: Node, as_text: bool, position: int | None) -> Node:
    """`document -> key`, or `document ->> key`."""
    symbol = "->>" if as_text else "->"
    where = f"{document.label} {symbol}"
    require_kind(where, document, (Kind.JSON, Kind.ARRAY), "json")
    require_kind(where, key, (Kind.TEXT, Kind.INTEGER, Kind.UNKNOWN), "text or integer")
    output = _as_text if as_text else _as_json

    def bind(reader: Reader) -> Bound:
        read, read_key = document.bind(reader), key.bind(reader)

        def run(row: Row) -> Any:
            value = read(row)
            if value is None:
                return None
            wanted = read_key(row)
            if wanted is None:
                return None
            try:
                return output(_member(_opened(where, document, value), wanted))
            except FAULTS as fault:
                raise failure(where, fault) from None

        name = key.value

        def run_text(row: Row) -> Any:
            value = read(row)
            if type(value) is dict:
                found = value.get(name)
                if type(found) is str or found is None:
                    return found
            return run(row)

        return run_text if as_text and key.constant and type(name) is str else run

    return Node(bind, Kind.TEXT if as_text else Kind.JSON, f"{symbol} of {document.label}", position)


def _opened(where: str, document: Node, value: Any) -> Any:
    if type(value) is Json:
        return value.value
    if type(value) in (dict, list):
        return value
    raise mismatch(where, document.label, "json", value)


def path(document: Node, steps: Node, as_text: bool, position: int | None) -> Node:
    """`document #> steps`, or `document #>> steps`; steps an array or a literal such as '{a,0}'."""
    symbol = "#>>" if as_text else "#>"
    where = f"{document.label} {symbol}"
    require_kind(where, document, (Kind.JSON, Kind.ARRAY), "json")
    require_kind(where, steps, (Kind.ARRAY, Kind.UNKNOWN), "a path such as '{a,0}'")
    output = _as_text if as_text else _as_json
    read_steps = _literal_steps(where, steps) if steps.kind is Kind.UNKNOWN else steps.bind

    def bind(reader: Reader) -> Bound:
        read, read_path = document.bind(reader), read_steps(reader)

        def run(row: Row) -> Any:
            value, names = read(row), read_path(row)
            if value is None or names is None:
                return None
            try:
                return output(_walk(_opened(where, document, value), names))
            except FAULTS as fault:
                raise failure(where, fault) from None

        return run

    return Node(bind, Kind.TEXT if as_text else Kind.JSON, f"{symbol} of {document.label}", position)


def _literal_steps(where: str, steps: Node) -> Callable[[Reader], Bound]:
    try:
        names = array_literal(steps.value)
    except EvaluationError as error:
        raise ExpressionError(f"{where}: {error}", steps.position) from None
    return lambda reader: lambda row: names


def _walk(value: Any, names: list[Any]) -> Any:
    for name in names:
        if name is None:
            return _ABSENT
        if type(name) is not str:
            raise EvaluationError(f"a step of the path is {kind_of(name)}, must be text")
        value = _step(value, name)
    return value
