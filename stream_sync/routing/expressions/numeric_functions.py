"""Functions of numbers.

Invariants:
- Types of results are PostgreSQL's: round, ceil, floor, trunc and sign of an integer are double precision, of numeric
  numeric; numeric rounds half away from zero, double half to even.
"""

from __future__ import annotations

import decimal
import math
from collections.abc import Callable, Sequence
from decimal import Decimal

from stream_sync.routing.expressions import arithmetic, numeric
from stream_sync.routing.expressions.errors import EvaluationError
from stream_sync.routing.expressions.functions import INTEGER, NUMBER, Build, Function, strict, table
from stream_sync.routing.expressions.kinds import Kind
from stream_sync.routing.expressions.node import Node

Number = int | float | Decimal


def _absolute(value: Number) -> Number:
    if isinstance(value, int):
        return arithmetic.in_range(abs(value))
    return value.copy_abs() if isinstance(value, Decimal) else abs(value)


def _sign(value: Number) -> Number:
    if math.isnan(value):
        return value if isinstance(value, Decimal) else 0.0
    sign = (value > 0) - (value < 0)
    return Decimal(sign) if isinstance(value, Decimal) else float(sign)


def _round(value: Number, places: int | None = None) -> Number:
    if places is not None:
        return numeric.rounded(_exact("round", value), places)
    if isinstance(value, Decimal):
        return numeric.rounded(value)
    return math.copysign(round(value), value) if math.isfinite(value) else value


def _truncate(value: Number, places: int | None = None) -> Number:
    if places is not None:
        return numeric.truncated(_exact("trunc", value), places)
    if isinstance(value, Decimal):
        return numeric.truncated(value)
    return math.copysign(math.trunc(value), value) if math.isfinite(value) else value


def _exact(name: str, value: Number) -> Decimal:
    if isinstance(value, float):
        raise EvaluationError(f"{name} of double precision takes no places; write {name}(x::numeric, n)")
    return Decimal(value)


def _whole(floats: Callable[[float], int], mode: str) -> Callable[[Number], Number]:
    def run(value: Number) -> Number:
        if isinstance(value, Decimal):
            if not value.is_finite():
                return value
            result = numeric.plain(value.to_integral_value(mode))
            return result or abs(result)
        return math.copysign(floats(value), value) if math.isfinite(value) else value

    return run


def _square_root(value: Number) -> Number:
    if isinstance(value, Decimal):
        return numeric.square_root(value)
    if value < 0:
        raise EvaluationError("the square root of a negative number")
    return math.sqrt(value)


def _operator(table: arithmetic.Table, symbol: str) -> Callable[[Number, Number], Number]:
    def run(left: Number, right: Number) -> Number:
        result: Number = arithmetic.apply(table, symbol, left, right)
        return result

    return run


def _rounded_kind(arguments: Sequence[Node]) -> Kind | None:
    if len(arguments) == 2:
        return Kind.NUMERIC
    return Kind.DOUBLE if arguments[0].kind is Kind.INTEGER else arguments[0].kind


def _absolute_kind(arguments: Sequence[Node]) -> Kind | None:
    return arguments[0].kind


def _entry(name: str, implementation: Callable[..., Number]) -> tuple[Build, int, int]:
    return strict(name, [NUMBER], implementation, _rounded_kind)


_ceil, _floor = _whole(math.ceil, decimal.ROUND_CEILING), _whole(math.floor, decimal.ROUND_FLOOR)
_power = _operator(arithmetic.POWER, "^")
FUNCTIONS: dict[str, Function] = table(
    {
        "abs": ("abs(number)", "without its sign", strict("abs", [NUMBER], _absolute, _absolute_kind)),
        "sign": ("sign(number)", "-1, 0 or 1", _entry("sign", _sign)),
        "round": (
            "round(number [, places])",
            "numeric half away from zero, double half to even; places of integer and numeric only",
            strict("round", [NUMBER, INTEGER], _round, _rounded_kind, optional=1),
        ),
        "trunc": (
            "trunc(number [, places])",
            "toward zero",
            strict("trunc", [NUMBER, INTEGER], _truncate, _rounded_kind, optional=1),
        ),
        "ceil": ("ceil(number)", "the next whole number up", _entry("ceil", _ceil)),
        "ceiling": ("ceiling(number)", "the same", _entry("ceiling", _ceil)),
        "floor": ("floor(number)", "the next whole number down", _entry("floor", _floor)),
        "mod": (
            "mod(a, b)",
            "`a % b`, with the sign of a",
            strict("mod", [NUMBER, NUMBER], _operator(arithmetic.REMAINDER, "%"), None),
        ),
        "power": ("power(a, b)", "`a ^ b`", strict("power", [NUMBER, NUMBER], _power, None)),
        "pow": ("pow(a, b)", "the same", strict("pow", [NUMBER, NUMBER], _power, None)),
        "sqrt": ("sqrt(number)", "square root", _entry("sqrt", _square_root)),
    }
)
