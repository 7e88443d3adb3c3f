"""Row classes made for the columns that are needed, and how to read them.

Invariants:
- A shape is made once per set of column types and reused: `Columns` are compared by identity.
- A row of `Row` was proven by the decoder: no needed column was missing, and where a column's wire value is its Python
  value, it is of that type. A row of `LenientRow` may hold Absent.MISSING, one of `LooseRow` also values of any type;
  only `checked` columns may read the last.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import msgspec

from stream_sync.errors import FAULTS
from stream_sync.formats import unavailable
from stream_sync.formats.column_types import BOOL, BOOLEAN, INT, SHOWN, ColumnType
from stream_sync.model import Absent, Held, Row, UnrepresentableError, Value, WireValueError


class RowColumns:
    """Reads the rows of one shape; see `model.Columns`."""

    def __init__(self, types: Mapping[str, ColumnType], attributes: Mapping[str, str], checked: bool) -> None:
        self._types = types
        self._attributes = attributes
        self._checked = checked
        self.names = tuple(attributes)
        self.wire: Callable[[Row], tuple[Any, ...]] = msgspec.structs.astuple

    def raw(self, name: str) -> Callable[[Row], Any]:
        return operator.attrgetter(self._attributes[name])

    def raws(self, names: Sequence[str]) -> Callable[[Row], tuple[Any, ...]]:
        attributes = [self._attributes[name] for name in names]
        if len(attributes) > 1:
            return operator.attrgetter(*attributes)
        if not attributes:
            return lambda row: ()
        get = operator.attrgetter(*attributes)
        return lambda row: (get(row),)

    def fill(self, after: Row, before: Row) -> None:
        for attribute in self._attributes.values():
            if getattr(after, attribute) is Absent.UNAVAILABLE:
                known = getattr(before, attribute)
                if not isinstance(known, Absent):
                    setattr(after, attribute, known)

    def held(self, name: str) -> Held:
        is_canonical = not self._checked and self._types.get(name, SHOWN).canonical
        return Held(self._attributes[name], self._read(name), is_canonical)

    def _read(self, name: str) -> Callable[[Any], Value] | None:
        kind = self._types.get(name, SHOWN)
        return kind.check if self._checked else kind.read

    def reader(self, name: str) -> Callable[[Row], Value]:
        get, read = self.raw(name), self._read(name)
        return get if read is None else _guarded(name, get, read)


def _guarded(name: str, get: Callable[[Row], Any], read: Callable[[Any], Value]) -> Callable[[Row], Value]:
    def read_column(row: Row) -> Value:
        wire = get(row)
        if wire is None:
            return None
        try:
            return read(wire)
        except UnrepresentableError as error:
            raise UnrepresentableError(f"column {name!r} {error}") from None
        except WireValueError as error:
            raise WireValueError(f"column {name!r} {error}") from None
        except FAULTS:  # an unhashable value given to a cached conversion; nesting too deep
            raise WireValueError(f"column {name!r} does not hold a value of its type") from None

    return read_column


class Shape:
    """The row classes and columns for one assignment of types to the needed columns. A needed column without a type is
    one that the wire's schema lacks."""

    def __init__(self, needed: frozenset[str], types: Mapping[str, ColumnType]) -> None:
        names = sorted(needed)
        attributes = {name: f"c{index}" for index, name in enumerate(names)}
        rename = {attribute: name for name, attribute in attributes.items()}

        def row_class(title: str, loose: bool, required: bool) -> type[msgspec.Struct]:
            fields: list[Any] = []
            for name, attribute in attributes.items():
                wire = Any if loose or name not in types else types[name].wire | None
                fields.append((attribute, wire) if required and name in types else (attribute, wire, Absent.MISSING))
            return msgspec.defstruct(title, fields, rename=rename, gc=False, kw_only=True)

        self.types = dict(types)
        self.attributes = attributes
        self.lacking = bool(needed - types.keys())
        """Every row of this shape has a missing column."""
        self.exact = any(kind.name.startswith(("decimal", "array(decimal")) for kind in types.values())
        """JSON numbers have to be decoded as Decimals: a float would round them."""
        self.Row = row_class("Row", loose=False, required=True)
        self.LenientRow = row_class("LenientRow", loose=False, required=False)
        self.LooseRow = row_class("LooseRow", loose=True, required=False)
        self.BareRow = msgspec.defstruct("BareRow", [(attribute, Any) for attribute in attributes.values()], gc=False)
        """For a decoder whose schema proves what `Row` proves; takes wire values in the order of `attributes`."""
        self.columns = RowColumns(self.types, attributes, checked=False)
        self.checked = RowColumns(self.types, attributes, checked=True)
        self.needles = unavailable.json_needles(tuple(mark for kind in types.values() for mark in kind.marks))
        """A JSON record without these bytes holds no unavailable value."""
        self._marks = tuple((attributes[name], kind.marks) for name, kind in types.items())

    def mark_unavailable(self, row: Row) -> bool:
        """Replaces every wire value that means unavailable; whether there was one."""
        found = False
        for attribute, marks in self._marks:
            if getattr(row, attribute) in marks:
                setattr(row, attribute, Absent.UNAVAILABLE)
                found = True
        return found

    def row(self, values: Mapping[str, Any]) -> Row:
        """A row of these wire values by column name; all else is missing."""
        known = {self.attributes[name]: value for name, value in values.items() if name in self.attributes}
        return self.LooseRow(**known)


class Shapes:
    """Every shape in use, by its types; bounded, since schemas come from the wire.

    `declared` are the config's types. A schema's own types win, but for one: a column that the config calls `bool` is
    one where the schema says int or boolean, since MySQL's BOOLEAN arrives as either.
    """

    KEPT: Final = 256

    def __init__(self, needed: frozenset[str], declared: Mapping[str, ColumnType] = MappingProxyType({})) -> None:
        self.needed = needed
        self._flags = frozenset(name for name, kind in declared.items() if kind is BOOL)
        self._known: dict[frozenset[tuple[str, str]], Shape] = {}

    def of(self, types: Mapping[str, ColumnType]) -> Shape:
        kept = {name: kind for name, kind in types.items() if name in self.needed}
        kept.update((name, BOOL) for name in self._flags & kept.keys() if kept[name] in (INT, BOOLEAN))
        signature = frozenset((name, kind.name) for name, kind in kept.items())
        shape = self._known.get(signature)
        if shape is None:
            if len(self._known) >= self.KEPT:
                self._known.clear()
            shape = self._known[signature] = Shape(self.needed, kept)
        return shape
