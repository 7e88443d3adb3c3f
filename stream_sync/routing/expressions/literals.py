"""Comparing values with a literal, and reading quoted literals as the type they stand beside.

Invariants:
- A quoted literal is read once for each type it meets, never for each row; beside arrays, whose elements decide, each
  time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stream_sync.routing.expressions.array_input import array_literal
from stream_sync.routing.expressions.errors import EvaluationError
from stream_sync.routing.expressions.kinds import Kind, kind_of
from stream_sync.routing.expressions.node import Node
from stream_sync.routing.expressions.text_input import LITERALS, json_value
from stream_sync.routing.expressions.values import MIRRORED, PLAIN, SYMBOLS, compare

Test = Callable[[Any], "bool | None"]
"""A comparison with something known: a value that is not NULL to True, False or NULL."""


def read_literal(text: str, beside: Any) -> Any:
    """An untyped literal as the type of the value it stands beside. Raises EvaluationError."""
    if type(beside) is list:
        return _beside_list(text, beside)
    if (read := LITERALS.get(type(beside))) is None:
        raise EvaluationError(f"a quoted literal cannot be read as {kind_of(beside)}")
    return read(text)


def _beside_list(text: str, beside: list[Any]) -> Any:
    """A list is an array, or JSON: the literal's own form decides."""
    try:
        items = array_literal(text)
    except EvaluationError:
        return json_value(text)
    sample = next((element for element in beside if element is not None), "")
    return [None if item is None else read_literal(item, sample) for item in items]


def literal_test(symbol: str, literal: Node) -> Test:
    """Compares values with a literal."""
    constant = literal.value
    if constant is None:
        return lambda value: None
    if literal.kind is not Kind.UNKNOWN:
        return lambda value: compare(symbol, value, constant)
    texts = SYMBOLS[symbol]
    readings: dict[type, Any] = {}

    def test(value: Any) -> bool:
        if type(value) is str:
            return texts(value, constant)
        if type(value) is list:
            return compare(symbol, value, read_literal(constant, value))
        if (reading := readings.get(type(value))) is None:
            reading = readings[type(value)] = read_literal(constant, value)
        return compare(symbol, value, reading)

    return test


def pair_test(symbol: str, left: Node, right: Node) -> Callable[[Any, Any], bool | None]:
    """Compares two values, either of which may be NULL; the nodes say which is an untyped literal."""
    if right.constant:
        test = literal_test(symbol, right)
        return lambda one, other: None if one is None else test(one)
    if left.constant:
        mirrored = literal_test(MIRRORED[symbol], left)
        return lambda one, other: None if other is None else mirrored(other)
    holds = SYMBOLS[symbol]

    def run(one: Any, other: Any) -> bool | None:
        if one is None or other is None:
            return None
        if type(one) is type(other) and type(one) in PLAIN:
            return holds(one, other)
        return compare(symbol, one, other)

    return run
