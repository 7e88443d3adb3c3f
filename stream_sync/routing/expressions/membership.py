"""`in (…)`, `= any(array)`, `<> all(array)` and the functions and operators of arrays.

Invariants:
- An `in` list of literals is one set look-up per row, made once per type of the column.
- NULL elements give NULL unless another element decides, as in PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from stream_sync.errors import FAULTS
from stream_sync.model import Row
from stream_sync.routing.expressions.comparison import comparison
from stream_sync.routing.expressions.errors import failure, mismatch
from stream_sync.routing.expressions.kinds import Kind
from stream_sync.routing.expressions.literals import Test, literal_test, pair_test, read_literal
from stream_sync.routing.expressions.node import Bound, Node, Reader, require_kind
from stream_sync.routing.expressions.values import MIRRORED, compare


def any_of(results: Sequence[bool | None]) -> bool | None:
    """SQL's `or` of many."""
    return True if True in results else None if None in results else False


def in_list(operand: Node, items: Sequence[Node], position: int | None) -> Node:
    """`operand in (items)`."""
    for item in items:
        comparison("=", operand, item, position)  # for its checks of known types
    literals = all(item.constant for item in items) and not operand.constant
    bind = _in_literals(operand, items) if literals else _in_values(operand, items)
    return Node(bind, Kind.BOOLEAN, "the result of in", position)


def _in_literals(operand: Node, items: Sequence[Node]) -> Callable[[Reader], Bound]:
    where = f"{operand.label} in (…)"
    missing = None if any(item.value is None for item in items) else False
    wanted = [item for item in items if item.value is not None]
    tests = [literal_test("=", item) for item in wanted]
    plain_text = all(item.kind is Kind.UNKNOWN for item in wanted)
    texts = frozenset(item.value for item in wanted) if plain_text else frozenset()

    def bind(reader: Reader) -> Bound:
        read = operand.bind(reader)
        sets: dict[type, frozenset[Any]] = {}

        def run_text(row: Row) -> bool | None:
            value = read(row)
            return (value in texts or missing) if type(value) is str else otherwise(value)

        def run(row: Row) -> bool | None:
            return otherwise(read(row))

        def otherwise(value: Any) -> bool | None:
            if value is None:
                return None
            try:
                if (members := sets.get(type(value))) is None:
                    members = sets[type(value)] = _members(wanted, value)
                if members is not _NO_SET:
                    return value in members or missing
                return any(test(value) for test in tests) or missing
            except FAULTS as fault:
                raise failure(where, fault) from None

        return run_text if plain_text else run

    return bind


_NO_SET: frozenset[Any] = frozenset({object()})
_SETS = (str, int, bool)


def _members(wanted: Sequence[Node], beside: Any) -> frozenset[Any]:
    """The list as a set of the value's own type, checked like a comparison; _NO_SET where a set would not do."""
    if type(beside) not in _SETS:
        return _NO_SET
    members = set()
    for item in wanted:
        value = read_literal(item.value, beside) if item.kind is Kind.UNKNOWN else item.value
        compare("=", value, beside)
        if type(value) is float:
            return _NO_SET
        members.add(value)
    return frozenset(members)


def _in_values(operand: Node, items: Sequence[Node]) -> Callable[[Reader], Bound]:
    where = f"{operand.label} in (…)"
    tests = [pair_test("=", operand, item) for item in items]

    def bind(reader: Reader) -> Bound:
        read = operand.bind(reader)
        reads = [item.bind(reader) for item in items]

        def run(row: Row) -> bool | None:
            value = read(row)
            if value is None:
                return None
            found: bool | None = False
            for test, read_item in zip(tests, reads, strict=True):
                item = read_item(row)
                try:
                    result = None if item is None else test(value, item)
                except FAULTS as fault:
                    raise failure(where, fault) from None
                if result:
                    return True
                found = None if result is None else found
            return found

        return run

    return bind


def quantified(symbol: str, operand: Node, array: Node, every: bool, position: int | None) -> Node:
    """`operand symbol any(array)`, or `all` where `every`."""
    where = f"{operand.label} {symbol} {'all' if every else 'any'}({array.label})"
    require_kind(where, array, (Kind.ARRAY, Kind.UNKNOWN), "array")
    fixed: Test | None = literal_test(MIRRORED[symbol], operand) if operand.constant else None

    def element_test(value: Any, element: Any) -> bool | None:
        if element is None or value is None:
            return None
        return fixed(element) if fixed else compare(symbol, value, element)

    def bind(reader: Reader) -> Bound:
        read, read_array = operand.bind(reader), array.bind(reader)

        def run(row: Row) -> bool | None:
            elements = read_array(row)
            if elements is None:
                return None
            value = read(row)
            try:
                if type(elements) is str and array.kind is Kind.UNKNOWN:
                    elements = read_literal(elements, [value])
                if type(elements) is not list:
                    raise mismatch(where, array.label, "array", elements)
                results = [element_test(value, element) for element in elements]
            except FAULTS as fault:
                raise failure(where, fault) from None
            if every:
                return False if False in results else None if None in results else True
            return any_of(results)

        return run

    return Node(bind, Kind.BOOLEAN, f"the result of {symbol}", position)
