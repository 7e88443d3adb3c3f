"""Which part of a condition decides about a row: its `and`s and `or`s taken apart, for people who ask why.

Invariants:
- Each part is compiled as the whole condition is, from the same tree: together they give what the condition gives.
- A part's text is the config's, in sqlglot's spelling; nothing of a row is in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec
from sqlglot import exp

from stream_sync.model import Row, Value
from stream_sync.routing.expressions.expression import Expression, condition_of
from stream_sync.routing.expressions.syntax import syntax_tree

Bind = Callable[[Expression], Callable[[Row], Value]]
"""How an expression becomes a function of a row: `Compiled.value`."""


class Clause(msgspec.Struct, frozen=True):
    """A condition, or a part of one. Either `joined` tells how its `parts` are, or `test` is what to look at."""

    test: Expression | None = None
    joined: Literal["and", "or"] = "and"
    parts: tuple[Clause, ...] = ()


class Ground(msgspec.Struct, frozen=True):
    """A part that decided, and what it gave: True, False or None (NULL)."""

    text: str
    value: bool | None
    columns: tuple[str, ...] = ()


def clauses(text: str) -> Clause:
    """A condition's parts. Raises ExpressionError."""
    return _taken_apart(syntax_tree(text))


def deciding(clause: Clause, bind: Bind) -> Callable[[Row], tuple[bool | None, tuple[Ground, ...]]]:
    """A function of a row: what the condition gives, and the parts that made it so. For `and` that is the first false
    one, else the first NULL, else all; for `or` the first true one, else all. It raises what the columns' readers and
    the expressions raise."""
    if clause.test is not None:
        test, read = clause.test, bind(clause.test)

        def single(row: Row) -> tuple[bool | None, tuple[Ground, ...]]:
            value = read(row)
            return value, (Ground(test.text, value, test.columns),)

        return single
    parts = [deciding(part, bind) for part in clause.parts]
    decisive = clause.joined == "or"

    def joined(row: Row) -> tuple[bool | None, tuple[Ground, ...]]:
        found = []
        for part in parts:
            found.append(part(row))
            if found[-1][0] is decisive:
                return found[-1]
        values = [value for value, _ in found]
        if None in values and not decisive:
            return found[values.index(None)]
        return None if None in values else not decisive, tuple(ground for _, each in found for ground in each)

    return joined


def _taken_apart(tree: exp.Expr) -> Clause:
    while isinstance(tree, exp.Paren) and isinstance(tree.this, exp.Expr):
        tree = tree.this
    kind = type(tree)
    if kind not in (exp.And, exp.Or):
        return Clause(condition_of(tree, tree.sql(dialect="postgres")))
    return Clause(None, "and" if kind is exp.And else "or", tuple(map(_taken_apart, _operands(tree, kind))))


def _operands(tree: exp.Expr, kind: type[exp.Expr]) -> Sequence[exp.Expr]:
    """Of a chain of one word, in order."""
    found: list[exp.Expr] = []
    left: exp.Expr = tree
    while type(left) is kind:
        found.append(left.args["expression"])
        left = left.this
    return [left, *reversed(found)]
