"""and, or, not, is null / true / false: three-valued logic.

Invariants:
- Every result is True, False or None (NULL).
- and and or stop at the first operand that decides.
"""

from __future__ import annotations

from collections.abc import Sequence

from stream_sync.model import Row
from stream_sync.routing.expressions.kinds import Kind
from stream_sync.routing.expressions.node import Bound, Node, Reader, boolean


def all_of(operands: Sequence[Node], position: int | None) -> Node:
    """`a and b and …`."""
    binds = [boolean("and", operand) for operand in operands]

    def bind(reader: Reader) -> Bound:
        if len(binds) == 2:
            return _both(binds[0](reader), binds[1](reader))
        reads = tuple(bind_one(reader) for bind_one in binds)

        def run(row: Row) -> bool | None:
            result: bool | None = True
            for read in reads:
                value = read(row)
                if value is False:
                    return False
                if value is None:
                    result = None
            return result

        return run

    return Node(bind, Kind.BOOLEAN, "the result of and", position)


def _both(left: Bound, right: Bound) -> Bound:
    def run(row: Row) -> bool | None:
        one = left(row)
        if one is False:
            return False
        other = right(row)
        return other if one or other is False else None

    return run


def one_of(operands: Sequence[Node], position: int | None) -> Node:
    """`a or b or …`."""
    binds = [boolean("or", operand) for operand in operands]

    def bind(reader: Reader) -> Bound:
        reads = tuple(bind_one(reader) for bind_one in binds)

        def run(row: Row) -> bool | None:
            result: bool | None = False
            for read in reads:
                value = read(row)
                if value:
                    return True
                if value is None:
                    result = None
            return result

        return run

    return Node(bind, Kind.BOOLEAN, "the result of or", position)


def negation(operand: Node, position: int | None) -> Node:
    """`not a`."""
    bind_operand = boolean("not", operand)

    def bind(reader: Reader) -> Bound:
        read = bind_operand(reader)

        def run(row: Row) -> bool | None:
            value = read(row)
            return None if value is None else not value

        return run

    return Node(bind, Kind.BOOLEAN, "the result of not", position)


def is_null(operand: Node, negate: bool, position: int | None) -> Node:
    """`a is null`, or `is not null` where negated."""

    def bind(reader: Reader) -> Bound:
        read = operand.bind(reader)
        if negate:
            return lambda row: read(row) is not None
        return lambda row: read(row) is None

    return Node(bind, Kind.BOOLEAN, "the result of is null", position)


def is_boolean(operand: Node, wanted: bool, negate: bool, position: int | None) -> Node:
    """`a is true`, `a is not false` …: never NULL."""
    bind_operand = boolean("is true", operand)

    def bind(reader: Reader) -> Bound:
        read = bind_operand(reader)
        return lambda row: (read(row) is wanted) is not negate

    return Node(bind, Kind.BOOLEAN, "the result of is", position)
