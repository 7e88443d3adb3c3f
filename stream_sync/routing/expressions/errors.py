"""What can be wrong with an expression: its text, or a row it is given.

Invariants:
- Neither message holds a value of a row; columns, functions and types are named instead.
- `EvaluationError` is all that evaluation adds to what a column's reader raises.
"""

from __future__ import annotations

from typing import Any

from stream_sync.routing.expressions.kinds import kind_of


class ExpressionError(ValueError):
    """The text is not an expression this service can evaluate; the message ends with what would be right."""

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message)
        self.position = position
        """Where in the text, in characters from 0; None where no single place is to blame."""
        self.others: tuple[ExpressionError, ...] = ()
        """What else is wrong with the same text."""


class EvaluationError(ValueError):
    """A row's values do not fit the expression: a wrong type, an overflow, a division by zero, a bad cast."""


def failure(where: str, fault: BaseException) -> EvaluationError:
    """The error to raise (`from None`: the cause's text may hold the value) for a fault inside function `where`."""
    if isinstance(fault, EvaluationError):
        return fault if str(fault).startswith(where) else EvaluationError(f"{where}: {fault}")
    if isinstance(fault, ZeroDivisionError):
        return EvaluationError(f"{where}: division by zero")
    return EvaluationError(f"{where}: the result is out of range or undefined")


def mismatch(where: str, label: str, needs: str, value: Any) -> EvaluationError:
    """The error for an argument (named by `label`) that is not of the type needed."""
    return EvaluationError(f"{where}: {label} is {kind_of(value)}, must be {needs}")
