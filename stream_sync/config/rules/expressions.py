"""Whether an activation's SQL can be compiled, told at its place with its position."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

from stream_sync.config.problems import Place, Report
from stream_sync.config.settings import Activation
from stream_sync.routing.expressions.errors import ExpressionError
from stream_sync.routing.expressions.expression import Expression, parse, parse_condition


@dataclasses.dataclass(frozen=True, slots=True)
class Parsed:
    """The expressions of an activation that could be parsed, by where they stand."""

    where: Expression | None
    identifier: dict[str, Expression]
    mapped: dict[tuple[str, str], Expression]
    """By (section, name)."""

    def columns(self) -> Iterator[str]:
        """The columns that must be known, each once."""
        every = [*([self.where] if self.where else []), *self.identifier.values(), *self.mapped.values()]
        yield from dict.fromkeys(column for expression in every for column in expression.columns)


def parse_all(activation: Activation, place: Place, report: Report) -> Parsed:
    """Parses what can be parsed; every error goes to `report`."""

    def parsed(with_: Callable[[str], Expression], sql: str, at: Place) -> Expression | None:
        try:
            return with_(sql)
        except ExpressionError as error:
            for wrong in (error, *error.others):
                position = "" if wrong.position is None else f" (at character {wrong.position + 1})"
                report.problem(at, f"{wrong}{position}")
            return None

    where = None
    if activation.where is not None:
        where = parsed(parse_condition, activation.where, (*place, "where"))
    identifier = {
        name: expression
        for name, sql in activation.identifier.items()
        if (expression := parsed(parse, sql, (*place, "identifier", name)))
    }
    mapped = {
        (section, name): expression
        for section, written in (("fields", activation.fields), ("attributes", activation.attributes))
        for name, sql in written.items()
        if (expression := parsed(parse, sql, (*place, section, name)))
    }
    for name, expression in identifier.items():
        if not expression.columns:
            report.problem((*place, "identifier", name), "reads no column: every row would be the same person")
    return Parsed(where, identifier, mapped)
