"""= <> < <= > >=, is [not] distinct from and between, specialised when the other side is a literal.

Invariants:
- NULL on either side gives NULL; a type error gives EvaluationError.
- An untyped literal is read as the other side's type, once per type, never per row.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from stream_sync.model import Row
from stream_sync.routing.expressions.array_input import array_literal
from stream_sync.routing.expressions.errors import FAULTS, EvaluationError, ExpressionError, failure
from stream_sync.routing.expressions.kinds import NUMBERS, TYPES, Kind, kind_of
from stream_sync.routing.expressions.node import Bound, Node, Reader
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


def comparison(symbol: str, left: Node, right: Node, position: int | None) -> Node:
    """The node of `left symbol right`."""
    if left.constant and not right.constant:
        left, right, symbol = right, left, MIRRORED[symbol]
    _check(symbol, left, right, position)
    where = f"{left.label} {symbol} {right.label}"
    bind = _with_literal(symbol, left, right, where) if right.constant else _with_any(symbol, left, right, where)
    return Node(bind, Kind.BOOLEAN, f"the result of {symbol}", position)


def _check(symbol: str, left: Node, right: Node, position: int | None) -> None:
    """Refuses what the known types already rule out."""
    if left.kind is None or right.kind is None or Kind.NULL in (left.kind, right.kind):
        return
    if Kind.UNKNOWN in (left.kind, right.kind):
        literal, other = (left, right) if left.kind is Kind.UNKNOWN else (right, left)
        if literal.constant and other.kind not in (None, Kind.UNKNOWN, Kind.TEXT, Kind.ARRAY):
            try:
                LITERALS[TYPES[other.kind][0]](literal.value)
            except EvaluationError as error:
                raise ExpressionError(f"compared with {other.kind}: {error}", literal.position) from None
        return
    moments = (Kind.DATE, Kind.TIMESTAMP)
    documents = (Kind.ARRAY, Kind.JSON)
    families = (NUMBERS, moments, documents)
    if left.kind is not right.kind and not any(left.kind in one and right.kind in one for one in families):
        raise ExpressionError(f"{left.kind} {symbol} {right.kind} is not defined; cast one of them", position)
    if left.kind in documents and symbol not in ("=", "<>"):
        raise ExpressionError(f"{left.kind} has no order here; only = and <> are supported", position)


def _with_literal(symbol: str, left: Node, right: Node, where: str) -> Callable[[Reader], Bound]:
    test = literal_test(symbol, right)
    if isinstance(right.value, str) and right.kind in (Kind.UNKNOWN, Kind.TEXT):
        return _with_text(symbol, left, right.value, test, where)
    if type(right.value) in (int, Decimal) and math.isfinite(right.value) and abs(right.value) < 2**53:
        return _with_number(symbol, left, right.value, test, where)

    def bind(reader: Reader) -> Bound:
        read = left.bind(reader)

        def run(row: Row) -> bool | None:
            value = read(row)
            if value is None:
                return None
            try:
                return test(value)
            except FAULTS as fault:
                raise failure(where, fault) from None

        return run

    return bind


def _with_text(symbol: str, left: Node, text: str, test: Test, where: str) -> Callable[[Reader], Bound]:
    holds = SYMBOLS[symbol]

    def bind(reader: Reader) -> Bound:
        read = left.bind(reader)

        def equals(row: Row) -> bool | None:
            value = read(row)
            return value == text if type(value) is str else otherwise(value)

        def run(row: Row) -> bool | None:
            value = read(row)
            return holds(value, text) if type(value) is str else otherwise(value)

        def otherwise(value: Any) -> bool | None:
            if value is None:
                return None
            try:
                return test(value)
            except FAULTS as fault:
                raise failure(where, fault) from None

        return equals if symbol == "=" else run

    return bind


def _with_number(symbol: str, left: Node, number: int | Decimal, test: Test, where: str) -> Callable[[Reader], Bound]:
    double, exact = float(number), int(number) if number == int(number) else number
    holds = SYMBOLS[symbol]

    def bind(reader: Reader) -> Bound:
        read = left.bind(reader)

        # NaN is above every number: "above" is written as "not at or below".
        def above(row: Row) -> bool | None:
            value = read(row)
            return not value <= double if type(value) is float else otherwise(value)

        def at_least(row: Row) -> bool | None:
            value = read(row)
            return not value < double if type(value) is float else otherwise(value)

        def run(row: Row) -> bool | None:
            value = read(row)
            return holds(value, double) if type(value) is float else otherwise(value)

        def otherwise(value: Any) -> bool | None:
            if type(value) is int:
                return holds(value, exact)
            if value is None:
                return None
            try:
                return test(value)
            except FAULTS as fault:
                raise failure(where, fault) from None

        def run_integer(row: Row) -> bool | None:
            value = read(row)
            return holds(value, exact) if type(value) is int else otherwise_number(value)

        def otherwise_number(value: Any) -> bool | None:
            if type(value) is float and symbol not in (">", ">="):
                return holds(value, double)
            return otherwise(value)

        if type(number) is int:
            return run_integer
        return {">": above, ">=": at_least}.get(symbol, run)

    return bind


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


def _with_any(symbol: str, left: Node, right: Node, where: str) -> Callable[[Reader], Bound]:
    holds, plain = SYMBOLS[symbol], PLAIN

    def bind(reader: Reader) -> Bound:
        read_left, read_right = left.bind(reader), right.bind(reader)

        def run(row: Row) -> bool | None:
            one, other = read_left(row), read_right(row)
            if type(one) is type(other) and type(one) in plain:
                return holds(one, other)
            if one is None or other is None:
                return None
            try:
                return compare(symbol, one, other)
            except FAULTS as fault:
                raise failure(where, fault) from None

        return run

    return bind


def distinct(left: Node, right: Node, negate: bool, position: int | None) -> Node:
    """`is distinct from`; `is not distinct from` where negated."""
    _check("=", left, right, position)
    equal = pair_test("=", left, right)
    where = f"{left.label} is distinct from {right.label}"

    def bind(reader: Reader) -> Bound:
        read_left, read_right = left.bind(reader), right.bind(reader)

        def run(row: Row) -> bool:
            one, other = read_left(row), read_right(row)
            if one is None or other is None:
                return (one is other) is negate
            try:
                return equal(one, other) is negate
            except FAULTS as fault:
                raise failure(where, fault) from None

        return run

    return Node(bind, Kind.BOOLEAN, "the result of is distinct from", position)


def between(operand: Node, low: Node, high: Node, symmetric: bool, position: int | None) -> Node:
    """`operand between low and high`, which is `operand >= low and operand <= high`."""
    for limit in (low, high):
        _check("between", operand, limit, position)
    above, below = pair_test(">=", operand, low), pair_test("<=", operand, high)
    above_high, below_low = pair_test(">=", operand, high), pair_test("<=", operand, low)
    where = f"{operand.label} between"

    def bind(reader: Reader) -> Bound:
        read, read_low, read_high = operand.bind(reader), low.bind(reader), high.bind(reader)

        def run(row: Row) -> bool | None:
            value = read(row)
            if value is None:
                return None
            try:
                least, most = read_low(row), read_high(row)
                found = both(above(value, least), below(value, most))
                other = both(above_high(value, most), below_low(value, least)) if symmetric and not found else found
            except FAULTS as fault:
                raise failure(where, fault) from None
            return True if other else None if None in (found, other) else False

        return run

    return Node(bind, Kind.BOOLEAN, "the result of between", position)


def both(left: bool | None, right: bool | None) -> bool | None:
    """SQL's `and` of two values."""
    if left is False or right is False:
        return False
    return None if left is None or right is None else True
