"""What an activation reads from a row: its segment, its identifier, its mapped values; not yet bound to a wire schema.

Pure; who a person is, is decided here: identifiers are compared, locked and sent as `identifier_text` gives them.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from datetime import date
from decimal import Decimal

import msgspec

from stream_sync.model import Omitted, Sent, Value
from stream_sync.routing.expressions.expression import EvaluationError, Expression

Form = Callable[[Value], "Sent | Omitted"]
Notice = Callable[[str, str], None]
"""Tells a warning: (code, name of the column or of the value at the destination)."""


class Silence:
    """What silent forms tell instead of a person: that there is something to tell."""

    __slots__ = ("is_broken",)

    def __init__(self) -> None:
        self.is_broken = False

    def tell(self, code: str, name: str) -> None:
        """See `Notice`."""
        self.is_broken = True


class Target(msgspec.Struct, frozen=True):
    """One mapped value: its name at the destination, what it is worked out from, and the form it takes there. `silent`:
    the same form, that breaks the plan's silence where the other one tells a warning."""

    name: str
    expression: Expression
    form: Form
    silent: Form


class IdentifierPart(msgspec.Struct, frozen=True):
    """One way to identify a person; of several the first that the row has is used."""

    name: str
    expression: Expression
    is_email: bool


class Plan(msgspec.Struct, frozen=True):
    """All that an activation reads, not yet bound to a wire schema."""

    where: Expression | None
    identifier: tuple[IdentifierPart, ...]
    targets: tuple[Target, ...]
    silence: Silence = msgspec.field(default_factory=Silence)

    @property
    def columns(self) -> frozenset[str]:
        """Every column that is read."""
        read = [part.expression for part in self.identifier] + [target.expression for target in self.targets]
        return frozenset(name for e in [*read, *([self.where] if self.where else [])] for name in e.columns)

    @property
    def identifier_columns(self) -> frozenset[str]:
        """The columns that the identifier is made of."""
        return frozenset(name for part in self.identifier for name in part.expression.columns)


class Person(msgspec.Struct, frozen=True, gc=False):
    """Who: the identifier's name at the destination, and its normalised value."""

    identified_by: str
    identifier: str


class Standing(enum.Enum):
    """How a row stands to the segment where it is not a person in it."""

    OUTSIDE = "outside"
    NAMELESS = "nameless"
    """In the segment, without an identifier."""
    UNKNOWN = "unknown"


Member = Person | Standing


def identifier_text(value: Value, is_email: bool) -> str | None:
    """The identifier as it is compared, locked and sent: trimmed, e-mails lower-cased; None where it is empty.

    Raises EvaluationError for a type that identifies nobody (bool, float, list …).
    """
    if value.__class__ is str:
        text = value.strip()
    elif value is None:
        return None
    elif isinstance(value, (int, Decimal, date)) and not isinstance(value, bool):
        text = format(value, "f") if isinstance(value, Decimal) else str(value)
    else:
        raise EvaluationError(f"an identifier cannot be of type {type(value).__name__}: cast it to text")
    return (text.lower() if is_email else text) or None
