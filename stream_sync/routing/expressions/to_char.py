"""to_char of dates and timestamps.

Invariants:
- The format is a literal, taken apart once.
- A pattern of PostgreSQL's that is not supported is an error, not copied as text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime

from stream_sync.routing.expressions.errors import ExpressionError
from stream_sync.routing.expressions.functions import MOMENT, Function, strict, table
from stream_sync.routing.expressions.kinds import Kind, midnight
from stream_sync.routing.expressions.node import Node

_MONTHS = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
]  # fmt: skip
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


def _number(width: int, read: Callable[[datetime], int]) -> tuple[int, Callable[[datetime], str]]:
    return width, lambda moment: f"{read(moment):0{width}}"


def _cases(word: str, read: Callable[[datetime], str], width: int) -> dict[str, tuple[int, Callable[[datetime], str]]]:
    """A name in capitals, as written, and in small letters, as the pattern is written; `width` pads."""
    return {
        word.upper(): (-width, lambda moment: read(moment).upper()),
        word.capitalize(): (-width, read),
        word.lower(): (-width, lambda moment: read(moment).lower()),
    }


# Pattern: width (numbers are padded with zeros, names (negative) with spaces; FM turns both off), text of a moment.
PATTERNS: dict[str, tuple[int, Callable[[datetime], str]]] = {
    "YYYY": _number(4, lambda moment: moment.year),
    "YYY": _number(3, lambda moment: moment.year % 1000),
    "YY": _number(2, lambda moment: moment.year % 100),
    "Y": _number(1, lambda moment: moment.year % 10),
    "IYYY": _number(4, lambda moment: moment.isocalendar().year),
    "MM": _number(2, lambda moment: moment.month),
    "DD": _number(2, lambda moment: moment.day),
    "DDD": _number(3, lambda moment: moment.timetuple().tm_yday),
    "D": _number(1, lambda moment: moment.isoweekday() % 7 + 1),
    "ID": _number(1, lambda moment: moment.isoweekday()),
    "Q": _number(1, lambda moment: (moment.month + 2) // 3),
    "IW": _number(2, lambda moment: moment.isocalendar().week),
    "WW": _number(2, lambda moment: (moment.timetuple().tm_yday - 1) // 7 + 1),
    "W": _number(1, lambda moment: (moment.day - 1) // 7 + 1),
    "HH24": _number(2, lambda moment: moment.hour),
    "HH12": _number(2, lambda moment: (moment.hour + 11) % 12 + 1),
    "HH": _number(2, lambda moment: (moment.hour + 11) % 12 + 1),
    "MI": _number(2, lambda moment: moment.minute),
    "SS": _number(2, lambda moment: moment.second),
    "MS": _number(3, lambda moment: moment.microsecond // 1000),
    "US": _number(6, lambda moment: moment.microsecond),
    "AM": (0, lambda moment: "AM" if moment.hour < 12 else "PM"),
    "PM": (0, lambda moment: "AM" if moment.hour < 12 else "PM"),
    "am": (0, lambda moment: "am" if moment.hour < 12 else "pm"),
    "pm": (0, lambda moment: "am" if moment.hour < 12 else "pm"),
    **_cases("month", lambda moment: _MONTHS[moment.month - 1], 9),
    **_cases("mon", lambda moment: _MONTHS[moment.month - 1][:3], 0),
    **_cases("day", lambda moment: _DAYS[moment.weekday()], 9),
    **_cases("dy", lambda moment: _DAYS[moment.weekday()][:3], 0),
}
_NAMES = {"MONTH", "MON", "DAY", "DY", "AM", "PM"}
"""Patterns whose letters' case means something; the others are the same in small letters."""
_UNSUPPORTED = [
    "Y,YYY", "IYY", "IY", "I", "IDDD", "J", "RM", "CC", "BC", "AD", "B.C.", "A.D.", "A.M.", "P.M.", "SSSSS",
    "SSSS", "FF1", "FF2", "FF3", "FF4", "FF5", "FF6", "TZH", "TZM", "TZ", "OF", "TH", "TM", "FX", "SP",
]  # fmt: skip
_LONGEST = sorted({*map(str.upper, PATTERNS), *_UNSUPPORTED, "FM"}, key=len, reverse=True)


def _compiled(text: str, position: int | None) -> list[str | Callable[[datetime], str]]:
    parts: list[str | Callable[[datetime], str]] = []
    place, bare = 0, False
    while place < len(text):
        rest = text[place:]
        if rest[0] == '"':
            quoted, closed, _ = rest[1:].partition('"')
            if not closed:
                raise ExpressionError("a double quote in the format is not closed", position)
            parts.append(quoted)
            place += len(quoted) + 2
            continue
        found = next((name for name in _LONGEST if rest.upper().startswith(name)), None)
        if found is None:
            parts.append(rest[0])
            place += 1
            continue
        place += len(found)
        if found == "FM":
            bare = True
            continue
        parts.append(_pattern(found, rest[: len(found)], bare, position))
        bare = False
    return parts


def _pattern(name: str, written: str, bare: bool, position: int | None) -> Callable[[datetime], str]:
    entry = PATTERNS.get(written if name in _NAMES else name)
    if entry is None:
        known = " ".join(PATTERNS)
        raise ExpressionError(
            f"to_char: {written} is not supported; put text in double quotes; known: {known}", position
        )
    width, read = entry
    if bare:
        return (lambda moment: read(moment).lstrip("0") or "0") if width > 0 else read
    return (lambda moment: f"{read(moment):<{-width}}") if width < 0 else read


def _to_char(arguments: Sequence[Node], position: int | None) -> Node:
    source, pattern = arguments
    if not pattern.constant or not isinstance(pattern.value, str):
        raise ExpressionError("to_char: the format must be a quoted literal, such as 'YYYY-MM-DD'", pattern.position)
    parts = _compiled(pattern.value, pattern.position)

    def implementation(value: date) -> str:
        moment = value if isinstance(value, datetime) else midnight(value)
        return "".join(part if isinstance(part, str) else part(moment) for part in parts)

    build, _, _ = strict("to_char", [MOMENT], implementation, Kind.TEXT)
    return build([source], position)


FUNCTIONS: dict[str, Function] = table(
    {"to_char": ("to_char(moment, 'format')", "a date or timestamp as text; patterns below", (_to_char, 2, 2))}
)
