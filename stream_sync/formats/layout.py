"""How to decode the JSON envelopes of one table: what its schema says, made into decoders.

Invariants: `strict` accepts a subset of what `lenient` accepts, and that a subset of what `loose` accepts; where all
three refuse, the value is no row envelope.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import msgspec

from stream_sync.formats import connect_schema
from stream_sync.formats.connect_json import Schema
from stream_sync.formats.null_defaults import NullDefaults, Suspect
from stream_sync.formats.numerics import exact_number
from stream_sync.formats.rows import Shape, Shapes

LAST_MS = 2**53
"""A commit time beyond it (the year 287396) is none: arithmetic with it would not stay exact, or fail."""


class _Origin(msgspec.Struct, gc=False):
    ts_ms: Annotated[int, msgspec.Meta(ge=-LAST_MS, le=LAST_MS)] | None = None


class _LooseOrigin(msgspec.Struct, gc=False):
    ts_ms: Any = None


def _decoder(row: type[msgspec.Struct], origin: type[msgspec.Struct], exact: bool) -> Callable[[bytes], Any]:
    image: Any = row | None
    fields: list[Any] = [
        ("op", Literal["r", "c", "u", "d", "t"]),
        ("source", origin),
        ("before", image, None),
        ("after", image, None),
    ]
    # Decimals only where a column needs them: each number with a fraction costs a call then.
    return msgspec.json.Decoder(
        msgspec.defstruct("Envelope", fields, gc=False), float_hook=exact_number if exact else None
    ).decode


class Layout:
    """Decoders to an object with op, source.ts_ms, before and after; the images are rows of `shape`."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.columns = shape.columns
        self.lacking = shape.lacking
        self.needles = shape.needles
        self.strict = _decoder(shape.Row, _Origin, shape.exact)
        self.lenient = _decoder(shape.LenientRow, _LooseOrigin, shape.exact)
        self.loose = _decoder(shape.LooseRow, _LooseOrigin, exact=True)


class Described(msgspec.Struct, frozen=True):
    """What a value's schema says. `layout`: of a row envelope only. `suspects`: see `null_defaults`."""

    name: str | None = None
    layout: Layout | None = None
    suspects: list[Suspect] = []


class Layouts:
    """Every layout in use, one a shape."""

    def __init__(self, shapes: Shapes, nulls: NullDefaults) -> None:
        self._shapes = shapes
        self._nulls = nulls
        self._known: dict[Shape, Layout] = {}

    def of(self, shape: Shape) -> Layout:
        if shape not in self._known:
            if len(self._known) >= Shapes.KEPT:
                self._known.clear()
            self._known[shape] = Layout(shape)
        return self._known[shape]

    def describe(self, schema: Schema | None) -> Described:
        """For the schema of a wrapped value; None is the null one. Raises InvalidSchemaError."""
        if schema is None:
            return Described()
        name = schema.get("name")
        name = name if isinstance(name, str) else ""
        fields = connect_schema.fields(schema)
        if "op" not in fields:
            return Described(name)
        return self._described(name, fields)

    def describe_images(self, schema: Schema | None) -> Described:
        """For the schema of a CloudEvent's data, which has before and after and no op. Raises InvalidSchemaError."""
        return Described() if schema is None else self._described("", connect_schema.fields(schema))

    def _described(self, name: str, fields: Mapping[str, Schema]) -> Described:
        image = fields.get("after") or fields.get("before")
        if image is None or image.get("type") != "struct":
            return Described(name)
        layout = self.of(self._shapes.of(connect_schema.column_types(image, self._shapes.needed)))
        suspects = self._nulls.suspects(connect_schema.null_defaults(image), layout.shape.attributes)
        return Described(name, layout, suspects)
