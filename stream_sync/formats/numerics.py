"""Wire values of numbers and bytes as Python values.

Invariants:
- Exact: a decimal never passes through a float, and no context rounds it.
- A bool is no number, except that MySQL's 0 and 1 are bools where a bool is wanted.
- What is no such value raises WireValueError, what no value can hold raises UnrepresentableError; without the value.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal, InvalidOperation
from typing import Any

from stream_sync.model import UnrepresentableError, WireValueError

_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d{1,4})?")
_NO_NUMBERS = frozenset(
    {"NAN", "INFINITY", "+INFINITY", "-INFINITY", "POSITIVE_INFINITY", "NEGATIVE_INFINITY"}
    | {"NaN", "Infinity", "+Infinity", "-Infinity"}
)
_FLOATS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_LONGEST = 4096
"""Bytes of the longest decimal, about 9,864 digits. Conversion takes the square of the length: PostgreSQL's longest,
of 147,455 digits, would take a second."""
_MOST_DIGITS = 10_000
LARGEST_SCALE = 16_383
"""PostgreSQL's limit; beyond it a few bytes could stand for a text of megabytes."""


def exact_number(text: str) -> Decimal:
    """For JSON numbers with a fraction or an exponent; nothing is rounded. Raises ValueError for too long a one and for
    an exponent that no Decimal has."""
    if len(text) > _MOST_DIGITS:
        raise ValueError("Number out of range")
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError("Number out of range") from None


def read_float(wire: Any) -> float:
    """From a JSON number or NaN, Infinity, -Infinity as text."""
    if type(wire) is float:
        return wire
    if type(wire) is int or isinstance(wire, Decimal):
        try:
            number = float(wire)
        except OverflowError:
            number = float("inf")
        if number in (_FLOATS["Infinity"], _FLOATS["-Infinity"]):
            raise UnrepresentableError("is a number beyond a float's range")
        return number
    if isinstance(wire, str) and wire in _FLOATS:
        return _FLOATS[wire]
    raise WireValueError("is not a float")


def read_bool(wire: Any) -> bool:
    """From true and false, and 1 and 0: MySQL's BOOLEAN is TINYINT(1), and arrives as either."""
    if wire is True or wire is False:
        return wire
    if type(wire) is int and wire in (0, 1):
        return wire == 1
    raise WireValueError("is not a bool")


def read_bytes(wire: Any) -> bytes:
    """From base64 text, also its URL-safe form; Avro has the bytes themselves."""
    if isinstance(wire, bytes):
        return wire
    if not isinstance(wire, str):
        raise WireValueError("is not base64 text")
    try:
        return base64.b64decode(wire.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        raise WireValueError("is not base64 text") from None


def _unscaled(octets: bytes, scale: int) -> Decimal:
    if len(octets) > _LONGEST:
        raise UnrepresentableError("is a decimal that is too long")
    return _EXACT.scaleb(Decimal(int.from_bytes(octets, signed=True)), -scale)


def _from_text(text: str) -> Decimal:
    if text.upper() in _NO_NUMBERS:
        raise UnrepresentableError("is not a finite number")
    if len(text) > _MOST_DIGITS or not _NUMBER.fullmatch(text):
        raise WireValueError("is not a decimal")
    return _bounded(Decimal(text))


def _bounded(number: Decimal) -> Decimal:
    if abs(number.adjusted()) > _MOST_DIGITS:
        raise UnrepresentableError("is a decimal that is too long")
    return number


def decimal_reader(scale: int) -> Callable[[Any], Decimal]:
    """For decimals of a known scale, in every form Debezium has for them:

    - base64 of the big-endian two's complement unscaled integer (Connect's Decimal): "AeJA" at scale 2 is 1234.56;
    - a JSON number (decimal.format=NUMERIC), exact when it comes as int or Decimal;
    - plain number text (decimal.handling.mode=string), **where it is not valid base64**: "1234.56" is a number,
      "1234" never;
    - VariableScaleDecimal, which has its own scale.
    """
    from_base64, from_bytes, scaleb, down = binascii.a2b_base64, int.from_bytes, _EXACT.scaleb, -scale

    def read_decimal(wire: Any) -> Decimal:
        if type(wire) is str:
            if wire in _NO_NUMBERS:
                raise UnrepresentableError("is not a finite number")
            try:
                octets = from_base64(wire, strict_mode=True)
            except ValueError:
                return _from_text(wire)
            if len(octets) > _LONGEST:
                raise UnrepresentableError("is a decimal that is too long")
            return scaleb(Decimal(from_bytes(octets, "big", signed=True)), down)
        if isinstance(wire, Decimal):
            return _bounded(wire)
        if type(wire) is int:
            return Decimal(wire)
        if type(wire) is float:
            return Decimal(repr(wire))
        if type(wire) is bytes:
            return _unscaled(wire, scale)
        return read_variable_scale_decimal(wire)

    return read_decimal


def read_variable_scale_decimal(wire: Any) -> Decimal:
    """From io.debezium.data.VariableScaleDecimal: {scale, value}, the value base64 or bytes."""
    if not isinstance(wire, Mapping):
        raise WireValueError("is not a decimal")
    scale = wire.get("scale")
    if type(scale) is not int or abs(scale) > LARGEST_SCALE:
        raise WireValueError("is not a decimal")
    return _unscaled(read_bytes(wire.get("value")), scale)
