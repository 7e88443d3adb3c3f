"""The types a cast may name, as sqlglot knows them.

Invariants:
- A type or a size that is not supported is refused.
"""

from __future__ import annotations

from sqlglot import exp

from stream_sync.routing.expressions.casts import TARGETS, Target, arrays, numerics, texts
from stream_sync.routing.expressions.errors import ExpressionError

_CASTS: dict[exp.DType, str] = {
    exp.DType.SMALLINT: "smallint", exp.DType.INT: "integer", exp.DType.BIGINT: "bigint",
    exp.DType.DECIMAL: "numeric", exp.DType.FLOAT: "real", exp.DType.DOUBLE: "double precision",
    exp.DType.TEXT: "text", exp.DType.VARCHAR: "text", exp.DType.BOOLEAN: "boolean", exp.DType.DATE: "date",
    exp.DType.TIMESTAMP: "timestamp", exp.DType.TIMESTAMPTZ: "timestamptz", exp.DType.TIME: "time",
    exp.DType.INTERVAL: "interval", exp.DType.UUID: "uuid", exp.DType.JSON: "json", exp.DType.JSONB: "jsonb",
}  # fmt: skip


def target(type_: exp.Expr, position: int | None) -> Target:
    sizes = type_.expressions if isinstance(type_, exp.DataType) else []
    if isinstance(type_, exp.DataType) and type_.this is exp.DType.ARRAY and len(sizes) == 1:
        return arrays(target(sizes[0], position))
    name = _CASTS.get(type_.this) if isinstance(type_, exp.DataType) else None
    if name is None or (sizes and name not in ("numeric", "text")) or len(sizes) > (1 if name == "text" else 2):
        known = ", ".join(sorted({*TARGETS, "numeric(p,s)", "varchar(n)"}))
        raise ExpressionError(f"casts to {type_.sql('postgres').lower()} are not supported; known: {known}", position)
    numbers = [int(size.name) for size in sizes if size.name.isdecimal()]
    if len(numbers) != len(sizes):
        raise ExpressionError("the size of a type is a number, as in numeric(10,2)", position)
    if name == "numeric" and numbers:
        return numerics(*numbers)
    return texts(numbers[0]) if numbers else TARGETS[name]
