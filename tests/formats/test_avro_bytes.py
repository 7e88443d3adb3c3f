"""Avro's bytes: framings, headers, keys of every kind, and damage, which is never more than a dead letter."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable
from typing import Any

import pytest

from stream_sync.formats.decoder import Decoder
from stream_sync.formats.framing import SchemaId
from stream_sync.model import Change, NotAChange, Undecodable, WireValueError
from tests.fixtures import avro
from tests.fixtures.kinds import records as kinds
from tests.formats.reading import Held, changed, envelope, value, values
from tests.formats.writing_avro import (
    DECIMAL,
    avro_decoder,
    envelope_schema,
    framed,
    nullable,
    row_change,
    written,
)

SCHEMA = envelope_schema({"id": "int", "name": nullable("string")})
KEY = {"type": "record", "name": "Key", "namespace": "wh.marts.people", "fields": [{"name": "id", "type": "int"}]}
ROW = {"id": 1, "name": "Ann"}
GUID = bytes(range(16))
GUID_ID = SchemaId("guid", "00010203-0405-0607-0809-0a0b0c0d0e0f")
LONG = (77).to_bytes(8)


def refused(source: Decoder, data: bytes, key: bytes | None = None, **headers: bytes) -> Undecodable:
    found = source.decode(Held(data, key, headers.items()))
    assert isinstance(found, Undecodable), found
    return found


@pytest.mark.parametrize("before", [None, ROW])
@pytest.mark.parametrize("encoding", ["avro", "auto"])
@pytest.mark.parametrize(
    ("schema_id", "prefix", "headers"),
    [
        (SchemaId("id", 7), b"\0\0\0\0\7", {}),
        (SchemaId("global", 77), b"\0" + LONG, {}),
        (GUID_ID, b"", {"__value_schema_id": b"\1" + GUID}),
        (SchemaId("id", 7), b"", {"__value_schema_id": b"\0\0\0\0\7"}),
        (SchemaId("global", 77), b"", {"apicurio.value.globalId": LONG}),
        (SchemaId("content", 77), b"", {"apicurio.value.contentId": LONG}),
    ],
)
def test_every_framing(
    schema_id: SchemaId, prefix: bytes, headers: dict[str, bytes], encoding: str, before: Any
) -> None:
    """Raw Avro begins with a zero byte where `before` is null: only the headers tell it from framing."""
    source = avro_decoder({schema_id: SCHEMA}, ["id", "name"], encoding=encoding)
    for _ in range(2):
        change = changed(source, prefix + written(SCHEMA, row_change(ROW, "u", before)), **headers)
        assert values(change.columns, change.after, ROW) == ROW


def test_an_id_that_nobody_knows_is_a_dead_letter() -> None:
    source = avro_decoder({}, ["id"], encoding="avro")
    assert refused(source, framed(7, SCHEMA, row_change(ROW))).code == "unknown_schema_id"


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\0\0\0", b"{}", b"\2abc", b"\3" + bytes(17)])
def test_a_value_without_an_id_is_a_dead_letter(data: bytes) -> None:
    assert refused(avro_decoder({}, ["id"], encoding="avro"), data).code == "wrong_encoding"


@pytest.mark.parametrize("schema", ["string", KEY, {"type": "map", "values": "int"}, ["null", "string"], "null"])
def test_a_value_of_another_schema_is_a_dead_letter(schema: Any) -> None:
    source = avro_decoder({7: schema}, ["id"])
    datum = {"string": "x", "null": None}.get(schema if isinstance(schema, str) else "", {"id": 1})
    datum = None if isinstance(schema, list) else datum
    assert refused(source, framed(7, schema, datum)).code in ("unknown_shape", "wrong_format")


def test_a_schema_that_cannot_be_used_is_a_dead_letter_for_each_record() -> None:
    schema = envelope_schema({"id": {**DECIMAL, "connect.parameters": {"scale": "x"}}})
    source = avro_decoder({7: schema}, ["id"])
    for _ in range(2):
        assert refused(source, framed(7, schema, row_change({"id": b"\1"}))).code == "invalid_schema"
    other = avro_decoder({7: envelope_schema({"id": "int"} | {"other": {**DECIMAL, "connect.parameters": {}}})}, ["id"])
    assert isinstance(
        other.decode(
            Held(framed(7, envelope_schema({"id": "int", "other": "bytes"}), row_change({"id": 1, "other": b""})))
        ),
        Change,
    )


# --- keys -----------------------------------------------------------------------------------------------------------

DELETE = row_change(None, "d", ROW)


def key_of(source: Decoder, data: bytes | None, key: bytes, **headers: bytes) -> Any:
    change = changed(source, data, key, **headers)
    assert change.key_columns is not None
    return value(change.key_columns, change.key, "id")


@pytest.mark.parametrize("encoding", ["avro", "auto"])
@pytest.mark.parametrize("tombstone", [False, True])
@pytest.mark.parametrize(
    ("key", "headers"),
    [
        (framed(3, KEY, {"id": 1}), {}),
        (b"\0" + LONG + written(KEY, {"id": 1}), {}),
        (written(KEY, {"id": 1}), {"__key_schema_id": b"\1" + GUID}),
        (written(KEY, {"id": 1}), {"__key_schema_id": b"\0\0\0\0\3"}),
        (b'{"id":1}', {}),
        (b'{"schema":{"type":"struct","fields":[{"type":"int32","field":"id"}]},"payload":{"id":1}}', {}),
    ],
)
def test_keys_of_every_kind(key: bytes, headers: dict[str, bytes], tombstone: bool, encoding: str) -> None:
    schemas = {7: SCHEMA, 3: KEY, SchemaId("global", 77): KEY, GUID_ID: KEY}
    source = avro_decoder(schemas, ["id", "name"], encoding=encoding)
    changed(source, framed(7, SCHEMA, row_change(ROW)))
    assert key_of(source, None if tombstone else framed(7, SCHEMA, DELETE), key, **headers) == 1
    assert source.key_names(Held(None, key, headers.items())) == ("id",)


@pytest.mark.parametrize(
    ("schema", "datum", "expected"), [("long", 7, 7), ("string", "a", "a"), (nullable("int"), 7, 7), ("int", 0, 0)]
)
def test_primitive_keys_have_the_name_of_the_sources_key(schema: Any, datum: Any, expected: Any) -> None:
    """The smallest of them is six bytes, framing and all."""
    key = framed(3, schema, datum)
    source = avro_decoder({7: SCHEMA, 3: schema}, ["id"], key=("id",))
    assert key_of(source, framed(7, SCHEMA, DELETE), key) == expected
    nameless = avro_decoder({7: SCHEMA, 3: schema}, ["id"])
    assert changed(nameless, framed(7, SCHEMA, DELETE), key).key is None
    with pytest.raises(WireValueError):
        nameless.key_names(Held(None, key))


def test_an_avro_key_under_a_json_value() -> None:
    source = avro_decoder({3: KEY}, ["id"], types={"id": "int"})
    assert key_of(source, envelope(None, "d", {"id": 1}), framed(3, KEY, {"id": 1})) == 1


@pytest.mark.parametrize("key", [framed(9, KEY, {"id": 1}), framed(3, KEY, {"id": 1})[:-1], b"\0\0", b"Struct{id=1}"])
def test_a_key_that_cannot_be_read_is_a_dead_letter_of_its_own_stage(key: bytes) -> None:
    source = avro_decoder({7: SCHEMA, 3: KEY}, ["id"])
    assert refused(source, framed(7, SCHEMA, DELETE), key).stage == "KEY_CONVERTER"
    assert isinstance(source.decode(Held(framed(7, SCHEMA, row_change(ROW)), key)), Change)


@pytest.mark.parametrize("header", [b'{"id":2}', framed(3, KEY, {"id": 2})])
def test_the_new_key_of_a_key_change(header: bytes) -> None:
    source = avro_decoder({7: SCHEMA, 3: KEY}, ["id"])
    headers = [("__debezium.newkey", header)]
    change = source.decode(Held(framed(7, SCHEMA, DELETE), framed(3, KEY, {"id": 1}), headers))
    assert isinstance(change, Change)
    assert change.key_columns is not None
    assert value(change.key_columns, change.new_key, "id") == 2
    assert change.key_changed


# --- two encodings in one topic -------------------------------------------------------------------------------------


def test_auto_decides_for_each_record() -> None:
    source = avro_decoder({7: SCHEMA, 3: KEY}, ["id", "name"], types={"id": "int", "name": "text"})
    for _ in range(2):
        for data in (framed(7, SCHEMA, row_change(ROW)), envelope(ROW)):
            change = changed(source, data)
            assert values(change.columns, change.after, ROW) == ROW
        assert key_of(source, None, b'{"id":1}') == 1
        assert key_of(source, None, framed(3, KEY, {"id": 1})) == 1


def test_json_stays_json() -> None:
    source = avro_decoder({7: SCHEMA}, ["id"], types={"id": "int"}, encoding="json")
    assert refused(source, framed(7, SCHEMA, row_change(ROW))).code == "wrong_encoding"


# --- damage ---------------------------------------------------------------------------------------------------------


def samples() -> Iterable[tuple[Decoder, bytes]]:
    """A record of every topic of a real capture."""
    capture = avro.kinds("avro-avro")
    for topic in {record.topic for record in capture.records}:
        needed = kinds.TYPES.get(topic.rpartition(".")[2], {"id": "int"})
        small = (record.value for record in capture.of(topic) if record.value and len(record.value) < 2000)
        value = max(small, key=len)
        yield avro_decoder(capture.schemas, needed), value


def test_a_record_cut_anywhere_is_a_dead_letter() -> None:
    for source, data in samples():
        for length in range(len(data)):
            found = source.decode(Held(data[:length]))
            assert isinstance(found, Undecodable), length
            # Of less than its framing nobody can tell that it was to be Avro.
            assert found.code in (("invalid_avro",) if length >= 5 else ("wrong_encoding", "invalid_json"))


def test_bytes_behind_a_record_are_a_dead_letter() -> None:
    for source, data in samples():
        for tail in (b"\0", b"\2", b"{}"):
            assert refused(source, data + tail).code == "invalid_avro"
    keyed = avro_decoder({7: SCHEMA, 3: KEY}, ["id"])
    found = refused(keyed, framed(7, SCHEMA, DELETE), framed(3, KEY, {"id": 1}) + b"\0")
    assert (found.stage, found.code) == ("KEY_CONVERTER", "invalid_avro")


def test_flipped_bits_give_a_change_or_a_dead_letter() -> None:
    chance = random.Random(7)
    for source, data in samples():
        for _ in range(100):
            bad = bytearray(data)
            for _ in range(chance.choice((1, 1, 2, 8))):
                bad[chance.randrange(5, len(bad))] ^= 1 << chance.randrange(8)
            found = source.decode(Held(bytes(bad)))
            assert isinstance(found, Change | NotAChange | Undecodable)
            if isinstance(found, Change):
                for row in (found.before, found.after):
                    for name in [] if row is None else kinds.CUSTOMERS_TYPES:
                        if name in found.columns._attributes:  # type: ignore[attr-defined]
                            value(found.columns, row, name)


MEGABYTE = 1_000_000
SOON = 10.0
"""CPU seconds. What is promised is 1; a crowded machine takes a multiple, what is not bounded takes minutes."""
LONGEST_INT = b"\x80" * 9 + b"\x01"


@pytest.mark.parametrize(
    ("kind", "item"),
    [
        ({"type": "array", "items": "int"}, b"\2"),
        ({"type": "array", "items": nullable("int")}, b"\0"),
        ({"type": "array", "items": nullable(nullable("int")[1])}, b"\2\2"),
        ({"type": "map", "values": "null"}, b"\2a"),
        ({"type": "array", "items": {"type": "array", "items": "int"}}, b"\0"),
    ],
)
@pytest.mark.parametrize("needed", [True, False])
def test_a_megabyte_of_items_is_read_soon(kind: Any, item: bytes, needed: bool) -> None:
    schema = envelope_schema({"id": "int", "c": kind})
    count = MEGABYTE // len(item)
    block = written("long", count) + item * count + b"\0"
    plain = framed(7, schema, row_change({"id": 1, "c": {} if "values" in kind else []}))
    at = plain.rindex(b"\2\2\0") + 2
    source = avro_decoder({7: schema}, ["id", "c"] if needed else ["id"])
    data = plain[:at] + block + plain[at + 1 :]
    started = time.process_time()
    change = changed(source, data)
    assert value(change.columns, change.after, "id") == 1
    assert time.process_time() - started < SOON
    # Far more items than there are bytes; and as many as an int can say.
    for lie in (count * 2, 2**62, -(2**62)):
        started = time.process_time()
        assert refused(source, plain[:at] + written("long", lie) + item * (count // 10)).code == "invalid_avro"
        assert time.process_time() - started < SOON


def test_a_giant_decimal_is_refused_soon() -> None:
    schema = envelope_schema({"id": "int", "c": DECIMAL})
    change = changed(
        avro_decoder({7: schema}, ["id", "c"]), framed(7, schema, row_change({"id": 1, "c": b"\x7f" * MEGABYTE}))
    )
    started = time.process_time()
    assert value(change.columns, change.after, "c") == "unrepresentable"
    assert time.process_time() - started < SOON


@pytest.mark.parametrize("length", [b"\x80" * 9 + b"\x02", LONGEST_INT, written("long", -5), written("long", 2**40)])
def test_lengths_that_cannot_be(length: bytes) -> None:
    schema = envelope_schema({"c": "string"})
    plain = framed(7, schema, row_change({"c": "abcd"}))
    bad = plain.replace(b"\x08abcd", length + b"abcd")
    assert refused(avro_decoder({7: schema}, ["c"]), bad).code == "invalid_avro"
    assert refused(avro_decoder({7: schema}, []), bad).code == "invalid_avro"


def test_a_value_that_is_too_large_is_not_looked_at() -> None:
    assert refused(avro_decoder({7: SCHEMA}, ["id"]), b"\0\0\0\0\7" + bytes(17 << 20)).code == "too_large"
