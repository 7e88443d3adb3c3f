"""`between` and `is [not] distinct from`.

Invariants:
- The operand is evaluated once; NULL limits give NULL unless the other limit decides.
"""

from __future__ import annotations

from stream_sync.errors import FAULTS
from stream_sync.model import Row
from stream_sync.routing.expressions.comparison import check_kinds
from stream_sync.routing.expressions.errors import failure
from stream_sync.routing.expressions.kinds import Kind
from stream_sync.routing.expressions.literals import pair_test
from stream_sync.routing.expressions.node import Bound, Node, Reader


def distinct(left: Node, right: Node, negate: bool, position: int | None) -> Node:
    """`is distinct from`; `is not distinct from` where negated."""
    check_kinds("=", left, right, position)
    equal = pair_test("=", left, right)
    where = f"{left.label} is distinct from {right.label}"

    def bind(reader: Reader) -> Bound:
        read_left, read_right = left.bind(reader), right.bind(reader)

        def run(row: Row) -> bool:
            one, other = read_left(row), read_right(row)
            if one is None or other is None:
                return (one is other) is negate
            try:
                return equal(one, other) is negate
            except FAULTS as fault:
                raise failure(where, fault) from None

        return run

    return Node(bind, Kind.BOOLEAN, "the result of is distinct from", position)


def between(operand: Node, low: Node, high: Node, symmetric: bool, position: int | None) -> Node:
    """`operand between low and high`, which is `operand >= low and operand <= high`."""
    for limit in (low, high):
        check_kinds("between", operand, limit, position)
    above, below = pair_test(">=", operand, low), pair_test("<=", operand, high)
    above_high, below_low = pair_test(">=", operand, high), pair_test("<=", operand, low)
    where = f"{operand.label} between"

    def bind(reader: Reader) -> Bound:
        read, read_low, read_high = operand.bind(reader), low.bind(reader), high.bind(reader)

        def run(row: Row) -> bool | None:
            value = read(row)
            if value is None:
                return None
            try:
                least, most = read_low(row), read_high(row)
                found = both(above(value, least), below(value, most))
                other = both(above_high(value, most), below_low(value, least)) if symmetric and not found else found
            except FAULTS as fault:
                raise failure(where, fault) from None
            return True if other else None if None in (found, other) else False

        return run

    return Node(bind, Kind.BOOLEAN, "the result of between", position)


def both(left: bool | None, right: bool | None) -> bool | None:
    """SQL's `and` of two values."""
    if left is False or right is False:
        return False
    return None if left is None or right is None else True
