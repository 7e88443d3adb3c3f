"""`in (…)`, `= any(array)`, `<> all(array)` and the functions and operators of arrays.

Invariants:
- An `in` list of literals is one set look-up per row, made once per type of the column.
- NULL elements give NULL unless another element decides, as in PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from stream_sync.model import Row
from stream_sync.routing.expressions.comparison import Test, comparison, literal_test, pair_test, read_literal
from stream_sync.routing.expressions.errors import FAULTS, EvaluationError, ExpressionError, failure, mismatch
from stream_sync.routing.expressions.kinds import Json, Kind, kind_of, unwrapped
from stream_sync.routing.expressions.node import Bound, Node, Reader, require_kind
from stream_sync.routing.expressions.values import MIRRORED, compare, contains, documents_equal


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
