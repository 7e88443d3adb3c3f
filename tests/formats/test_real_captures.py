"""Whole captures: schemas on and off tell the same story, and it ends as PostgreSQL's own tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from stream_sync.formats.decoder import Decoder
from stream_sync.model import Absent, Change
from tests.fixtures.kinds import records as kinds
from tests.fixtures.warehouse import records as warehouse
from tests.formats.reading import Held, decoder, values


def told(source: Decoder, records: Iterable[Any], names: Iterable[str]) -> list[Any]:
    """Everything a capture's records say, as Python values."""
    story: list[Any] = []
    for record in records:
        found = source.decode(Held(record.value, record.key, record.headers))
        assert isinstance(found, Change), found
        images = [None if row is None else values(found.columns, row, names) for row in (found.before, found.after)]
        keys = [
            None if row is None or found.key_columns is None else values(found.key_columns, row, names)
            for row in (found.key, found.new_key)
        ]
        story.append((found.op, images, keys, found.key_changed, found.ts_ms, found.incomplete))
    return story


@pytest.mark.parametrize("table", kinds.TYPES)
def test_schemas_on_and_off_give_the_same_values_of_every_kind(table: str) -> None:
    types = kinds.TYPES[table]
    topic = f"srv.shop.{table}"
    plain = told(decoder(types), kinds.records("json", topic), types)
    assert plain
    # By their writing: NaN is not equal to itself.
    assert repr(plain) == repr(told(decoder({}, types), kinds.records("json-schema", topic), types))


@pytest.mark.parametrize("table", kinds.TYPES)
def test_cloudevents_tell_the_same_as_envelopes(table: str) -> None:
    types, topic = kinds.TYPES[table], f"srv.shop.{table}"
    envelopes = told(decoder(types), kinds.records("json", topic), types)
    events = told(decoder(types), kinds.records("cloudevents", topic), types)
    # All but `incomplete`, which may be true where nothing is absent.
    assert repr([part[:-1] for part in events]) == repr([part[:-1] for part in envelopes])


@pytest.mark.parametrize("table", kinds.TYPES)
@pytest.mark.parametrize("capture", ["fl_rwt", "fl_default"])
def test_schemas_on_and_off_give_the_same_values_of_flattened_rows(table: str, capture: str) -> None:
    types, topic = kinds.TYPES[table], f"srv.shop.{table}"
    plain = told(decoder(types, format="flattened"), kinds.records(f"{capture}-json", topic), types)  # type: ignore[arg-type]
    wrapped = kinds.records(f"{capture}-json-schema", topic)  # type: ignore[arg-type]
    assert plain
    assert repr(plain) == repr(told(decoder({}, types, format="flattened"), wrapped, types))


@pytest.mark.parametrize("table", warehouse.TYPES)
def test_schemas_on_and_off_give_the_same_values_of_the_warehouse(table: warehouse.Table) -> None:
    types = warehouse.TYPES[table]
    plain = told(decoder(types), warehouse.records(table, "json"), types)
    assert plain == told(decoder({}, types), warehouse.records(table, "json-schema"), types)


def postgres(kind: str) -> Callable[[Any], Any]:
    """How PostgreSQL's row_to_json writes a value of a type, read back."""
    if kind == "date":
        return date.fromisoformat
    if kind == "zoned_timestamp":
        return datetime.fromisoformat
    if kind == "micro_timestamp":
        return lambda text: datetime.fromisoformat(text + "+00:00")
    if kind == "float":
        return float
    if kind.startswith("decimal"):
        return Decimal
    return lambda value: value


def plain_numbers(value: Any) -> Any:
    """The fixture reads every fraction as Decimal, also inside of documents."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {name: plain_numbers(item) for name, item in value.items()}
    return [plain_numbers(item) for item in value] if isinstance(value, list) else value


def as_values(row: Mapping[str, Any], types: Mapping[str, str]) -> dict[str, Any]:
    return {
        name: None if row[name] is None else plain_numbers(row[name]) if kind == "json" else postgres(kind)(row[name])
        for name, kind in types.items()
    }


@pytest.mark.parametrize("encoding", ["json", "json-schema"])
@pytest.mark.parametrize("table", warehouse.TYPES)
def test_the_stream_ends_as_the_table(table: warehouse.Table, encoding: warehouse.Encoding) -> None:
    types = warehouse.TYPES[table]
    key = next(iter(types))
    source = decoder({} if encoding == "json-schema" else types, types)
    people: dict[Any, dict[str, Any]] = {}
    for record in warehouse.records(table, encoding):
        change = source.decode(Held(record.value, record.key, record.headers))
        assert isinstance(change, Change)
        if change.after is not None:
            if change.before is not None:
                change.columns.fill(change.after, change.before)
            row = values(change.columns, change.after, types)
            people[row[key]] = row
        elif change.key_columns is not None:
            people.pop(values(change.key_columns, change.key, [key])[key], None)
    assert people == final(table, types)


@pytest.mark.parametrize("encoding", ["flat-json", "flat-json-schema"])
@pytest.mark.parametrize("table", warehouse.FLAT_TYPES)
def test_flattened_rows_end_as_the_table(table: warehouse.FlatTable, encoding: warehouse.Flattened) -> None:
    types = warehouse.FLAT_TYPES[table]
    key = next(iter(types))
    source = decoder({} if encoding == "flat-json-schema" else types, types, format="flattened")
    people: dict[Any, dict[str, Any]] = {}
    for record in warehouse.flattened(table, encoding):
        change = source.decode(Held(record.value, record.key, record.headers))
        assert isinstance(change, Change)
        assert (change.ts_ms is None) == (change.op == "tombstone")
        if change.after is not None:
            row = values(change.columns, change.after, types)
            known = {name: value for name, value in row.items() if value is not Absent.UNAVAILABLE}
            people[row[key]] = {**people.get(row[key], {}), **known}
        elif change.key_columns is not None:
            people.pop(values(change.key_columns, change.key, [key])[key], None)
    assert people == final(table, types)


def final(table: warehouse.FlatTable, types: Mapping[str, str]) -> dict[Any, dict[str, Any]]:
    key = next(iter(types))
    expected = {row[key]: as_values(row, types) for row in warehouse.rows(table, "final")}
    assert expected
    return expected
