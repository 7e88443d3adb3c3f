"""What a function is: its name, arguments, how it compiles, and its row in docs/sql.md.

Invariants:
- A strict function's implementation sees values of the accepted types only, never NULL: NULL in gives NULL out.
- The registry is the whole list: what is not in it is not a function here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stream_sync.errors import FAULTS
from stream_sync.model import Row
from stream_sync.routing.expressions.errors import failure, mismatch
from stream_sync.routing.expressions.kinds import NUMBERS, TYPES, Kind
from stream_sync.routing.expressions.node import Bound, Node, Reader, require_kind

Build = Callable[[Sequence[Node], "int | None"], Node]
Result = Kind | None | Callable[[Sequence[Node]], "Kind | None"]


@dataclasses.dataclass(frozen=True, slots=True)
class Parameter:
    """What an argument must be."""

    needs: str
    kinds: frozenset[Kind]

    @property
    def types(self) -> frozenset[type]:
        return frozenset(type_ for kind in self.kinds for type_ in TYPES[kind])


TEXT = Parameter("text", frozenset({Kind.TEXT}))
INTEGER = Parameter("integer", frozenset({Kind.INTEGER}))
NUMBER = Parameter("a number", NUMBERS)
ARRAY = Parameter("array", frozenset({Kind.ARRAY}))
MOMENT = Parameter("date or timestamp", frozenset({Kind.DATE, Kind.TIMESTAMP}))


@dataclasses.dataclass(frozen=True, slots=True)
class Function:
    """One entry of the registry."""

    syntax: str
    """How it is written, as docs/sql.md shows it."""
    does: str
    build: Build
    minimum: int
    maximum: int | None


def strict(
    name: str,
    parameters: Sequence[Parameter],
    implementation: Callable[..., Any],
    result: Result,
    *,
    optional: int = 0,
) -> tuple[Build, int, int]:
    """A function that is NULL when an argument is: its builder and how many arguments it takes."""

    def build(arguments: Sequence[Node], position: int | None) -> Node:
        where = f"{name}()"
        for argument, parameter in zip(arguments, parameters, strict=False):
            accepted = parameter.kinds | {Kind.UNKNOWN} if Kind.TEXT in parameter.kinds else parameter.kinds
            require_kind(where, argument, accepted, parameter.needs)
        kind = result(arguments) if callable(result) else result
        bind = _bind_one if len(arguments) == 1 else _bind_many
        return Node(bind(where, parameters, implementation, arguments), kind, where, position)

    return build, len(parameters) - optional, len(parameters)


def _bind_one(
    where: str, parameters: Sequence[Parameter], implementation: Callable[..., Any], arguments: Sequence[Node]
) -> Callable[[Reader], Bound]:
    argument, parameter = arguments[0], parameters[0]
    types = parameter.types

    def bind(reader: Reader) -> Bound:
        read = argument.bind(reader)
        (only, *others) = types

        def run_one_type(row: Row) -> Any:
            value = read(row)
            if type(value) is only:
                try:
                    return implementation(value)
                except FAULTS as fault:
                    raise failure(where, fault) from None
            if value is None:
                return None
            raise mismatch(where, argument.label, parameter.needs, value)

        def run(row: Row) -> Any:
            value = read(row)
            if value is None:
                return None
            if type(value) not in types:
                raise mismatch(where, argument.label, parameter.needs, value)
            try:
                return implementation(value)
            except FAULTS as fault:
                raise failure(where, fault) from None

        return run if others else run_one_type

    return bind


def _bind_many(
    where: str, parameters: Sequence[Parameter], implementation: Callable[..., Any], arguments: Sequence[Node]
) -> Callable[[Reader], Bound]:
    checks = [(parameter, parameter.types) for parameter in parameters]

    def bind(reader: Reader) -> Bound:
        reads = [
            (argument.bind(reader), types, parameter, argument)
            for argument, (parameter, types) in zip(arguments, checks, strict=False)
        ]

        def run(row: Row) -> Any:
            values = []
            for read, types, parameter, argument in reads:
                value = read(row)
                if value is None:
                    return None
                if type(value) not in types:
                    raise mismatch(where, argument.label, parameter.needs, value)
                values.append(value)
            try:
                return implementation(*values)
            except FAULTS as fault:
                raise failure(where, fault) from None

        return run

    return bind


def table(entries: Mapping[str, tuple[str, str, tuple[Build, int, int | None]]]) -> dict[str, Function]:
    """Registry entries from `name: (syntax, what it does, (builder, fewest, most arguments))`."""
    return {
        name: Function(syntax, does, build, minimum, maximum)
        for name, (syntax, does, (build, minimum, maximum)) in entries.items()
    }
