"""Functions of arrays.

Invariants:
- Arrays count from 1; the length of an empty array is NULL (array_length) or 0 (cardinality), as in PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stream_sync.errors import FAULTS
from stream_sync.model import Row
from stream_sync.routing.expressions.errors import failure, mismatch
from stream_sync.routing.expressions.functions import ARRAY, INTEGER, Function, strict, table
from stream_sync.routing.expressions.kinds import Kind
from stream_sync.routing.expressions.literals import read_literal
from stream_sync.routing.expressions.node import Bound, Node, Reader, require_kind
from stream_sync.routing.expressions.values import compare


def _array_length(elements: list[Any], dimension: int) -> int | None:
    while dimension > 1 and elements and isinstance(elements[0], list):
        elements, dimension = elements[0], dimension - 1
    return len(elements) if elements and dimension == 1 else None


def _cardinality(elements: list[Any]) -> int:
    if elements and isinstance(elements[0], list):
        return len(elements) * _cardinality(elements[0])
    return len(elements)


def _array_position(arguments: Sequence[Node], position: int | None) -> Node:
    """array_position looks for NULL too, so it is not strict."""
    array, wanted = arguments
    where = "array_position()"
    require_kind(where, array, (Kind.ARRAY,), "array")

    def bind(reader: Reader) -> Bound:
        read, read_wanted = array.bind(reader), wanted.bind(reader)

        def run(row: Row) -> int | None:
            elements, value = read(row), read_wanted(row)
            if elements is None:
                return None
            if type(elements) is not list:
                raise mismatch(where, array.label, "array", elements)
            try:
                if value is not None and wanted.kind is Kind.UNKNOWN:
                    value = read_literal(value, next((one for one in elements if one is not None), ""))
                for place, element in enumerate(elements, 1):
                    same = compare("=", element, value) if None not in (element, value) else element is value
                    if same:
                        return place
            except FAULTS as fault:
                raise failure(where, fault) from None
            return None

        return run

    return Node(bind, Kind.INTEGER, where, position)


FUNCTIONS: dict[str, Function] = table(
    {
        "array_length": (
            "array_length(array, 1)",
            "number of elements; NULL for an empty array",
            strict("array_length", [ARRAY, INTEGER], _array_length, Kind.INTEGER),
        ),
        "cardinality": (
            "cardinality(array)",
            "number of elements",
            strict("cardinality", [ARRAY], _cardinality, Kind.INTEGER),
        ),
        "array_position": ("array_position(array, value)", "where the value first is, from 1", (_array_position, 2, 2)),
    }
)
