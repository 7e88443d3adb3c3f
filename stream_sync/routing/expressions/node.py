"""A compiled part of an expression: what is known of it before any row, and how it is bound to a reader.

Invariants:
- Everything that can be checked without a row was checked when the node was made.
- `bind` makes plain closures; they hold no state but caches of parsed literals, bounded by the number of types.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

from stream_sync.model import Row, Value
from stream_sync.routing.expressions.errors import ExpressionError, mismatch
from stream_sync.routing.expressions.kinds import KINDS, Kind

Reader = Callable[[str], Callable[[Row], Value]]
Bound = Callable[[Row], Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Node:
    """One operator, function, column or literal with its arguments."""

    bind: Callable[[Reader], Bound]
    kind: Kind | None
    """The type of its values; None = only a row tells."""
    label: str
    """What messages call it: `column email`, `lower()`."""
    position: int | None = None
    column: str | None = None
    constant: bool = False
    value: Any = None
    """The value of a constant."""
    not_boolean: bool = False
    """True where the kind is not known but is surely not boolean."""


def column(name: str, position: int | None) -> Node:
    """A column reference: bound, it is the reader itself."""
    return Node(lambda reader: reader(name), None, f"column {name}", position, column=name)


def constant(value: Any, position: int | None, kind: Kind | None = None) -> Node:
    """A literal; `kind` UNKNOWN for a quoted one whose type the context decides."""
    kind = kind or KINDS[type(value)]
    label = "NULL" if value is None else "the literal"
    return Node(lambda reader: lambda row: value, kind, label, position, constant=True, value=value)


def require_kind(where: str, node: Node, accepted: Iterable[Kind], needs: str) -> None:
    """Refuses, before any row, an argument whose type is known and wrong."""
    if node.kind is not None and node.kind is not Kind.NULL and node.kind not in accepted:
        raise ExpressionError(f"{where}: {node.label} is {node.kind}, must be {needs}", node.position)


def common_kind(nodes: Iterable[Node]) -> Kind | None:
    """The kind all of the nodes have, NULLs aside; None where they differ or are not known."""
    kinds = {node.kind for node in nodes} - {Kind.NULL}
    kind = kinds.pop() if len(kinds) == 1 else None
    return Kind.TEXT if kind is Kind.UNKNOWN else kind


def boolean(where: str, node: Node) -> Callable[[Reader], Bound]:
    """How to bind a node that must be boolean: checked per row only where its type is not known."""
    require_kind(where, node, (Kind.BOOLEAN,), "boolean")
    if node.not_boolean:
        raise ExpressionError(f"{where}: {node.label} is not boolean; write for instance x > 0", node.position)
    if node.kind is not None:
        return node.bind

    def bind(reader: Reader) -> Bound:
        read = node.bind(reader)

        def run(row: Row) -> bool | None:
            value = read(row)
            if value is True or value is False or value is None:
                return value
            raise mismatch(where, node.label, "boolean", value)

        return run

    return bind
