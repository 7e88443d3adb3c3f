"""Functions of text.

Invariants:
- Text is counted in code points; letters change case one for one (no `ß` to `SS`), as PostgreSQL's C.UTF-8 does.
- No result is longer than MAX_TEXT: an error instead, so that one row cannot fill the memory.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from stream_sync.errors import FAULTS
from stream_sync.model import Row
from stream_sync.routing.expressions.errors import EvaluationError, failure
from stream_sync.routing.expressions.functions import ARRAY, INTEGER, TEXT, Build, Function, Parameter, strict, table
from stream_sync.routing.expressions.kinds import Kind
from stream_sync.routing.expressions.node import Bound, Node, Reader
from stream_sync.routing.expressions.text_output import concatenated

MAX_TEXT = 1_000_000
"""Characters a function may produce."""


def _bounded(length: int) -> int:
    if length > MAX_TEXT:
        raise EvaluationError(f"a text of more than {MAX_TEXT} characters")
    return length


def _cased(text: str, change: Callable[[str], str]) -> str:
    return "".join(changed if len(changed := change(letter)) == 1 else letter for letter in text)


def lower(text: str) -> str:
    """Small letters."""
    return text.lower() if text.isascii() else _cased(text, str.lower)


def upper(text: str) -> str:
    """Capital letters."""
    return text.upper() if text.isascii() else _cased(text, str.upper)


def _case(name: str, ascii_only: Callable[[str], str], general: Callable[[str], str]) -> tuple[Build, int, int]:
    """lower() and upper(): the most used functions have a path of their own for ASCII."""
    build, fewest, most = strict(name, [TEXT], general, Kind.TEXT)

    def build_case(arguments: Sequence[Node], position: int | None) -> Node:
        node = build(arguments, position)

        def bind(reader: Reader) -> Bound:
            read, otherwise = arguments[0].bind(reader), node.bind(reader)

            def run(row: Row) -> str | None:
                value = read(row)
                if type(value) is str and value.isascii():
                    return ascii_only(value)
                return None if value is None else otherwise(row)

            return run

        return dataclasses.replace(node, bind=bind)

    return build_case, fewest, most


def _initcap(text: str) -> str:
    letters, inside = [], False
    for letter in text:
        letters.append(lower(letter) if inside else upper(letter))
        inside = letter.isalnum()
    return "".join(letters)


def _left(text: str, count: int) -> str:
    return text[:count]


def _right(text: str, count: int) -> str:
    return text[-count:] if count else ""


def substring(text: str, start: int, count: int | None = None) -> str:
    """From place `start` (1 is the first; places before it count as empty)."""
    if count is None:
        return text[max(start, 1) - 1 :]
    if count < 0:
        raise EvaluationError("negative substring length")
    return text[max(start, 1) - 1 : max(start + count, 1) - 1]


def _replace(text: str, old: str, new: str) -> str:
    if not old:
        return text
    if len(new) > len(old):
        _bounded(len(text) + text.count(old) * (len(new) - len(old)))
    return text.replace(old, new)


def _split_part(text: str, delimiter: str, place: int) -> str:
    if place == 0:
        raise EvaluationError("field position must not be zero")
    parts = text.split(delimiter) if delimiter else [text]
    index = place - 1 if place > 0 else len(parts) + place
    return parts[index] if 0 <= index < len(parts) else ""


def strpos(text: str, part: str) -> int:
    """The first place of part, from 1; 0 where it is not."""
    return text.find(part) + 1


def _padding(missing: int, fill: str) -> str:
    return (fill * (missing // len(fill) + 1))[:missing] if fill and missing > 0 else ""


def _lpad(text: str, length: int, fill: str = " ") -> str:
    length = _bounded(max(length, 0))
    return _padding(length - len(text), fill) + text[:length]


def _rpad(text: str, length: int, fill: str = " ") -> str:
    length = _bounded(max(length, 0))
    return text[:length] + _padding(length - len(text), fill)


def _repeat(text: str, times: int) -> str:
    _bounded(len(text) * max(times, 0))
    return text * times


def btrim(text: str, characters: str = " ") -> str:
    """Without the characters at both ends."""
    return text.strip(characters)


def ltrim(text: str, characters: str = " ") -> str:
    """Without the characters at the start."""
    return text.lstrip(characters)


def rtrim(text: str, characters: str = " ") -> str:
    """Without the characters at the end."""
    return text.rstrip(characters)


def _array_to_string(elements: list[object], separator: str, null: str | None = None) -> str:
    parts = [null if element is None else concatenated(element) for element in elements]
    return separator.join(part for part in parts if part is not None)


def _concat(name: str, separated: bool) -> Callable[[Sequence[Node], int | None], Node]:
    """concat() and concat_ws(): NULL arguments are left out; a NULL separator gives NULL."""

    def build(arguments: Sequence[Node], position: int | None) -> Node:
        where = f"{name}()"

        def bind(reader: Reader) -> Bound:
            reads = [argument.bind(reader) for argument in arguments]

            def run(row: Row) -> str | None:
                values = [read(row) for read in reads]
                try:
                    parts = [None if value is None else concatenated(value) for value in values]
                except FAULTS as fault:
                    raise failure(where, fault) from None
                separator = parts.pop(0) if separated else ""
                return None if separator is None else separator.join(part for part in parts if part is not None)

            return run

        return Node(bind, Kind.TEXT, where, position)

    return build


_T, _I = Kind.TEXT, Kind.INTEGER
_TEXTS: list[Parameter] = [TEXT, TEXT]
FUNCTIONS: dict[str, Function] = table(
    {
        "lower": ("lower(text)", "small letters", _case("lower", str.lower, lower)),
        "upper": ("upper(text)", "capital letters", _case("upper", str.upper, upper)),
        "initcap": ("initcap(text)", "each word with a capital", strict("initcap", [TEXT], _initcap, _T)),
        "length": ("length(text)", "number of characters", strict("length", [TEXT], len, _I)),
        "char_length": ("char_length(text)", "the same", strict("char_length", [TEXT], len, _I)),
        "character_length": ("character_length(text)", "the same", strict("character_length", [TEXT], len, _I)),
        "btrim": (
            "btrim(text [, characters])",
            "without spaces (or the characters) at both ends; also `trim([both] [characters] from text)`",
            strict("btrim", _TEXTS, btrim, _T, optional=1),
        ),
        "ltrim": (
            "ltrim(text [, characters])",
            "… at the start; also `trim(leading … from text)`",
            strict("ltrim", _TEXTS, ltrim, _T, optional=1),
        ),
        "rtrim": (
            "rtrim(text [, characters])",
            "… at the end; also `trim(trailing … from text)`",
            strict("rtrim", _TEXTS, rtrim, _T, optional=1),
        ),
        "left": (
            "left(text, n)",
            "the first n characters; n < 0: all but the last",
            strict("left", [TEXT, INTEGER], _left, _T),
        ),
        "right": (
            "right(text, n)",
            "the last n characters; n < 0: all but the first",
            strict("right", [TEXT, INTEGER], _right, _T),
        ),
        "substr": (
            "substr(text, start [, count])",
            "a part, from 1; also `substring(text, start, count)` and `substring(text from start for count)`",
            strict("substr", [TEXT, INTEGER, INTEGER], substring, _T, optional=1),
        ),
        "replace": ("replace(text, old, new)", "every old by new", strict("replace", [TEXT, TEXT, TEXT], _replace, _T)),
        "split_part": (
            "split_part(text, delimiter, n)",
            "the n-th part, from 1; n < 0: from the end",
            strict("split_part", [TEXT, TEXT, INTEGER], _split_part, _T),
        ),
        "strpos": (
            "strpos(text, part)",
            "where part first is, from 1; 0: nowhere; also `position(part in text)`",
            strict("strpos", _TEXTS, strpos, _I),
        ),
        "starts_with": (
            "starts_with(text, beginning)",
            "boolean",
            strict("starts_with", _TEXTS, str.startswith, Kind.BOOLEAN),
        ),
        "lpad": (
            "lpad(text, n [, fill])",
            "filled (or cut) to n characters",
            strict("lpad", [TEXT, INTEGER, TEXT], _lpad, _T, optional=1),
        ),
        "rpad": (
            "rpad(text, n [, fill])",
            "the same at the end",
            strict("rpad", [TEXT, INTEGER, TEXT], _rpad, _T, optional=1),
        ),
        "repeat": ("repeat(text, n)", "n times", strict("repeat", [TEXT, INTEGER], _repeat, _T)),
        "reverse": ("reverse(text)", "backwards", strict("reverse", [TEXT], lambda text: text[::-1], _T)),
        "concat": ("concat(any, …)", "all as one text; NULLs left out", (_concat("concat", False), 1, None)),
        "concat_ws": (
            "concat_ws(separator, any, …)",
            "all with the separator between; NULLs left out",
            (_concat("concat_ws", True), 2, None),
        ),
        "array_to_string": (
            "array_to_string(array, separator [, null])",
            "the elements as one text; NULLs left out, or as the third argument",
            strict("array_to_string", [ARRAY, TEXT, TEXT], _array_to_string, _T, optional=1),
        ),
    }
)
