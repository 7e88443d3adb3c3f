"""PostgreSQL's exact numeric: results exact, or rounded half away from zero to the scale PostgreSQL would show.

Invariants:
- No function here depends on or changes the thread's decimal context.
- A result needs at most 2,000 digits (PostgreSQL: 147,455) or is an error; so the work per call is bounded.
- The scale rules are those of PostgreSQL's src/backend/utils/adt/numeric.c (select_div_scale, sqrt_var, power_var).
"""

from __future__ import annotations

import math
from decimal import MIN_EMIN, ROUND_DOWN, ROUND_HALF_UP, Context, Decimal, Inexact, InvalidOperation, Overflow

from stream_sync.routing.expressions.errors import EvaluationError

MAX_DIGITS = 2_000
_SIGNIFICANT = 16
"""NUMERIC_MIN_SIG_DIGITS: what a quotient or a root is given at least."""

_EXACT = Context(
    prec=MAX_DIGITS, rounding=ROUND_HALF_UP, Emax=MAX_DIGITS, Emin=MIN_EMIN, traps=[InvalidOperation, Overflow, Inexact]
)
_ROUNDING = Context(
    prec=MAX_DIGITS, rounding=ROUND_HALF_UP, Emax=MAX_DIGITS, Emin=MIN_EMIN, traps=[InvalidOperation, Overflow]
)
_TRUNCATING = Context(
    prec=MAX_DIGITS, rounding=ROUND_DOWN, Emax=MAX_DIGITS, Emin=MIN_EMIN, traps=[InvalidOperation, Overflow]
)
_INTEGERS = Decimal(1)


def scale_of(value: Decimal) -> int:
    """Digits after the point."""
    exponent = value.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def parsed(text: str) -> Decimal:
    """A numeric from text. Raises ValueError or ArithmeticError."""
    if "_" in text:
        raise ValueError
    value = Decimal(text)
    if value.is_snan() or (value.is_nan() and value.is_signed()):
        raise ValueError
    if value.is_finite() and (abs(value.adjusted()) > MAX_DIGITS or scale_of(value) > MAX_DIGITS):
        raise EvaluationError(f"a numeric of more than {MAX_DIGITS} digits")
    return plain(value)


def plain(value: Decimal) -> Decimal:
    """The same number without an exponent above 0, as PostgreSQL keeps it."""
    exponent = value.as_tuple().exponent
    return _EXACT.quantize(value, _INTEGERS) if isinstance(exponent, int) and exponent > 0 else value


def rounded(value: Decimal, places: int = 0) -> Decimal:
    """Half away from zero; `places` below 0 rounds to tens, hundreds …"""
    return _quantized(value, places, _ROUNDING)


def truncated(value: Decimal, places: int = 0) -> Decimal:
    """Toward zero."""
    return _quantized(value, places, _TRUNCATING)


def _quantized(value: Decimal, places: int, context: Context) -> Decimal:
    if not value.is_finite():
        return value
    places = max(-MAX_DIGITS, min(places, MAX_DIGITS - 1))
    result = plain(context.quantize(value, Decimal((0, (1,), -places))))
    return result or abs(result)


def add(left: Decimal, right: Decimal) -> Decimal:
    """left + right."""
    return _EXACT.add(left, right)


def subtract(left: Decimal, right: Decimal) -> Decimal:
    """left - right."""
    return _EXACT.subtract(left, right)


def multiply(left: Decimal, right: Decimal) -> Decimal:
    """left * right."""
    result = _EXACT.multiply(left, right)
    return result or abs(result)


def divide(left: Decimal, right: Decimal) -> Decimal:
    """left / right, to at least 16 significant digits and at least the scale of either."""
    if not right and not left.is_nan():
        raise ZeroDivisionError
    if not (left.is_finite() and right.is_finite()):
        return _ROUNDING.divide(left, right)
    weight, first = _leading(left)
    other_weight, other_first = _leading(right)
    weight -= other_weight + (1 if first <= other_first else 0)
    scale = min(max(_SIGNIFICANT - weight * 4, scale_of(left), scale_of(right), 0), 1000)
    # The quotient is cut, not rounded, first: rounding twice could move a half.
    numerator, denominator = _integers(left, right)
    quotient, rest = divmod(abs(numerator) * 10**scale, abs(denominator))
    quotient += 1 if 2 * rest >= abs(denominator) else 0
    result = Decimal(quotient).scaleb(-scale, context=_EXACT)
    # Not `-result`: a sign operator rounds to the thread's context.
    return result.copy_negate() if quotient and (numerator < 0) != (denominator < 0) else result


def remainder(left: Decimal, right: Decimal) -> Decimal:
    """left % right, with the sign of left."""
    if not right and not left.is_nan():
        raise ZeroDivisionError
    result = _EXACT.remainder(left, right)
    return result or abs(result)


def square_root(value: Decimal) -> Decimal:
    """To 16 significant digits at least."""
    if value.is_nan() or value == 0 or not value.is_finite():
        if value < 0:
            raise EvaluationError("the square root of a negative number")
        return rounded(value, max(15, scale_of(value))) if value.is_finite() else value
    if value < 0:
        raise EvaluationError("the square root of a negative number")
    weight, _ = _leading(value)
    scale = min(max(_SIGNIFICANT - ((weight + 1) * 2 - 1), scale_of(value), 0), 1000)
    return rounded(Context(prec=scale + abs(value.adjusted()) + 5).sqrt(value), scale)


def power(base: Decimal, exponent: Decimal) -> Decimal:
    """base ^ exponent, to 16 significant digits at least."""
    if not (base.is_finite() and exponent.is_finite()):
        raise EvaluationError("power of a number that is not finite")
    whole = exponent == exponent.to_integral_value()
    if base == 0 and exponent < 0:
        raise EvaluationError("zero raised to a negative power is undefined")
    if base < 0 and not whole:
        raise EvaluationError("a negative number raised to a non-integer power")
    if base == 0 or exponent == 0:
        return rounded(Decimal(0 if exponent else 1), max(_SIGNIFICANT, scale_of(base)))
    leading = float(base.copy_abs().scaleb(-base.adjusted(), context=_ROUNDING))
    digits = float(exponent) * (base.adjusted() + math.log10(leading))
    if abs(digits) > MAX_DIGITS / 2:
        if digits < 0:
            return rounded(Decimal(0), 1000)
        raise EvaluationError(f"a numeric of more than {MAX_DIGITS // 2} digits")
    wanted = _SIGNIFICANT if whole else max(_SIGNIFICANT - int(digits), scale_of(exponent), 0)
    scale = min(max(wanted, scale_of(base)), 1000)
    return rounded(Context(prec=scale + abs(int(digits)) + 10).power(base, exponent), scale)


def _leading(value: Decimal) -> tuple[int, int]:
    """PostgreSQL's weight (of the first base-10,000 digit) and that digit."""
    if not value:
        return 0, 0
    adjusted = value.adjusted()
    weight = adjusted // 4
    digits = value.as_tuple().digits[: adjusted - weight * 4 + 1]
    first = int("".join(map(str, digits))) * 10 ** (adjusted - weight * 4 + 1 - len(digits))
    return weight, first


def _integers(left: Decimal, right: Decimal) -> tuple[int, int]:
    scale = max(scale_of(left), scale_of(right))
    return int(left.scaleb(scale, context=_EXACT)), int(right.scaleb(scale, context=_EXACT))
