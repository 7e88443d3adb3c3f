"""A plan bound to the columns of one wire schema, for rows in which columns may be absent: it looks before it reads.

Invariants: an expression that reads an unavailable or missing column is itself unavailable or missing, whatever the
function; a `where` or an identifier raises then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from stream_sync.model import Absent, Omitted, Row, Sent, UnrepresentableError, Value
from stream_sync.routing.compiled import Compiled
from stream_sync.routing.expressions.expression import EvaluationError, Expression
from stream_sync.routing.plan import Target


class ColumnMissingError(EvaluationError):
    """A `where` or identifier column is not in the record."""


class CarefulCompiled(Compiled):
    """A plan bound to the columns of one wire schema, for rows in which columns may be absent."""

    def condition(self, where: Expression | None) -> Callable[[Row], Value] | None:
        """As for complete rows, but UNAVAILABLE raises UnrepresentableError and MISSING ColumnMissingError."""
        return None if where is None else self._present(where)

    def value(self, expression: Expression) -> Callable[[Row], Value]:
        """As `condition`."""
        return self._present(expression)

    def sent(self, target: Target) -> Callable[[Row], Sent | Omitted]:
        """As for complete rows; absent inputs make the value absent, whatever the function."""
        absent, sent = self._absent(target.expression.columns), Compiled.sent(self, target)

        def careful(row: Row) -> Sent | Omitted:
            why = absent(row)
            return sent(row) if why is None else Omitted[why.name]

        return careful

    def _present(self, expression: Expression) -> Callable[[Row], Value]:
        absent, value = self._absent(expression.columns), expression.bind(self._columns.reader)

        def present(row: Row) -> Value:
            why = absent(row)
            if why is None:
                return value(row)
            if why is Absent.MISSING:
                raise ColumnMissingError(f"the record lacks a column of {', '.join(expression.columns)}")
            raise UnrepresentableError

        return present

    def _absent(self, names: Sequence[str]) -> Callable[[Row], Absent | None]:
        inputs = self._columns.raws(names)

        def absent(row: Row) -> Absent | None:
            why = None
            for value in inputs(row):
                if value is Absent.MISSING:
                    return Absent.MISSING
                if value is Absent.UNAVAILABLE:
                    why = Absent.UNAVAILABLE
            return why

        return absent
