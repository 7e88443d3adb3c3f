"""Text to sqlglot's syntax tree, in PostgreSQL's grammar.

Invariants:
- Function calls stay as written: sqlglot's own rewriting of functions between dialects is off, so that what a name
  means is said in this package only.
- Text of any length or depth ends in a tree or an ExpressionError.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from sqlglot import exp
from sqlglot.dialects.postgres import Postgres
from sqlglot.errors import ParseError, TokenError
from sqlglot.parsers.postgres import PostgresParser
from sqlglot.tokenizer_core import Token, TokenType

from stream_sync.routing.expressions.errors import ExpressionError

MAX_LENGTH = 8_000
"""Characters of an expression's text."""
MAX_DEPTH = 32
"""Parentheses, brackets, `case` and `not` inside one another."""

_OPENING = {TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.CASE}
_CLOSING = {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.END}
_INTERVAL_UNITS = {"second", "minute", "hour", "day", "week", "month", "year"}
_FOREIGN = {"==": "=", "<=>": "is not distinct from"}


def _json_operator(node: type[exp.Binary]) -> Callable[[PostgresParser, exp.Expr, exp.Expr], exp.Expr]:
    return lambda parser, this, path: node(this=this, expression=path)


class _Parser(PostgresParser):
    FUNCTIONS: ClassVar = {}
    FUNCTION_PARSERS: ClassVar = {
        name: PostgresParser.FUNCTION_PARSERS[name] for name in ("CAST", "EXTRACT", "POSITION", "SUBSTRING", "TRIM")
    }
    NO_PAREN_FUNCTION_PARSERS: ClassVar = {
        name: PostgresParser.NO_PAREN_FUNCTION_PARSERS[name] for name in ("ANY", "CASE")
    }
    NO_PAREN_FUNCTIONS: ClassVar = {}
    LAMBDAS: ClassVar = {}
    JSON_OPERATORS: ClassVar = {
        **PostgresParser.JSON_OPERATORS,
        TokenType.ARROW: _json_operator(exp.JSONExtract),
        TokenType.DARROW: _json_operator(exp.JSONExtractScalar),
        TokenType.HASH_ARROW: _json_operator(exp.JSONBExtract),
        TokenType.DHASH_ARROW: _json_operator(exp.JSONBExtractScalar),
    }

    def _parse_interval_span(self, this: exp.Expr, parse_function_unit: bool = True) -> exp.Interval:
        # sqlglot's own takes the text apart and forgets words such as `ago`.
        unit = self._curr.text.lower().removesuffix("s") if self._curr else ""
        if unit not in _INTERVAL_UNITS:
            return self.expression(exp.Interval(this=this))
        self._advance()
        return self.expression(exp.Interval(this=this, unit=exp.Var(this=unit)))


class StreamSyncExpressions(Postgres):
    """PostgreSQL's grammar with array subscripts and functions left as written."""

    INDEX_OFFSET = 0
    Parser = _Parser


_DIALECT = StreamSyncExpressions()


def syntax_tree(text: str) -> exp.Expr:
    """The tree of one expression. Raises ExpressionError."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"the expression has {len(text)} characters; at most {MAX_LENGTH} are allowed")
    try:
        tokens = _DIALECT.tokenize(text)
        _check(tokens)
        parsed = _DIALECT.parser().parse_into(exp.Condition, tokens, text)
    except RecursionError:
        raise ExpressionError("the expression is nested too deeply; simplify it") from None
    except TokenError:
        raise ExpressionError("a quote is not closed; write text as 'text', a quote in it as ''") from None
    except ParseError as error:
        raise _syntax_error(error, text) from None
    tree = parsed[0] if len(parsed) == 1 else None
    if tree is None:
        raise ExpressionError("there is no expression here; write a column or an SQL expression over the row")
    return tree


def position_of(node: exp.Expr) -> int | None:
    """Where a node, or the first thing in it that knows its place, starts."""
    for part in node.walk(bfs=False):
        start = part.meta.get("start")
        if isinstance(start, int):
            return start
    return None


def _check(tokens: list[Token]) -> None:
    depth = unary = 0
    for token in tokens:
        if token.token_type is TokenType.SEMICOLON:
            raise ExpressionError("a semicolon: one expression only, without ;", token.start)
        if token.text in _FOREIGN and token.token_type is not TokenType.STRING:
            raise ExpressionError(f"{token.text} is not PostgreSQL; write {_FOREIGN[token.text]}", token.start)
        depth += (token.token_type in _OPENING) - (token.token_type in _CLOSING)
        unary = unary + 1 if token.token_type in (TokenType.NOT, TokenType.DASH) else 0
        if depth + unary > MAX_DEPTH:
            raise ExpressionError(f"nested more than {MAX_DEPTH} deep; simplify the expression", token.start)


def _syntax_error(error: ParseError, text: str) -> ExpressionError:
    found = error.errors[0] if error.errors else {}
    line, column, near = found.get("line") or 1, found.get("col") or 0, found.get("highlight") or ""
    # sqlglot's column is the last character of the token; lines count from 1.
    offset = sum(len(part) + 1 for part in text.split("\n")[: line - 1]) + column - len(near)
    if near.lower() in ("select", "with", "insert", "update", "delete"):
        return ExpressionError("a query; only an expression over the row's own columns is allowed", max(offset, 0))
    hint = "quote a column name with special characters or a keyword's name as \"name\", text as 'text'"
    return ExpressionError(f"not valid SQL near {near!r}; {hint}", max(offset, 0))
