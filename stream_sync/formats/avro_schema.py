"""Takes an Avro schema apart: names resolved, the Connect properties kept, and what a hostile one could cost refused.

Invariants:
- No type holds itself, and nothing is nested deeper than DEEPEST: fastavro recurses in C and would end the process.
- Nothing that fits in b bytes decodes to more than FREE + DENSEST x b values; no array has items of zero bytes.
- A schema that is not shaped as one, or breaks a limit, raises InvalidSchemaError.

The arithmetic of the second: each type has a `free` and a `dense`, such that its values are at most free + dense x its
bytes. A null is one free value, a number one of its own byte; a record adds itself and its fields; a union pays one
branch's free values with the byte of its index; an array lays its items' free values on the bytes that they need.

Source: the Avro 1.11 specification; a recursive record ends fastavro 1.13 with a segmentation fault at 5,000 levels,
and five bytes of array<null> give ten million items (measured).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any, Final

from stream_sync.formats.connect_schema import InvalidSchemaError

DEEPEST: Final = 64
"""Levels; Debezium's envelopes have seven."""
LARGEST: Final = 50_000
"""Types in a schema, every use of a named one counted: PostgreSQL's widest table needs 10,000."""
FREE: Final = 10_000
DENSEST: Final = 2
"""Entries of a map whose keys are no texts need it; a megabyte of such records takes a second."""

_FEWEST_BYTES = {"null": 0, "boolean": 1, "int": 1, "long": 1, "float": 4, "double": 8, "bytes": 1, "string": 1}
_FAR = 1 << 40
"""Bytes of anything larger, so that numbers stay small."""


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One type. `type` is a primitive's name, record, enum, fixed, array, map or union."""

    type: str
    props: Mapping[str, Any] = field(default_factory=dict)
    """All that the schema says of it, `connect.name` and `logicalType` among it."""
    name: str = ""
    """The full name of a record, an enum or a fixed."""
    fields: Mapping[str, Node] = field(default_factory=dict)
    parts: tuple[Node, ...] = ()
    """A record's fields' types, a union's branches, an array's items or a map's values."""
    depth: int = 1
    size: int = 1
    """Types, this and all below."""
    fewest_bytes: int = 0
    free: int = 0
    dense: int = 1


def parse(schema: Any) -> Node:
    """The tree of a schema, from its parsed JSON. Raises InvalidSchemaError; RecursionError where it is nested very
    deep."""
    node = _Parser().node(schema, "")
    if node.free > FREE or node.dense > DENSEST:
        raise InvalidSchemaError("a few bytes of it could stand for too many values")
    return node


class _Parser:
    def __init__(self) -> None:
        self._named: dict[str, Node | None] = {}
        """None while the type is being read."""

    def node(self, schema: Any, namespace: str) -> Node:
        match schema:
            case str():
                return self._by_name(schema, {}, namespace)
            case list():
                return self._union(schema, namespace)
            case {"type": "array", "items": items}:
                return self._array(schema, self.node(items, namespace))
            case {"type": "map", "values": values}:
                return self._map(schema, self.node(values, namespace))
            case {"type": "record", "name": str(), "fields": list(fields)}:
                return self._record(schema, fields, namespace)
            case {"type": "enum", "name": str(), "symbols": list(symbols)} if all(isinstance(s, str) for s in symbols):
                name, _ = self._declare(schema, namespace)
                return self._keep(Node("enum", schema, name, fewest_bytes=1))
            case {"type": "fixed", "name": str(), "size": int(size)} if size >= 0 and not isinstance(size, bool):
                name, _ = self._declare(schema, namespace)
                return self._keep(Node("fixed", schema, name, fewest_bytes=min(size, _FAR), free=0 if size else 1))
            case {"type": str(kind)}:
                return self._by_name(kind, schema, namespace)
            case {"type": dict() | list() as inner}:
                return self.node(inner, namespace)
        raise InvalidSchemaError("not an Avro type")

    def _by_name(self, kind: str, props: Mapping[str, Any], namespace: str) -> Node:
        if kind in _FEWEST_BYTES:
            fewest = _FEWEST_BYTES[kind]
            return Node(kind, props, fewest_bytes=fewest, free=0 if fewest else 1)
        for name in (f"{namespace}.{kind}", kind) if "." not in kind and namespace else (kind,):
            if name in self._named:
                node = self._named[name]
                if node is None:
                    raise InvalidSchemaError("a type holds itself")
                return node
        raise InvalidSchemaError("a type is neither Avro's nor one that it defines before")

    def _union(self, schema: list[object], namespace: str) -> Node:
        branches = tuple(self.node(branch, namespace) for branch in schema)
        if not branches:
            raise InvalidSchemaError("a union has no branch")
        fewest = 1 + min(branch.fewest_bytes for branch in branches)
        dense = max(branch.dense for branch in branches)
        free = max(0, max(branch.free for branch in branches) - dense)
        return self._checked(Node("union", {}, parts=branches, fewest_bytes=fewest, free=free, dense=dense))

    def _array(self, schema: Mapping[str, Any], items: Node) -> Node:
        if not items.fewest_bytes:
            raise InvalidSchemaError("an array's items take no bytes")
        dense = items.dense + ceil(items.free / items.fewest_bytes)
        return self._checked(Node("array", schema, parts=(items,), fewest_bytes=1, dense=dense))

    def _map(self, schema: Mapping[str, Any], values: Node) -> Node:
        dense = values.dense + ceil(values.free / (1 + values.fewest_bytes))  # one byte for the shortest key
        return self._checked(Node("map", schema, parts=(values,), fewest_bytes=1, dense=dense))

    def _record(self, schema: Mapping[str, Any], listed: list[object], namespace: str) -> Node:
        name, inner = self._declare(schema, namespace)
        fields = dict(self._fields(listed, inner))
        if len(fields) != len(listed):
            raise InvalidSchemaError("a record has two fields of one name")
        parts = tuple(fields.values())
        return self._keep(
            Node(
                "record",
                schema,
                name,
                fields,
                parts,
                fewest_bytes=min(_FAR, sum(part.fewest_bytes for part in parts)),
                free=1 + sum(part.free for part in parts),
                dense=max((part.dense for part in parts), default=1),
            )
        )

    def _fields(self, listed: list[object], namespace: str) -> Iterator[tuple[str, Node]]:
        for entry in listed:
            match entry:
                case {"name": str(name), "type": kind}:
                    yield name, self.node(kind, namespace)
                case _:
                    raise InvalidSchemaError("a record's field is an object with its name and type")

    def _declare(self, schema: Mapping[str, Any], namespace: str) -> tuple[str, str]:
        """The full name of a named type, and the namespace inside it."""
        name, own = schema["name"], schema.get("namespace", namespace)
        if "." not in name and isinstance(own, str) and own:
            name = f"{own}.{name}"
        if name in self._named:
            raise InvalidSchemaError("a type is defined twice")
        self._named[name] = None
        return name, name.rpartition(".")[0]

    def _keep(self, node: Node) -> Node:
        node = self._checked(node)
        self._named[node.name] = node
        return node

    @staticmethod
    def _checked(node: Node) -> Node:
        """With its depth and size; refused where they are too large."""
        depth = 1 + max((part.depth for part in node.parts), default=0)
        size = 1 + sum(part.size for part in node.parts)
        if depth > DEEPEST:
            raise InvalidSchemaError(f"it is nested deeper than {DEEPEST} levels")
        if size > LARGEST:
            raise InvalidSchemaError(f"it has more than {LARGEST} types")
        return replace(node, depth=depth, size=size)
