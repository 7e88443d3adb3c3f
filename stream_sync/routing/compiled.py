"""A plan bound to the columns of one wire schema: functions of a row, and how rows are compared.

Invariants:
- Pure: a row in, values out. Warnings go to the `notice` that was handed in.
- Everything is compiled once per wire schema.
- Values are compared in the form sent; equal wire values are equal without being decoded.
- An expression that fails raises EvaluationError or WireValueError: never a silent NULL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import compress
from operator import attrgetter, ne

import msgspec

from stream_sync.errors import FAULTS
from stream_sync.model import (
    Columns,
    Omitted,
    Row,
    Sent,
    UnrepresentableError,
    Value,
    WireValueError,
)
from stream_sync.routing.expressions.expression import EvaluationError, Expression
from stream_sync.routing.plan import Member, Notice, Person, Plan, Standing, Target, identifier_text
from stream_sync.routing.staying import Rest, Stay, are_same, staying

DataError = (EvaluationError, WireValueError)
"""What a row's own data can do to an expression; the messages hold none of it."""


class Use(msgspec.Struct, frozen=True, gc=False):
    """What one column is read for."""

    standing: bool
    """Whether `member` depends on it."""
    targets: tuple[tuple[str, Callable[[Row], Sent | Omitted], bool], ...]
    """The mapped values that depend on it: name, the value in the form sent as a function of a row, and whether
    another wire value is surely another value."""


class Compiled:
    """A plan bound to the columns of one wire schema, for complete rows."""

    def __init__(self, plan: Plan, columns: Columns, notice: Notice) -> None:
        self._plan = plan
        self._columns = columns
        self._notice = notice
        self._where = self.condition(plan.where)
        self._identifier = [(part.name, self.value(part.expression), part.is_email) for part in plan.identifier]
        self._targets = [(target.name, self.sent(target)) for target in plan.targets]
        standing = {*plan.identifier_columns, *(plan.where.columns if plan.where else ())}
        readers = list(zip(plan.targets, self._targets, strict=True))
        self._wire = columns.wire
        self._uses = [
            Use(
                name in standing,
                tuple(
                    (*made, target.expression.column == name and self._is_canonical(name))
                    for target, made in readers
                    if name in target.expression.columns
                ),
            )
            for name in columns.names
        ]

    def condition(self, where: Expression | None) -> Callable[[Row], Value] | None:
        """The segment's test: True, False or None; None instead of a function where everybody is in it."""
        return None if where is None else where.bind(self._columns.reader)

    def value(self, expression: Expression) -> Callable[[Row], Value]:
        """The expression as a function of a row."""
        return expression.bind(self._columns.reader)

    def sent(self, target: Target) -> Callable[[Row], Sent | Omitted]:
        """The target's value in the form sent, as a function of a row."""
        form, value, notice, name = target.form, self.value(target.expression), self._notice, target.name
        if isinstance(value, attrgetter):  # a column whose wire value is its value: always representable
            return lambda row: form(value(row))

        def sent(row: Row) -> Sent | Omitted:
            try:
                return form(value(row))
            except UnrepresentableError:
                notice("value_unrepresentable", name)
                return Omitted.UNREPRESENTABLE

        return sent

    def member(self, row: Row) -> Member:
        """Whether the row is in the segment, and as whom."""
        where = self._where
        try:
            if where is not None and where(row) is not True:
                return Standing.OUTSIDE
        except UnrepresentableError:
            return Standing.UNKNOWN
        return self.name(row)

    def name(self, row: Row) -> Member:
        """Who the row is, whatever the segment."""
        try:
            for name, value, is_email in self._identifier:
                text = identifier_text(value(row), is_email)
                if text is not None:
                    return Person(name, text)
        except UnrepresentableError:
            return Standing.UNKNOWN
        return Standing.NAMELESS

    def staying(self, rest: Rest) -> Stay | None:
        """Makes the quick decision on an ordinary update; None where there is none."""
        return staying(self._plan, self._columns, self._where, self.value, rest)

    def _is_canonical(self, name: str) -> bool:
        held = self._columns.held(name)
        return held is not None and held.canonical

    def differing(self, before: Row, after: Row) -> list[Use]:
        """The uses of the columns whose wire values differ."""
        wire = self._wire
        return list(compress(self._uses, map(ne, wire(before), wire(after))))

    def changed(self, differing: Iterable[Use], before: Row, after: Row) -> dict[str, Sent]:
        """The mapped values that differ, as they are now."""
        found: dict[str, Sent] = {}
        for use in differing:
            for name, sent, surely in use.targets:
                now = sent(after)
                if now.__class__ is Omitted:
                    self.omitted(now, name)
                elif surely or self._was_other(sent, before, now):
                    found[name] = now
        return found

    def is_other(self, differing: Iterable[Use], before: Row, after: Row) -> bool:
        """Whether a mapped value differs, one that is or was left out included."""
        return any(
            self._was_other(sent, before, sent(after)) for use in differing for _name, sent, _surely in use.targets
        )

    @staticmethod
    def _was_other(sent: Callable[[Row], Sent | Omitted], before: Row, now: Sent | Omitted) -> bool:
        try:
            return not are_same(sent(before), now)
        except FAULTS:
            return True  # what it was cannot be known, so it may have changed

    def whole(self, row: Row) -> dict[str, Sent]:
        """Every mapped value that is not omitted."""
        found = {}
        for name, sent in self._targets:
            value = sent(row)
            if value.__class__ is Omitted:
                self.omitted(value, name)
            else:
                found[name] = value
        return found

    def rest(self, row: Row) -> dict[str, Sent]:
        """As `whole`, but what cannot be worked out is left out: for values that are not what changed."""
        found = {}
        for name, sent in self._targets:
            try:
                value = sent(row)
            except FAULTS:
                continue
            if value.__class__ is not Omitted:
                found[name] = value
        return found

    def omitted(self, why: Omitted, name: str) -> None:
        """Tells what the forms do not tell themselves."""
        if why is Omitted.MISSING:
            self._notice("column_missing", name)
        elif why is Omitted.NULL_SKIPPED:
            self._notice("null_skipped", name)
