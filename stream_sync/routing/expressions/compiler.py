"""sqlglot's syntax tree to nodes: one rule for each kind of syntax.

Invariants:
- Syntax without a rule, and parts of syntax a rule does not know, are refused; nothing is silently ignored.
- All problems are found here, before any row.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import ClassVar

from sqlglot import exp

from stream_sync.routing.expressions import (
    arithmetic,
    array_operators,
    casts,
    choice,
    comparison,
    dates,
    json_paths,
    logic,
    membership,
    numeric,
    patterns,
    ranges,
    refusals,
    registry,
    text_functions,
)
from stream_sync.routing.expressions.cast_types import target
from stream_sync.routing.expressions.concatenation import concatenation
from stream_sync.routing.expressions.errors import EvaluationError, ExpressionError
from stream_sync.routing.expressions.functions import INTEGER, TEXT, strict
from stream_sync.routing.expressions.interval_input import interval
from stream_sync.routing.expressions.kinds import Kind
from stream_sync.routing.expressions.node import Node, column, constant
from stream_sync.routing.expressions.syntax import position_of

MAX_NODES_DEEP = 100
"""Operators inside one another, `and` and `or` chains counted once."""
MOST_TOLD = 10
"""Of what is wrong with one expression."""

_COMPARISONS: dict[type[exp.Expr], str] = {
    exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="
}  # fmt: skip
_ARITHMETIC: dict[type[exp.Expr], tuple[arithmetic.Table, str]] = {
    exp.Add: (arithmetic.ADD, "+"),
    exp.Sub: (arithmetic.SUBTRACT, "-"),
    exp.Mul: (arithmetic.MULTIPLY, "*"),
    exp.Div: (arithmetic.DIVIDE, "/"),
    exp.Mod: (arithmetic.REMAINDER, "%"),
    exp.Pow: (arithmetic.POWER, "^"),
}
_JSON: dict[type[exp.Expr], tuple[Callable[[Node, Node, bool, int | None], Node], bool]] = {
    exp.JSONExtract: (json_paths.member, False),
    exp.JSONExtractScalar: (json_paths.member, True),
    exp.JSONBExtract: (json_paths.path, False),
    exp.JSONBExtractScalar: (json_paths.path, True),
}
_ARRAYS: dict[type[exp.Expr], tuple[str, bool]] = {
    exp.ArrayContainsAll: ("@>", False),
    exp.ArrayContainedBy: ("@>", True),
    exp.ArrayOverlaps: ("&&", False),
}
_HARMLESS = frozenset({"safe", "coalesce", "typed", "value_constructor", "_type", "quoted"})
"""Arguments by which sqlglot marks dialects' differences that PostgreSQL does not have."""


class Compiler:
    """Compiles one tree; `columns` collects the columns read, in order of first use."""

    def __init__(self) -> None:
        self.columns: dict[str, None] = {}
        self._depth = 0

    def compile(self, tree: exp.Expr | None) -> Node:
        """The node of a tree. Raises ExpressionError."""
        if tree is None:
            raise ExpressionError("an operand is missing; write for instance tier = 'gold'")
        self._depth += 1
        if self._depth > MAX_NODES_DEEP:
            message = f"more than {MAX_NODES_DEEP} operators inside one another; simplify the expression"
            raise ExpressionError(message, position_of(tree))
        rule = self._rules.get(type(tree))
        if rule is None:
            raise refusals.refusal(tree)
        node = rule(self, tree, position_of(tree))
        if tree.args.get("negate"):
            node = logic.negation(node, node.position)
        self._depth -= 1
        return node

    def _parts(self, tree: exp.Expr, *names: str) -> list[Node]:
        """The compiled arguments of those names; any other argument, and one missing, is refused."""
        _only(tree, *names)
        values = [tree.args.get(name) for name in names]
        return self._all(one for value in values for one in (value if isinstance(value, list) else [value]))

    def _all(self, trees: Iterable[exp.Expr | None]) -> list[Node]:
        """The nodes of several trees. Raises one ExpressionError with what is wrong in any of them."""
        nodes: list[Node] = []
        wrong: list[ExpressionError] = []
        depth = self._depth
        for tree in trees:
            try:
                nodes.append(self.compile(tree))
            except ExpressionError as error:
                self._depth = depth
                wrong += (error, *error.others)
        if wrong:
            first, *others = wrong[:MOST_TOLD]
            first.others = tuple(others)
            raise first
        return nodes

    def _column(self, tree: exp.Expr, position: int | None) -> Node:
        if not isinstance(tree.this, exp.Identifier):
            raise ExpressionError(refusals.SYNTAX[exp.Star], position)
        if tree.args.get("table") is not None:
            raise ExpressionError(refusals.SYNTAX[exp.Dot], position)
        if not tree.this.quoted:
            refusals.check_name(tree.name, position)
        self.columns[tree.name] = None
        return column(tree.name, position)

    def _literal(self, tree: exp.Expr, position: int | None) -> Node:
        text: str = tree.this
        if tree.is_string:
            return constant(text, position, Kind.UNKNOWN)
        try:
            value = numeric.parsed(text)
        except (ValueError, ArithmeticError):
            raise ExpressionError("not a number PostgreSQL would read; write 12, 0.5 or 1e6", position) from None
        whole = text.isdecimal() and value <= arithmetic.MAX_INTEGER
        return constant(int(value) if whole else value, position)

    def _boolean(self, tree: exp.Expr, position: int | None) -> Node:
        return constant(bool(tree.this), position)

    def _null(self, tree: exp.Expr, position: int | None) -> Node:
        return constant(None, position)

    def _paren(self, tree: exp.Expr, position: int | None) -> Node:
        return self._parts(tree, "this")[0]

    def _connector(self, tree: exp.Expr, position: int | None) -> Node:
        # A chain of and (or or) nests to the left: flattened without recursion, it may be long.
        _only(tree, "this", "expression")
        operands: list[exp.Expr] = []
        pending = [tree]
        while pending:
            one = pending.pop()
            if type(one) is type(tree):
                pending += [one.expression, one.this]
            else:
                operands.append(one)
        nodes = self._all(operands)
        return logic.all_of(nodes, position) if isinstance(tree, exp.And) else logic.one_of(nodes, position)

    def _not(self, tree: exp.Expr, position: int | None) -> Node:
        return logic.negation(self._parts(tree, "this")[0], position)

    def _comparison(self, tree: exp.Expr, position: int | None) -> Node:
        symbol = _COMPARISONS[type(tree)]
        left, right = tree.this, tree.expression
        if isinstance(left, tuple(_COMPARISONS)) or isinstance(right, tuple(_COMPARISONS)):
            message = "comparisons in a row; write `x between 1 and 5`, join them with and, or use parentheses"
            raise ExpressionError(message, position)
        _only(tree, "this", "expression")
        every = isinstance(right, exp.Anonymous) and right.name.lower() == "all"
        some = isinstance(right, exp.Any) or (isinstance(right, exp.Anonymous) and right.name.lower() == "some")
        if every or some:
            array = self._array_of(right)
            return membership.quantified(symbol, self.compile(left), array, every, position)
        one, other = self._all((left, right))
        return comparison.comparison(symbol, one, other, position)

    def _array_of(self, tree: exp.Expr) -> Node:
        parts = [self.compile(one) for one in ([tree.this] if isinstance(tree, exp.Any) else tree.expressions)]
        if len(parts) != 1:
            raise ExpressionError("any and all take one array, such as tags", position_of(tree))
        return parts[0]

    def _distinct(self, tree: exp.Expr, position: int | None) -> Node:
        left, right = self._parts(tree, "this", "expression")
        return ranges.distinct(left, right, isinstance(tree, exp.NullSafeEQ), position)

    def _is(self, tree: exp.Expr, position: int | None) -> Node:
        wanted = tree.expression
        _only(tree, "this", "expression")
        if isinstance(wanted, exp.Null):
            return logic.is_null(self.compile(tree.this), False, position)
        if isinstance(wanted, exp.Boolean):
            return logic.is_boolean(self.compile(tree.this), bool(wanted.this), False, position)
        raise ExpressionError("after is: null, true, false, unknown or distinct from", position)

    def _in(self, tree: exp.Expr, position: int | None) -> Node:
        if tree.args.get("query") is not None:
            raise ExpressionError(refusals.SYNTAX[exp.Query], position)
        if tree.args.get("field") is not None or tree.args.get("unnest") is not None or not tree.expressions:
            raise ExpressionError("after in: values in parentheses; for an array column, `'x' = any(tags)`", position)
        operand, *items = self._parts(tree, "this", "expressions")
        return membership.in_list(operand, items, position)

    def _between(self, tree: exp.Expr, position: int | None) -> Node:
        symmetric = bool(tree.args.get("symmetric"))
        if tree.args.get("low") is None or tree.args.get("high") is None:
            raise ExpressionError("between takes two limits: between 1 and 5", position)
        _only(tree, "this", "low", "high", "symmetric")
        operand, low, high = self._all(tree.args[name] for name in ("this", "low", "high"))
        return ranges.between(operand, low, high, symmetric, position)

    def _like(self, tree: exp.Expr, position: int | None) -> Node:
        return self._like_escaped(tree, "\\", position)

    def _like_escaped(self, tree: exp.Expr, escape: str, position: int | None) -> Node:
        operand, pattern = self._parts(tree, "this", "expression")
        return patterns.like(operand, pattern, escape, isinstance(tree, exp.ILike), position)

    def _escape(self, tree: exp.Expr, position: int | None) -> Node:
        inner, escape = tree.this, tree.expression
        if not isinstance(inner, (exp.Like, exp.ILike)) or not isinstance(escape, exp.Literal):
            raise ExpressionError("escape belongs after like and takes a quoted character", position)
        node = self._like_escaped(inner, escape.name, position)
        return logic.negation(node, position) if inner.args.get("negate") else node

    def _arithmetic(self, tree: exp.Expr, position: int | None) -> Node:
        table, symbol = _ARITHMETIC[type(tree)]
        left, right = self._parts(tree, "this", "expression")
        return arithmetic.binary(table, symbol, left, right, position)

    def _negative(self, tree: exp.Expr, position: int | None) -> Node:
        return arithmetic.negated(self._parts(tree, "this")[0], position)

    def _concatenation(self, tree: exp.Expr, position: int | None) -> Node:
        left, right = self._parts(tree, "this", "expression")
        return concatenation(left, right, position)

    def _case(self, tree: exp.Expr, position: int | None) -> Node:
        _only(tree, "this", "ifs", "default")
        parts = [part for one in tree.args["ifs"] for part in (one.this, one.args["true"])]
        around = [part for part in (tree.this, tree.args.get("default")) if part is not None]
        nodes = self._all((*parts, *around))
        branches = list(zip(nodes[: len(parts) : 2], nodes[1 : len(parts) : 2], strict=True))
        default = nodes[-1] if tree.args.get("default") else constant(None, position)
        if tree.this is None:
            return choice.searched_case(branches, default, position)
        return choice.simple_case(nodes[len(parts)], branches, default, position)

    def _cast(self, tree: exp.Expr, position: int | None) -> Node:
        _only(tree, "this", "to")
        return casts.cast(self.compile(tree.this), target(tree.args["to"], position), position)

    def _interval(self, tree: exp.Expr, position: int | None) -> Node:
        unit = tree.args.get("unit")
        if not isinstance(tree.this, exp.Literal) or not tree.this.is_string:
            raise ExpressionError("an interval is a quoted literal: interval '1 day'", position)
        try:
            return constant(interval(f"{tree.this.name} {unit.name if unit else ''}"), position)
        except EvaluationError as error:
            raise ExpressionError(str(error), position) from None

    def _json(self, tree: exp.Expr, position: int | None) -> Node:
        build, as_text = _JSON[type(tree)]
        document, key = self._parts(tree, "this", "expression")
        return build(document, key, as_text, position)

    def _array_relation(self, tree: exp.Expr, position: int | None) -> Node:
        symbol, swapped = _ARRAYS[type(tree)]
        left, right = self._parts(tree, "this", "expression")
        return array_operators.containment(symbol, *((right, left) if swapped else (left, right)), position)

    def _array(self, tree: exp.Expr, position: int | None) -> Node:
        return array_operators.array_constructor(self._parts(tree, "expressions"), position)

    def _subscript(self, tree: exp.Expr, position: int | None) -> Node:
        if len(tree.expressions) != 1 or isinstance(tree.expressions[0], exp.Slice):
            raise ExpressionError("a subscript is one place, from 1: tags[1]", position)
        array, index = self._parts(tree, "this", "expressions")
        return array_operators.subscript(array, index, position)

    def _function(self, tree: exp.Expr, position: int | None) -> Node:
        name = tree.name
        if isinstance(tree.this, exp.Identifier) and tree.this.quoted:
            position = position_of(tree.this)
        function = registry.find(name, position)
        return self._call(function.build, function.minimum, function.maximum, function.syntax, tree, position)

    def _call(
        self,
        build: Callable[..., Node],
        fewest: int,
        most: int | None,
        syntax: str,
        tree: exp.Expr,
        position: int | None,
    ) -> Node:
        arguments = self._all(tree.expressions)
        if len(arguments) < fewest or (most is not None and len(arguments) > most):
            raise ExpressionError(f"{len(arguments)} arguments; write {syntax}", position)
        return dataclasses.replace(build(arguments, position), position=position)

    def _extract(self, tree: exp.Expr, position: int | None) -> Node:
        _only(tree, "this", "expression")
        return dates.extract(constant(tree.this.name, position), self.compile(tree.expression), position)

    def _position(self, tree: exp.Expr, position: int | None) -> Node:
        build, _, _ = strict("position", [TEXT, TEXT], text_functions.strpos, Kind.INTEGER)
        return build(self._parts(tree, "this", "substr"), position)

    def _substring(self, tree: exp.Expr, position: int | None) -> Node:
        build, _, _ = strict("substring", [TEXT, INTEGER, INTEGER], text_functions.substring, Kind.TEXT, optional=1)
        if tree.args.get("start") is None:
            raise ExpressionError("write substring(text from start for count)", position)
        parts = ("this", "start", "length") if tree.args.get("length") else ("this", "start")
        return build(self._parts(tree, *parts), position)

    def _trim(self, tree: exp.Expr, position: int | None) -> Node:
        side = tree.args.get("position")
        name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(side.upper() if side else "", "btrim")
        _only(tree, "this", "expression", "position")
        arguments = self._all(tree.args[part] for part in ("this", "expression") if tree.args.get(part))
        return registry.FUNCTIONS[name].build(arguments, position)

    _rules: ClassVar[dict[type[exp.Expr], Callable[[Compiler, exp.Expr, int | None], Node]]] = {
        exp.Column: _column,
        exp.Literal: _literal,
        exp.Boolean: _boolean,
        exp.Null: _null,
        exp.Paren: _paren,
        exp.And: _connector,
        exp.Or: _connector,
        exp.Not: _not,
        exp.NullSafeEQ: _distinct,
        exp.NullSafeNEQ: _distinct,
        exp.Is: _is,
        exp.In: _in,
        exp.Between: _between,
        exp.Like: _like,
        exp.ILike: _like,
        exp.Escape: _escape,
        exp.Neg: _negative,
        exp.DPipe: _concatenation,
        exp.Case: _case,
        exp.Cast: _cast,
        exp.Interval: _interval,
        exp.Array: _array,
        exp.Bracket: _subscript,
        exp.Anonymous: _function,
        exp.Extract: _extract,
        exp.StrPosition: _position,
        exp.Substring: _substring,
        exp.Trim: _trim,
        **dict.fromkeys(_COMPARISONS, _comparison),
        **dict.fromkeys(_ARITHMETIC, _arithmetic),
        **dict.fromkeys(_JSON, _json),
        **dict.fromkeys(_ARRAYS, _array_relation),
    }


def _only(tree: exp.Expr, *names: str) -> None:
    """Refuses arguments of the syntax that the rule does not know."""
    for name, value in tree.args.items():
        if name not in names and name not in _HARMLESS and name != "negate" and value:
            raise ExpressionError(f"{name} is not supported in {type(tree).__name__.lower()}", position_of(tree))
