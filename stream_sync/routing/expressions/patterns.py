r"""like and ilike.

Invariants:
- Matching never backtracks: the parts between % are found from left to right, each at its first place; the time is at
  most the text's length times the pattern's.
- `_` is one character (code point), % any number, and the escape character (\\ by default) makes either literal.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

from stream_sync.errors import FAULTS
from stream_sync.model import Row
from stream_sync.routing.expressions.errors import EvaluationError, ExpressionError, failure, mismatch
from stream_sync.routing.expressions.kinds import Kind
from stream_sync.routing.expressions.node import Bound, Node, Reader, require_kind
from stream_sync.routing.expressions.text_functions import lower

Matches = Callable[[str], bool]
_ANY_CHARACTER = None
_Part = list[str | None]


def like(operand: Node, pattern: Node, escape: str, ignore_case: bool, position: int | None) -> Node:
    """`operand like pattern escape escape`; `ilike` where `ignore_case`."""
    name = "ilike" if ignore_case else "like"
    where = f"{operand.label} {name}"
    if len(escape) > 1:
        raise ExpressionError("escape takes one character, or '' for none", position)
    for side in (operand, pattern):
        require_kind(where, side, (Kind.TEXT, Kind.UNKNOWN), "text")
    if pattern.constant and isinstance(pattern.value, str):
        bind = _with_literal(where, operand, pattern, escape, ignore_case)
    else:
        bind = _with_any(where, operand, pattern, escape, ignore_case)
    return Node(bind, Kind.BOOLEAN, f"the result of {name}", position)


def _with_literal(
    where: str, operand: Node, pattern: Node, escape: str, ignore_case: bool
) -> Callable[[Reader], Bound]:
    try:
        matches = matcher(pattern.value, escape, ignore_case)
    except EvaluationError as error:
        raise ExpressionError(f"{where}: {error}", pattern.position) from None

    def bind(reader: Reader) -> Bound:
        read = operand.bind(reader)

        def run(row: Row) -> bool | None:
            value = read(row)
            if type(value) is str:
                return matches(value)
            if value is None:
                return None
            raise mismatch(where, operand.label, "text", value)

        return run

    return bind


def _with_any(where: str, operand: Node, pattern: Node, escape: str, ignore_case: bool) -> Callable[[Reader], Bound]:
    def bind(reader: Reader) -> Bound:
        read, read_pattern = operand.bind(reader), pattern.bind(reader)

        def run(row: Row) -> bool | None:
            value, found = read(row), read_pattern(row)
            if value is None or found is None:
                return None
            for side, own in ((operand, value), (pattern, found)):
                if type(own) is not str:
                    raise mismatch(where, side.label, "text", own)
            try:
                return matcher(found, escape, ignore_case)(value)
            except FAULTS as fault:
                raise failure(where, fault) from None

        return run

    return bind


@functools.lru_cache(maxsize=256)
def matcher(pattern: str, escape: str, ignore_case: bool) -> Matches:
    """A function that says whether a text matches. Raises EvaluationError for a pattern that ends in its escape."""
    parts = _parts(lower(pattern) if ignore_case else pattern, escape)
    matches = (
        _plain(["".join(map(str, part)) for part in parts]) if all(None not in p for p in parts) else _general(parts)
    )
    return (lambda text: matches(lower(text))) if ignore_case else matches


def _parts(pattern: str, escape: str) -> list[_Part]:
    """The pattern cut at each %; None stands for `_`."""
    parts: list[_Part] = [[]]
    characters = iter(pattern)
    for character in characters:
        if escape and character == escape:
            literal = next(characters, None)
            if literal is None:
                raise EvaluationError("the pattern ends with its escape character")
            parts[-1].append(literal)
        elif character == "%":
            parts.append([])
        else:
            parts[-1].append(_ANY_CHARACTER if character == "_" else character)
    return parts


def _plain(parts: list[str]) -> Matches:
    """A pattern without `_`."""
    match parts:
        case [whole]:
            return whole.__eq__
        case ["", part, ""]:
            return lambda text: part in text
        case [beginning, ""]:
            return lambda text: text.startswith(beginning)
        case ["", ending]:
            return lambda text: text.endswith(ending)
    beginning, *middle, ending = parts
    least = sum(map(len, parts))

    def run(text: str) -> bool:
        if len(text) < least or not text.startswith(beginning) or not text.endswith(ending):
            return False
        place, end = len(beginning), len(text) - len(ending)
        for part in middle:
            place = text.find(part, place, end)
            if place < 0:
                return False
            place += len(part)
        return True

    return run


def _general(parts: list[_Part]) -> Matches:
    compiled = [
        re.compile("".join("." if one is None else re.escape(one) for one in part), re.DOTALL) for part in parts
    ]
    lengths = [len(part) for part in parts]
    least = sum(lengths)
    if len(parts) == 1:
        return lambda text: len(text) == least and compiled[0].fullmatch(text) is not None
    first, *middle, last = compiled

    def run(text: str) -> bool:
        end = len(text) - lengths[-1]
        if len(text) < least or first.match(text) is None or last.match(text, end) is None:
            return False
        place = lengths[0]
        for part in middle:
            found = part.search(text, place, end)
            if found is None:
                return False
            place = found.end()
        return True

    return run
