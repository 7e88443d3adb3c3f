"""array[…], subscripts, and the operators @> and && of arrays (and of JSON).

Invariants:
- Elements that are NULL are in nothing, as in PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stream_sync.errors import FAULTS
from stream_sync.model import Row
from stream_sync.routing.expressions.errors import EvaluationError, ExpressionError, failure, mismatch
from stream_sync.routing.expressions.kinds import Json, Kind, kind_of, unwrapped
from stream_sync.routing.expressions.literals import read_literal
from stream_sync.routing.expressions.node import Bound, Node, Reader, require_kind
from stream_sync.routing.expressions.values import compare, contains, documents_equal


def array_constructor(items: Sequence[Node], position: int | None) -> Node:
    """`array[a, b, …]`."""

    def bind(reader: Reader) -> Bound:
        reads = [item.bind(reader) for item in items]
        return lambda row: [unwrapped(read(row)) for read in reads]

    if all(item.constant for item in items):
        values = [item.value for item in items]
        return Node(lambda reader: lambda row: values, Kind.ARRAY, "the array", position, constant=True, value=values)
    return Node(bind, Kind.ARRAY, "the array", position)


def subscript(array: Node, index: Node, position: int | None) -> Node:
    """`array[index]`, from 1; outside the array it is NULL."""
    where = f"{array.label}[…]"
    require_kind(where, array, (Kind.ARRAY,), "array")
    require_kind(where, index, (Kind.INTEGER,), "integer")

    def bind(reader: Reader) -> Bound:
        read, read_index = array.bind(reader), index.bind(reader)

        def run(row: Row) -> Any:
            elements, place = read(row), read_index(row)
            if elements is None or place is None:
                return None
            if type(elements) is not list:
                raise mismatch(where, array.label, "array (use -> for JSON)", elements)
            if type(place) is not int:
                raise mismatch(where, index.label, "integer", place)
            return elements[place - 1] if 0 < place <= len(elements) else None

        return run

    return Node(bind, None, where, position)


def containment(symbol: str, whole: Node, part: Node, position: int | None) -> Node:
    """`whole @> part` and `whole && part`, of arrays; @> of JSON too."""
    where = f"{whole.label} {symbol} {part.label}"
    for side in (whole, part):
        require_kind(where, side, (Kind.ARRAY, Kind.JSON, Kind.UNKNOWN), "array or json")
    if whole.kind is part.kind is Kind.UNKNOWN:
        raise ExpressionError(f"{symbol} between two quoted literals; cast one, as in '{{a,b}}'::text[]", position)

    def bind(reader: Reader) -> Bound:
        read, read_part = whole.bind(reader), part.bind(reader)

        def run(row: Row) -> bool | None:
            one, other = read(row), read_part(row)
            if one is None or other is None:
                return None
            try:
                if part.kind is Kind.UNKNOWN:
                    other = read_literal(other, one)
                elif whole.kind is Kind.UNKNOWN:
                    one = read_literal(one, other)
                return _related(symbol, one, other)
            except FAULTS as fault:
                raise failure(where, fault) from None

        return run

    return Node(bind, Kind.BOOLEAN, f"the result of {symbol}", position)


def _related(symbol: str, one: Any, other: Any) -> bool:
    if type(one) is list and type(other) is list:
        first, second = _sample(one), _sample(other)
        if first is not None and second is not None and not isinstance(first, (list, dict)):
            compare("=", first, second)  # for its check of the types
        if symbol == "@>":
            return all(item is not None and any(map(documents_equal, one, [item] * len(one))) for item in other)
        return any(item is not None and any(map(documents_equal, one, [item] * len(one))) for item in other)
    if symbol == "@>" and type(one) in (dict, list, Json) and type(other) in (dict, list, Json):
        return contains(unwrapped(one), unwrapped(other))
    raise EvaluationError(f"{kind_of(one)} {symbol} {kind_of(other)} is not defined")


def _sample(values: list[Any]) -> Any:
    return next((value for value in values if value is not None), None)
