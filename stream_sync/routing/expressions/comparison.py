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

from stream_sync.errors import FAULTS
from stream_sync.model import Row
from stream_sync.routing.expressions.errors import EvaluationError, ExpressionError, failure
from stream_sync.routing.expressions.kinds import NUMBERS, TYPES, Kind
from stream_sync.routing.expressions.literals import Test, literal_test
from stream_sync.routing.expressions.node import Bound, Node, Reader
from stream_sync.routing.expressions.text_input import LITERALS
from stream_sync.routing.expressions.values import MIRRORED, PLAIN, SYMBOLS, compare


def comparison(symbol: str, left: Node, right: Node, position: int | None) -> Node:
    """The node of `left symbol right`."""
    if left.constant and not right.constant:
        left, right, symbol = right, left, MIRRORED[symbol]
    check_kinds(symbol, left, right, position)
    where = f"{left.label} {symbol} {right.label}"
    bind = _with_literal(symbol, left, right, where) if right.constant else _with_any(symbol, left, right, where)
    return Node(bind, Kind.BOOLEAN, f"the result of {symbol}", position)


def check_kinds(symbol: str, left: Node, right: Node, position: int | None) -> None:
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
