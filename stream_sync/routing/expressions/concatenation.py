"""The operator || of texts and of arrays.

Invariants:
- One side is text, and the other becomes text; or both are arrays.
"""

from __future__ import annotations

from typing import Any

from stream_sync.errors import FAULTS
from stream_sync.model import Row
from stream_sync.routing.expressions.errors import EvaluationError, ExpressionError, failure
from stream_sync.routing.expressions.kinds import Kind, kind_of
from stream_sync.routing.expressions.node import Bound, Node, Reader
from stream_sync.routing.expressions.text_output import text

_TEXTS = (Kind.TEXT, Kind.UNKNOWN)


def _joined(left: Any, right: Any) -> Any:
    if type(left) is list and type(right) is list:
        return left + right
    if type(left) is list or type(right) is list:
        raise EvaluationError("an array can be joined with an array only; write array[x]")
    if type(left) is str or type(right) is str:
        return text(left) + text(right)
    raise EvaluationError(f"{kind_of(left)} || {kind_of(right)} is not defined; cast one of them to text")


def concatenation(left: Node, right: Node, position: int | None) -> Node:
    """The node of `left || right`."""
    where = f"{left.label} || {right.label}"
    kinds = (left.kind, right.kind)
    if None not in kinds and not {Kind.TEXT, Kind.UNKNOWN, Kind.ARRAY, Kind.NULL} & set(kinds):
        raise ExpressionError(f"{left.kind} || {right.kind} is not defined; cast one of them to text", position)

    def bind(reader: Reader) -> Bound:
        read_left, read_right = left.bind(reader), right.bind(reader)

        def run(row: Row) -> Any:
            one, other = read_left(row), read_right(row)
            if type(one) is str and type(other) is str:
                return one + other
            if one is None or other is None:
                # NULL beside an array is an empty array, beside anything else it makes the result NULL.
                return one if type(one) is list else other if type(other) is list else None
            try:
                return _joined(one, other)
            except FAULTS as fault:
                raise failure(where, fault) from None

        return run

    known_text = None not in kinds and Kind.ARRAY not in kinds and any(kind in _TEXTS for kind in kinds)
    kind = Kind.TEXT if known_text else None
    return Node(bind, kind, "the result of ||", position, not_boolean=True)
