"""case, coalesce, nullif, greatest and least.

Invariants:
- A branch that is not taken is not evaluated; the operand of `case x when` is evaluated once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from stream_sync.errors import FAULTS
from stream_sync.model import Row
from stream_sync.routing.expressions.comparison import comparison
from stream_sync.routing.expressions.errors import failure
from stream_sync.routing.expressions.kinds import Kind
from stream_sync.routing.expressions.literals import pair_test, read_literal
from stream_sync.routing.expressions.node import Bound, Node, Reader, boolean, common_kind
from stream_sync.routing.expressions.values import compare


def searched_case(branches: Sequence[tuple[Node, Node]], default: Node, position: int | None) -> Node:
    """`case when condition then result … else default end`."""
    conditions = [boolean("case when", condition) for condition, _ in branches]
    results = [result for _, result in branches]

    def bind(reader: Reader) -> Bound:
        pairs = tuple(
            (condition(reader), result.bind(reader)) for condition, result in zip(conditions, results, strict=True)
        )
        otherwise = default.bind(reader)

        def run(row: Row) -> Any:
            for condition, result in pairs:
                if condition(row):
                    return result(row)
            return otherwise(row)

        return run

    return Node(bind, common_kind([*results, default]), "the result of case", position)


def simple_case(operand: Node, branches: Sequence[tuple[Node, Node]], default: Node, position: int | None) -> Node:
    """`case operand when value then result … else default end`: the operand is evaluated once."""
    for value, _ in branches:
        comparison("=", operand, value, position)  # for its checks of known types
    tests = [pair_test("=", operand, value) for value, _ in branches]
    where = f"case {operand.label}"

    def bind(reader: Reader) -> Bound:
        read, otherwise = operand.bind(reader), default.bind(reader)
        choices = tuple(
            (test, value.bind(reader), result.bind(reader))
            for test, (value, result) in zip(tests, branches, strict=True)
        )

        def run(row: Row) -> Any:
            subject = read(row)
            for test, value, result in choices:
                other = value(row)
                try:
                    found = test(subject, other)
                except FAULTS as fault:
                    raise failure(where, fault) from None
                if found:
                    return result(row)
            return otherwise(row)

        return run

    return Node(bind, common_kind([*(result for _, result in branches), default]), "the result of case", position)


def coalesce(arguments: Sequence[Node], position: int | None) -> Node:
    """The first argument that is not NULL."""

    def bind(reader: Reader) -> Bound:
        reads = tuple(argument.bind(reader) for argument in arguments)

        def run(row: Row) -> Any:
            for read in reads:
                value = read(row)
                if value is not None:
                    return value
            return None

        return run

    return Node(bind, common_kind(arguments), "coalesce()", position)


def nullif(arguments: Sequence[Node], position: int | None) -> Node:
    """NULL where both are equal, else the first."""
    value, other = arguments
    comparison("=", value, other, position)  # for its checks of known types
    test = pair_test("=", value, other)
    where = f"nullif() of {value.label}"

    def bind(reader: Reader) -> Bound:
        read, read_other = value.bind(reader), other.bind(reader)

        def run(row: Row) -> Any:
            result = read(row)
            try:
                return None if test(result, read_other(row)) else result
            except FAULTS as fault:
                raise failure(where, fault) from None

        return run

    return Node(bind, common_kind([value]), "nullif()", position)


def extreme(name: str, symbol: str) -> Callable[[Sequence[Node], int | None], Node]:
    """greatest() and least(), which ignore NULLs."""

    def build(arguments: Sequence[Node], position: int | None) -> Node:
        first = next((node for node in arguments if node.kind is not Kind.UNKNOWN), arguments[0])
        for node in arguments:
            comparison(symbol, first, node, position)  # for its checks of known types

        def bind(reader: Reader) -> Bound:
            reads = tuple((argument, argument.bind(reader)) for argument in arguments)
            return lambda row: _extreme(name, symbol, [(node, read(row)) for node, read in reads])

        return Node(bind, common_kind(arguments), f"{name}()", position)

    return build


def _extreme(name: str, symbol: str, found: list[tuple[Node, Any]]) -> Any:
    present = [(node, value) for node, value in found if value is not None]
    typed = [value for node, value in present if node.kind is not Kind.UNKNOWN]
    best = None
    try:
        for node, value in present:
            own = read_literal(value, typed[0]) if typed and node.kind is Kind.UNKNOWN else value
            if best is None or compare(symbol, own, best):
                best = own
        doubles = type(best) in (int, Decimal) and any(type(value) is float for value in typed)
    except FAULTS as fault:
        raise failure(f"{name}()", fault) from None
    return float(best) if doubles and best is not None else best
