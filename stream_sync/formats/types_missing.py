"""Schemaless JSON whose source lacks the types of needed columns: the halt that names them and what they may be.

Invariants: a guess is made from one value and names every type that fits, the likeliest first; it holds nothing of the
value itself.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from stream_sync.errors import HaltError
from stream_sync.model import Absent

_STAMP = re.compile(r"[+-]?\d{4,}-\d\d-\d\dT\d\d:\d\d.*Z?")
_DATE = re.compile(r"[+-]?\d{4,}-\d\d-\d\dZ?")
_CLOCK = re.compile(r"\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NUMBER = re.compile(r"-?\d+(\.(\d+))?")


class TypesMissingError(HaltError):
    """`guesses`: by column, in words. Raised before anything of the record is used."""

    def __init__(self, guesses: Mapping[str, str]) -> None:
        self.columns = tuple(guesses)
        self.guesses = dict(guesses)
        listed = "; ".join(f"{column}: {guess}" for column, guess in guesses.items())
        super().__init__(
            "types_missing",
            "JSON without schemas does not say what a number or a text is. Add to the source's `types:` what these "
            f"columns are ({listed}), or turn on schemas in the connector's value converter",
        )


def types_missing(columns: Iterable[str], row: Mapping[str, Any]) -> TypesMissingError:
    """The error for these columns, guessed from a row as JSON shows it."""
    return TypesMissingError({column: guess(row.get(column, Absent.MISSING)) for column in sorted(columns)})


def guess(value: Any) -> str:
    """The types that a schemaless wire value may be of, in words."""
    match value:
        case Absent():
            return "not in this record"
        case None:
            return "anything, since it is NULL in this record"
        case bool():
            return "bool"
        case int():
            return _guess_int(abs(value))
        case float() | Decimal():
            places = str(value).partition(".")[2]
            return f"float or decimal({len(places) if places.isdecimal() else 2})"
        case str():
            return _guess_text(value)
        case [first, *_]:
            return " or ".join(f"array({part})" for part in guess(first).split(" or "))
        case []:
            return "array(text) or another array"
        case {"scale": int(scale), "value": str()}:
            return f"decimal({max(scale, 0)})"
    return "json"


def _guess_int(size: int) -> str:
    if size < 2:
        return "int or bool"
    if size < 10**6:
        return "int or date"
    if size < 10**10:
        return "int or time"
    if size < 10**11:
        return "int or time or timestamp"
    if size < 10**14:
        return "timestamp or int"
    return "micro_timestamp or int" if size < 10**17 else "nano_timestamp or int"


def _guess_text(text: str) -> str:
    if _STAMP.fullmatch(text):
        return "zoned_timestamp"
    if _DATE.fullmatch(text):
        return "date"
    if _CLOCK.fullmatch(text):
        return "time"
    if _UUID.fullmatch(text):
        return "uuid"
    if text[:1] in ("{", "["):
        return "json"
    if number := _NUMBER.fullmatch(text):
        return f"decimal({len(number[2])}) or text" if number[2] else "text"
    try:
        octets = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return "text"
    if not octets:
        return "text or bytes"
    return "decimal(2) or text or bytes" if len(octets) <= 16 else "text or bytes or decimal(2)"
