"""Whole captures in Avro tell the same story as through JsonConverter, column by column."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from stream_sync.formats.decoder import Decoder
from stream_sync.model import Change
from tests.fixtures import avro
from tests.fixtures.kinds import records as kinds
from tests.fixtures.warehouse import records as warehouse
from tests.formats.reading import Held, decoder, values
from tests.formats.writing_avro import avro_decoder

SAFE_NAMES = {"weird-col name": "weird_col_name", "9lives": "_9lives"}
"""As field.name.adjustment.mode=avro writes them."""
CONTROL = {"srv.transaction": "transaction", "srv.message": "message", "__debezium-heartbeat.srv": "heartbeat"}


def told(source: Decoder, records: Iterable[Any], names: Iterable[str]) -> list[Any]:
    """Everything a capture's records say, as Python values."""
    story: list[Any] = []
    for record in records:
        found = source.decode(Held(record.value, record.key, record.headers))
        if not isinstance(found, Change):
            story.append(found)
            continue
        images = [None if row is None else values(found.columns, row, names) for row in (found.before, found.after)]
        keys = [
            None if row is None or found.key_columns is None else values(found.key_columns, row, names)
            for row in (found.key, found.new_key)
        ]
        story.append((found.op, images, keys, found.key_changed, found.ts_ms))
    return story


def assert_same(in_avro: list[Any], in_json: list[Any]) -> None:
    assert in_json
    assert len(in_avro) == len(in_json)
    for one, other in zip(in_avro, in_json, strict=True):
        assert repr(one) == repr(other)  # by their writing: NaN is not equal to itself


@pytest.mark.parametrize("encoding", ["avro", "auto"])
@pytest.mark.parametrize("table", kinds.TYPES)
def test_every_kind_of_row_and_type(table: str, encoding: str) -> None:
    names = [SAFE_NAMES.get(name, name) for name in kinds.TYPES[table]]
    capture, topic = avro.kinds("avro-avro"), f"srv.shop.{table}"
    in_json = told(decoder({}, names), avro.kinds("avro-json-schema").of(topic), names)
    assert_same(told(avro_decoder(capture.schemas, names, encoding=encoding), capture.of(topic), names), in_json)


@pytest.mark.parametrize("table", sorted(set(kinds.TYPES) - {"customers"}))
def test_the_capture_with_everything_turned_on(table: str) -> None:
    names, topic = kinds.TYPES[table], f"srv.shop.{table}"
    capture = avro.kinds("base-avro")
    in_json = told(decoder({}, names), kinds.records("json-schema", topic), names)
    assert_same(told(avro_decoder(capture.schemas, names), capture.of(topic), names), in_json)


@pytest.mark.parametrize("topic", CONTROL)
def test_control_records(topic: str) -> None:
    capture = avro.kinds("base-avro")
    found = told(avro_decoder(capture.schemas, ["id"]), capture.of(topic), ["id"])
    assert {found.kind for found in found} == {CONTROL[topic]}


@pytest.mark.parametrize("encoding", ["avro", "auto"])
@pytest.mark.parametrize("name", ["fl_rwt", "fl_default"])
@pytest.mark.parametrize("table", kinds.TYPES)
def test_flattened_rows_of_every_kind(table: str, name: str, encoding: str) -> None:
    names = [SAFE_NAMES.get(name, name) for name in kinds.TYPES[table]]
    capture, topic = avro.kinds(f"{name}-avro"), f"srv.shop.{table}"
    in_json = kinds.records(f"{name}-json-schema", topic)  # type: ignore[arg-type]
    expected = told(decoder({}, names, format="flattened"), in_json, names)
    source = avro_decoder(capture.schemas, names, format="flattened", encoding=encoding)
    assert_same(told(source, capture.of(topic), names), expected)


@pytest.mark.parametrize("topic", CONTROL)
def test_control_records_on_flattened_topics(topic: str) -> None:
    capture = avro.kinds("fl_rwt-avro")
    found = told(avro_decoder(capture.schemas, ["id"], format="flattened"), capture.of(topic), ["id"])
    assert {found.kind for found in found} == {CONTROL[topic]}


@pytest.mark.parametrize("table", warehouse.TYPES)
def test_the_warehouse(table: warehouse.Table) -> None:
    names, capture = warehouse.TYPES[table], avro.warehouse(table, "avro")
    in_json = told(decoder({}, names), warehouse.records(table, "json-schema"), names)
    assert_same(told(avro_decoder(capture.schemas, names), capture.records, names), in_json)


@pytest.mark.parametrize("table", warehouse.FLAT_TYPES)
def test_the_warehouse_flattened(table: warehouse.FlatTable) -> None:
    names, capture = warehouse.FLAT_TYPES[table], avro.warehouse(table, "flat-avro")
    in_json = told(decoder({}, names, format="flattened"), warehouse.flattened(table, "flat-json-schema"), names)
    assert_same(told(avro_decoder(capture.schemas, names, format="flattened"), capture.records, names), in_json)


def test_a_topic_has_one_columns_object_a_schema() -> None:
    names, capture = warehouse.CUSTOMERS_TYPES, avro.warehouse("customers", "avro")
    source = avro_decoder(capture.schemas, names)
    found = [source.decode(Held(r.value, r.key, r.headers)) for r in capture.records]
    assert len({id(change.columns) for change in found if isinstance(change, Change) and change.op != "tombstone"}) == 1


def test_an_envelope_on_a_flattened_topic_says_what_it_looks_like() -> None:
    capture = avro.kinds("avro-avro")
    source = avro_decoder(capture.schemas, ["id"], format="flattened")
    record = capture.of("srv.shop.full_id")[0]
    found = source.decode(Held(record.value, record.key, record.headers))
    assert getattr(found, "code", None) == "wrong_format"
    assert "format: debezium" in getattr(found, "message", "")


def test_a_flattened_row_on_a_topic_of_envelopes_says_what_it_looks_like() -> None:
    capture = avro.kinds("fl_rwt-avro")
    source = avro_decoder(capture.schemas, ["id"])
    record = capture.of("srv.shop.full_id")[0]
    found = source.decode(Held(record.value, record.key, record.headers))
    assert getattr(found, "code", None) == "wrong_format"
    assert "format: flattened" in getattr(found, "message", "")
