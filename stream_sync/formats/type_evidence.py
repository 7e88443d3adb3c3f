"""What the values of a schemaless column say about its type: evidence over many of them, and the type it speaks for.

Invariants:
- A type is proposed only if every value seen fits it; the others that fit are named beside it.
- Where the values cannot tell (days since 1970 or a count?), the column's name decides, and the proposal says so. The
  scale of a decimal is never in the data, and the proposal says that too.
- Kept is how many values fitted what, never a value; a long text is looked at by its start.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

from stream_sync.formats import unavailable
from stream_sync.model import Absent

_LONGEST = 65_536
"""Characters of a text that are looked at."""
_NUMERIC_BYTES = 16
"""Bytes of the longest base64 text that is taken for a decimal: 38 digits."""
_SECONDS = (631_152_000, 4_102_444_800)
"""1990 to 2100: a count of milliseconds, microseconds or nanoseconds in it is a timestamp."""
_DAYS = (-36_524, 47_482)
"""1870 to 2100."""
_UNITS = (("timestamp", 10**3), ("micro_timestamp", 10**6), ("nano_timestamp", 10**9))
_DAY = (("milli_time", 86_400_000), ("micro_time", 86_400_000_000), ("nano_time", 86_400_000_000_000))

_PATTERNS = {
    "zoned_timestamp": re.compile(r"[+-]?\d{4,}-\d\d-\d\d[T ]\d\d:\d\d\S*|[+-]?infinity"),
    "date": re.compile(r"[+-]?\d{4,}-\d\d-\d\dZ?"),
    "time": re.compile(r"\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)?"),
    "uuid": re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
    "duration": re.compile(r"P(?=.)(-?\d+[YMD])*(T(-?\d+(\.\d+)?[HMS])+)?"),
    "no number": re.compile(r"NaN|-?Infinity"),
}
_PHONE = re.compile(r"\+?[\d ()./-]{5,}")
"""Digits are base64 too."""
_NUMBER = re.compile(r"-?\d+(?:\.(\d+))?")
_RANDOM = re.compile(r"[a-z0-9][A-Z]|[A-Z]{2}[a-z]|[+/=]|[A-Za-z][0-9][A-Za-z]")
"""In most base64 texts and in few words."""
_NAMED_DATE = re.compile(r"(^|_)(date|day|dob|birth\w*|born|on)(_|$)|date$", re.IGNORECASE)
_NAMED_TIME = re.compile(r"(^|_)(time\w*|clock|hour)(_|$)", re.IGNORECASE)
_NAMED_FLAG = re.compile(
    r"^(is|has|can|was|allow\w*)_|(^|_)(active|enabled|flag|deleted|subscri\w*)(_|$)", re.IGNORECASE
)

_INFINITE = frozenset(
    {-622_191_234, 2**63 - 1, -(2**63)}
    | {sign // unit for sign in (9_223_372_036_825_200_000, -9_223_372_036_832_400_000) for unit in (1, 1000)}
)
"""PostgreSQL's infinite dates and timestamps, as Debezium writes them: no evidence of anything."""

_parse = msgspec.json.Decoder().decode

_MANY = {
    "boolean": "booleans",
    "whole number": "whole numbers",
    "number with a fraction": "numbers with a fraction",
    "text": "texts",
    "list": "lists",
    "decimal with its scale": "decimals with their scales",
    "object": "objects",
}
"""Every kind of value that JSON can show, in the plural."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """`type` is None where nothing was seen to go by; `others` fit as well, the likeliest first."""

    type: str | None
    others: tuple[str, ...]
    evidence: str
    """How many values of what kind, and what decided; holds nothing of them."""

    def __str__(self) -> str:
        return self.evidence if self.type is None else " or ".join((self.type, *self.others))


class Evidence:
    """The values of one column, or of its lists' items."""

    def __init__(self) -> None:
        self._kinds: Counter[str] = Counter()
        self._fits: Counter[str] = Counter()
        self._ints: list[int] = []
        self._places = 0
        self._octets: set[int] = set()
        self._items: Evidence | None = None

    def see(self, value: Any) -> None:
        """Takes a wire value, as JSON shows it with fractions as Decimal, or Absent."""
        if isinstance(value, Absent) or value in unavailable.ANY:
            self._kinds["absent"] += 1
            return
        match value:
            case None:
                self._kinds["NULL"] += 1
            case bool():
                self._kinds["boolean"] += 1
            case int() if value in _INFINITE:
                self._kinds["absent"] += 1
            case int():
                self._kinds["whole number"] += 1
                self._ints = [min(value, *self._ints), max(value, *self._ints)] if self._ints else [value, value]
            case float() | Decimal():
                self._kinds["number with a fraction"] += 1
                places = str(value).partition(".")[2]
                self._places = max(self._places, len(places) if places.isdecimal() else 2)
            case str():
                self._kinds["text"] += 1
                self._see_text(value)
            case list():
                self._kinds["list"] += 1
                self._items = self._items or Evidence()
                for item in value:
                    self._items.see(item)
            case {"scale": int(scale), "value": str()}:
                self._kinds["decimal with its scale"] += 1
                self._places = max(self._places, scale)
            case _:
                self._kinds["object"] += 1

    def proposal(self, name: str = "") -> Proposal:
        """The type it speaks for; `name` is the column's."""
        kinds = {kind: count for kind, count in self._kinds.items() if kind not in ("NULL", "absent")}
        if not kinds:
            missing = "only NULL" if self._kinds["NULL"] else "not in the records"
            return Proposal(None, (), f"{missing}: ask the table's definition")
        types, why = self._types(frozenset(kinds), name)
        told = ", ".join(f"{count} {kind if count == 1 else _MANY[kind]}" for kind, count in kinds.items())
        nulls = f", {self._kinds['NULL']} NULL" if self._kinds["NULL"] else ""
        return Proposal(types[0], types[1:], f"{told}{nulls}{f'; {why}' if why else ''}")

    def _types(self, kinds: frozenset[str], name: str) -> tuple[tuple[str, ...], str]:
        if "number with a fraction" in kinds:
            numbers = {"number with a fraction", "whole number"}
            rest = self._kinds["text"] - self._fits["no number"]
            if kinds <= numbers:
                return ("float", f"decimal({self._places})"), ""
            if kinds <= {*numbers, "text"} and not rest:
                return ("float",), ""
        if len(kinds) > 1:
            bools = kinds == {"boolean", "whole number"} and self._ints[0] >= 0 and self._ints[1] <= 1
            return (("bool",), "") if bools else (("json",), "values of several kinds")
        match next(iter(kinds)):
            case "boolean":
                return ("bool",), ""
            case "whole number":
                return self._whole(name)
            case "text":
                return self._text()
            case "list":
                return self._list(name)
            case "decimal with its scale":
                return (f"decimal({self._places})",), ""
        return ("json",), ""

    def _whole(self, name: str) -> tuple[tuple[str, ...], str]:
        low, high = self._ints
        first, last = _SECONDS
        for moment, unit in _UNITS:
            if first * unit <= low and high <= last * unit:
                return (moment, "int"), f"all of them between 1990 and 2100 as {moment}"
        fitting = []
        if low >= 0 and high <= 1:
            fitting.append(("bool", _NAMED_FLAG))
        elif _DAYS[0] <= low and high <= _DAYS[1]:
            fitting.append(("date", _NAMED_DATE))
        if low >= 0 and high > 1:
            fitting += [(time, _NAMED_TIME) for time, end in _DAY if high <= end < high * 1000][:1]
        by_name = [kind for kind, named in fitting if named.search(name)]
        others = tuple(kind for kind, _ in fitting if kind not in by_name)
        if by_name:
            return (*by_name, "int", *others), "the column's name decided"
        return ("int", *others), ""

    def _text(self) -> tuple[tuple[str, ...], str]:
        count, fits = self._kinds["text"], self._fits
        for kind in ("date", "zoned_timestamp", "time", "uuid", "duration"):
            if fits[kind] == count:
                return (kind,), ""
        if fits["JSON"] == count and fits["document"]:
            return ("json",), ""
        if fits["no number"] == count:
            return ("float", "text"), ""
        if fits["number"] == count:
            return ((f"decimal({self._places})", "text"), "numbers as text") if self._places else (("text",), "")
        if fits["base64"] < count or fits["phone"] == count:
            return ("text",), ""
        if fits["empty"] == count:
            return ("text", "bytes"), "empty texts"
        numeric = max(self._octets) <= _NUMERIC_BYTES and fits["signed"] == count
        others = (*(("decimal(2)",) if numeric else ()), "bytes")
        if fits["random"] * 2 < count:
            return ("text", *others), "all of them are base64 as well"
        if numeric and not (len(self._octets) == 1 and min(self._octets) >= 8 and count > 2):
            return ("decimal(2)", "bytes", "text"), "base64; the scale is not in the data: set the column's own"
        return ("bytes", *others[:-1], "text"), "base64"

    def _list(self, name: str) -> tuple[tuple[str, ...], str]:
        inner = Evidence().proposal() if self._items is None else self._items.proposal(name)
        if inner.type is None:
            return ("array(text)",), "empty lists: ask the table's definition"
        return tuple(f"array({kind})" for kind in (inner.type, *inner.others)), f"of {inner.evidence}"

    def _see_text(self, text: str) -> None:
        fits, text = self._fits, text[:_LONGEST]
        for kind, pattern in _PATTERNS.items():
            fits[kind] += pattern.fullmatch(text) is not None
        if number := _NUMBER.fullmatch(text):
            fits["number"] += 1
            self._places = max(self._places, len(number[1] or ""))
        fits["phone"] += _PHONE.fullmatch(text) is not None
        if _is_json(text):
            fits["JSON"] += 1
            fits["document"] += text.lstrip()[:1] in ("{", "[")
        fits["empty"] += not text
        try:
            octets = b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            return
        fits["base64"] += 1
        fits["random"] += _RANDOM.search(text) is not None
        if octets:
            self._octets.add(min(len(octets), _NUMERIC_BYTES + 1))
            # Java writes no byte more than the number needs.
            fits["signed"] += octets[:1] not in (b"\0", b"\xff") or len(octets) == 1 or octets[0] >> 7 != octets[1] >> 7


def evidence(rows: Iterable[dict[str, Any]]) -> dict[str, Evidence]:
    """What rows say of each of their columns."""
    found: dict[str, Evidence] = {}
    for row in rows:
        for name, value in row.items():
            found.setdefault(name, Evidence()).see(value)
    return found


def _is_json(text: str) -> bool:
    if len(text) == _LONGEST:
        return text.lstrip()[:1] in ("{", "[")
    try:
        _parse(text)
    except (ValueError, RecursionError):
        return False
    return True
