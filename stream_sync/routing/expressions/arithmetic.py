"""The operators + - * / % ^ and unary minus.

Invariants:
- What an operator does depends on the exact types of its operands: one table, no coercion of text.
- Integers are bigint: a result outside 64 bits is an error. integer with numeric is numeric, anything with double is
  double; double overflow, underflow and division by zero are errors, as in PostgreSQL.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from stream_sync.errors import FAULTS
from stream_sync.model import Row
from stream_sync.routing.expressions import calendar_arithmetic, numeric
from stream_sync.routing.expressions.errors import EvaluationError, ExpressionError, failure
from stream_sync.routing.expressions.kinds import NUMBERS, TYPES, CalendarInterval, Kind, kind_of
from stream_sync.routing.expressions.node import Bound, Node, Reader, constant

MIN_INTEGER, MAX_INTEGER = -(2**63), 2**63 - 1
Pair = tuple[type, type]
Table = dict[Pair, Callable[[Any, Any], Any]]


def in_range(value: int) -> int:
    """The integer, if it is a bigint."""
    if MIN_INTEGER <= value <= MAX_INTEGER:
        return value
    raise EvaluationError("the result is outside bigint")


def _float(value: float, left: float, right: float) -> float:
    if math.isinf(value) and not (math.isinf(left) or math.isinf(right)):
        raise EvaluationError("the result is outside double precision")
    return value


def _divide_integers(left: int, right: int) -> int:
    quotient = abs(left) // abs(right)
    return in_range(quotient if (left < 0) == (right < 0) else -quotient)


def _remainder(left: int, right: int) -> int:
    rest = abs(left) % abs(right)
    return -rest if left < 0 else rest


def _multiply_floats(left: float, right: float) -> float:
    result = _float(left * right, left, right)
    if result == 0 and left and right:
        raise EvaluationError("the result is outside double precision")
    return result


def _divide_floats(left: float, right: float) -> float:
    if right == 0 and not math.isnan(left):
        raise ZeroDivisionError
    result = _float(left / right, left, right) if right else math.nan
    if result == 0 and left and not math.isinf(right):
        raise EvaluationError("the result is outside double precision")
    return result


def power_floats(left: float, right: float) -> float:
    """left ^ right in double precision."""
    if left == 0 and right < 0:
        raise EvaluationError("zero raised to a negative power is undefined")
    return math.pow(left, right)


def _numbers(
    integers: Callable[[int, int], Any] | None,
    decimals: Callable[[Decimal, Decimal], Decimal],
    floats: Callable[[float, float], float] | None,
) -> Table:
    def as_decimals(left: int | Decimal, right: int | Decimal) -> Decimal:
        return decimals(Decimal(left), Decimal(right))

    table: Table = dict.fromkeys(((int, Decimal), (Decimal, int)), as_decimals)
    table[Decimal, Decimal] = decimals
    if integers:
        table[int, int] = integers
    if floats:
        table[float, float] = floats
        for other in (int, Decimal):
            table[float, other] = table[other, float] = lambda left, right: floats(float(left), float(right))
    return table


ADD: Table = {
    **_numbers(
        lambda left, right: in_range(left + right), numeric.add, lambda left, right: _float(left + right, left, right)
    ),
    **calendar_arithmetic.ADD,
}
SUBTRACT: Table = {
    **_numbers(
        lambda left, right: in_range(left - right),
        numeric.subtract,
        lambda left, right: _float(left - right, left, right),
    ),
    **calendar_arithmetic.SUBTRACT,
}
MULTIPLY: Table = {
    **_numbers(lambda left, right: in_range(left * right), numeric.multiply, _multiply_floats),
    **calendar_arithmetic.MULTIPLY,
}
DIVIDE: Table = {**_numbers(_divide_integers, numeric.divide, _divide_floats), **calendar_arithmetic.DIVIDE}
REMAINDER: Table = _numbers(_remainder, numeric.remainder, None)
POWER: Table = _numbers(lambda left, right: power_floats(float(left), float(right)), numeric.power, power_floats)
NEGATE: dict[type, Callable[[Any], Any]] = {
    int: lambda value: in_range(-value),
    Decimal: lambda value: value.copy_negate() if value else value,
    float: operator.neg,
    timedelta: operator.neg,
    CalendarInterval: lambda value: CalendarInterval(-value.months, -value.rest),
}
_KINDS = {int: Kind.INTEGER, Decimal: Kind.NUMERIC, float: Kind.DOUBLE, date: Kind.DATE, time: Kind.TIME}
_KINDS |= {datetime: Kind.TIMESTAMP, timedelta: Kind.INTERVAL, CalendarInterval: Kind.INTERVAL}


def apply(table: Table, symbol: str, left: Any, right: Any) -> Any:
    """What the operator gives for two values that are not NULL. Raises EvaluationError."""
    implementation = table.get((type(left), type(right)))
    if implementation is None:
        raise EvaluationError(f"{kind_of(left)} {symbol} {kind_of(right)} is not defined; cast one of them")
    return implementation(left, right)


def binary(table: Table, symbol: str, left: Node, right: Node, position: int | None) -> Node:
    """The node of `left symbol right`."""
    for side in (left, right):
        if side.kind is Kind.UNKNOWN:
            message = f"a quoted literal beside {symbol}; type it: 5, date '2024-01-31', interval '1 day'"
            raise ExpressionError(message, side.position)
    where = _where(symbol, left, right)
    if left.kind and right.kind and Kind.NULL not in (left.kind, right.kind):
        pairs = ((one, other) for one in TYPES[left.kind] for other in TYPES[right.kind])
        if not any(pair in table for pair in pairs):
            raise ExpressionError(f"{left.kind} {symbol} {right.kind} is not defined; cast one of them", position)

    def bind(reader: Reader) -> Bound:
        read_left, read_right, find = left.bind(reader), right.bind(reader), table.get

        def run(row: Row) -> Any:
            one = read_left(row)
            if one is None:
                return None
            other = read_right(row)
            if other is None:
                return None
            implementation = find((type(one), type(other)))
            try:
                return implementation(one, other) if implementation else apply(table, symbol, one, other)
            except FAULTS as fault:
                raise failure(where, fault) from None

        return run

    return Node(bind, _result(symbol, left.kind, right.kind), f"the result of {symbol}", position, not_boolean=True)


def negated(operand: Node, position: int | None) -> Node:
    """The node of `- operand`."""
    if operand.kind is Kind.UNKNOWN:
        raise ExpressionError("minus before a quoted literal; write the number without quotes", position)
    if operand.constant and type(operand.value) in NEGATE and operand.kind is not Kind.NULL:
        return constant(NEGATE[type(operand.value)](operand.value), position)
    if operand.kind and not any(type_ in NEGATE for type_ in TYPES[operand.kind]) and operand.kind is not Kind.NULL:
        raise ExpressionError(f"- {operand.kind} is not defined", position)
    where = f"- {operand.label}"

    def bind(reader: Reader) -> Bound:
        read = operand.bind(reader)

        def run(row: Row) -> Any:
            value = read(row)
            if value is None:
                return None
            if (implementation := NEGATE.get(type(value))) is None:
                raise EvaluationError(f"{where}: {kind_of(value)} cannot be negated")
            try:
                return implementation(value)
            except FAULTS as fault:
                raise failure(where, fault) from None

        return run

    return Node(bind, operand.kind, "the result of -", position, not_boolean=True)


def _where(symbol: str, left: Node, right: Node) -> str:
    return f"{left.label} {symbol} {right.label}"


def _result(symbol: str, left: Kind | None, right: Kind | None) -> Kind | None:
    """The static type of the result, where both types are known numbers."""
    if left in NUMBERS and right in NUMBERS:
        if Kind.DOUBLE in (left, right) or (symbol == "^" and left is right is Kind.INTEGER):
            return Kind.DOUBLE
        return Kind.NUMERIC if Kind.NUMERIC in (left, right) else Kind.INTEGER
    return None
