"""SQL expressions over one row: parsed and checked once, bound to each wire schema once, then called for every row.

Invariants:
- The meaning is PostgreSQL's; docs/sql.md lists what there is and every difference.
- A bound function raises EvaluationError, and what the column readers raise, and nothing else.
- No expression looks at more than its row: the same row gives the same value, whenever.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from sqlglot import exp

from stream_sync.model import Row, Value
from stream_sync.routing.expressions.compiler import Compiler
from stream_sync.routing.expressions.errors import EvaluationError, ExpressionError
from stream_sync.routing.expressions.kinds import CalendarInterval, Json, Kind
from stream_sync.routing.expressions.node import Bound, Node, Reader, boolean
from stream_sync.routing.expressions.syntax import syntax_tree

__all__ = ["EvaluationError", "Expression", "ExpressionError", "parse", "parse_condition"]

_PLAIN = frozenset(Kind) - {Kind.JSON, Kind.ARRAY, Kind.INTERVAL}
"""Kinds whose values leave an expression as they are."""


@dataclasses.dataclass(frozen=True, slots=True)
class Expression:
    """One checked expression."""

    text: str
    columns: tuple[str, ...]
    """The columns it reads, in order of first use."""
    column: str | None
    """Set when the expression is a bare column."""
    _bind: Callable[[Reader], Bound] = dataclasses.field(repr=False, compare=False)

    def bind(self, reader: Callable[[str], Callable[[Row], Value]]) -> Callable[[Row], Value]:
        """The function of a row, for rows whose read columns all have a value (NULL is one). `reader(name)` gives a
        column's reader; it is called here only."""
        return self._bind(reader)


def parse(text: str) -> Expression:
    """An expression that maps a value. Raises ExpressionError."""
    node, columns = _compile(syntax_tree(text))
    if node.constant and isinstance(node.value, CalendarInterval):
        raise ExpressionError("an interval of months has no length alone; add it to a date", node.position)
    bind = node.bind if node.column or node.kind in _PLAIN else _outgoing(node)
    return Expression(text, columns, node.column, bind)


def parse_condition(text: str) -> Expression:
    """A condition, for `where`: bound, it gives True, False or None. Raises ExpressionError."""
    return condition_of(syntax_tree(text), text)


def condition_of(tree: exp.Expr, text: str) -> Expression:
    """As `parse_condition`, of a part of a tree. Raises ExpressionError."""
    node, columns = _compile(tree)
    if node.kind is Kind.NULL or (node.kind is not None and node.kind is not Kind.BOOLEAN):
        message = f"a condition must be true or false, this is {node.kind}; write for instance tier = 'gold'"
        raise ExpressionError(message, node.position)
    return Expression(text, columns, node.column, boolean("the condition", node))


def _compile(tree: exp.Expr) -> tuple[Node, tuple[str, ...]]:
    compiler = Compiler()
    try:
        node = compiler.compile(tree)
    except RecursionError:
        raise ExpressionError("the expression is nested too deeply; simplify it") from None
    return node, tuple(compiler.columns)


def _outgoing(node: Node) -> Callable[[Reader], Bound]:
    """Takes JSON out of its wrapping, where the value may be JSON."""

    def bind(reader: Reader) -> Bound:
        read = node.bind(reader)

        def run(row: Row) -> Value:
            value = read(row)
            if type(value) is Json:
                return value.value
            if type(value) is CalendarInterval:
                raise EvaluationError("an interval of months has no length alone; add it to a date")
            return value

        return run

    return bind
