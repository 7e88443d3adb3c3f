"""Keys of deletes and tombstones, and the headers of a key change."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from stream_sync.formats.keys import NEW_KEY
from stream_sync.formats.types_missing import TypesMissingError
from stream_sync.model import Absent, Change, Undecodable, WireValueError
from tests.fixtures.kinds.records import TYPES, Encoding, records
from tests.formats.reading import Held, changed, decoder, envelope, value, values, wrapped

WRAPPED_KEY = json.dumps(
    {"schema": {"type": "struct", "fields": [{"type": "int32", "field": "id"}]}, "payload": {"id": 7}}
).encode()
DELETE = envelope(None, op="d", before={"id": 7, "name": "Ann"})
TYPES_HERE = {"id": "int", "name": "text"}


def keyed(change: Change) -> dict[str, Any]:
    assert change.key_columns is not None
    return values(change.key_columns, change.key, ["id", "name"])


@pytest.mark.parametrize("value", [DELETE, None], ids=["d", "tombstone"])
@pytest.mark.parametrize("key", [b'{"id":7}', WRAPPED_KEY, b'{"id":7,"__dbz__physicalTableIdentifier":"x"}'])
def test_a_key_row_holds_the_key_columns_only(value: bytes | None, key: bytes) -> None:
    change = changed(decoder(TYPES_HERE), value, key)
    assert keyed(change) == {"id": 7, "name": Absent.MISSING}
    assert not change.key_changed


@pytest.mark.parametrize("value", [DELETE, None], ids=["d", "tombstone"])
def test_a_null_key_is_none(value: bytes | None) -> None:
    change = changed(decoder(TYPES_HERE), value, None)
    assert (change.key, change.key_columns) == (None, None)


def test_a_tombstone_is_a_null_value() -> None:
    change = changed(decoder(TYPES_HERE), None, b'{"id":7}')
    assert (change.op, change.before, change.after, change.ts_ms) == ("tombstone", None, None, None)


@pytest.mark.parametrize("key", [b"7", b'{"schema":{"type":"int32"},"payload":7}'])
def test_a_key_that_is_one_value_is_the_configured_column(key: bytes) -> None:
    named = decoder(TYPES_HERE, key=("id",))
    assert keyed(changed(named, DELETE, key))["id"] == 7
    assert named.key_names(Held(DELETE, key)) == ("id",)
    unnamed = decoder(TYPES_HERE)
    assert changed(unnamed, DELETE, key).key is None
    with pytest.raises(WireValueError, match="in the source's `key`"):
        unnamed.key_names(Held(DELETE, key))


def test_a_composite_key_by_name() -> None:
    source = decoder({"org": "int", "usr": "text"})
    change = changed(source, None, b'{"org":1,"usr":"u1"}')
    assert change.key_columns is not None
    assert values(change.key_columns, change.key, ["org", "usr"]) == {"org": 1, "usr": "u1"}


@pytest.mark.parametrize(
    ("key", "names"),
    [(b'{"org":1,"usr":"u1"}', ("org", "usr")), (WRAPPED_KEY, ("id",)), (None, None), (b"{}", ())],
)
def test_key_names_are_all_of_the_key_needed_or_not(key: bytes | None, names: tuple[str, ...] | None) -> None:
    assert decoder({"name": "text"}).key_names(Held(b"{}", key)) == names


@pytest.mark.parametrize(
    "key",
    [b"Struct{id=1}", b"\x00\x00\x00\x00\x01\x02", b"[" * 100_000, b"", b'{"id":1', b'{"id":1e' + b"9" * 40 + b"}"],
    ids=lambda key: str(key[:20]),
)
def test_an_unreadable_key(key: bytes) -> None:
    source = decoder(TYPES_HERE)
    with pytest.raises(WireValueError):
        source.key_names(Held(DELETE, key))
    for data in (DELETE, None):
        found = source.decode(Held(data, key))
        assert isinstance(found, Undecodable)
        assert found.stage == "KEY_CONVERTER"


def test_decimal_and_bytes_keys_are_values_not_base64() -> None:
    source = decoder({"id": "decimal(2)", "name": "bytes"})
    change = changed(source, None, b'{"id":"AeJA","name":"3q2+7w=="}')
    assert keyed(change) == {"id": Decimal("1234.56"), "name": b"\xde\xad\xbe\xef"}


def test_a_bare_key_takes_its_types_from_the_value_schema() -> None:
    fields: list[dict[str, Any]] = [
        {"type": "bytes", "name": "org.apache.kafka.connect.data.Decimal", "parameters": {"scale": "2"}, "field": "id"},
        {"type": "string", "field": "name"},
    ]
    source = decoder({}, ["id", "name"])
    delete = wrapped(fields, None, op="d", before={"id": "AeJA", "name": "Ann"})
    for data in (delete, None):
        assert str(keyed(changed(source, data, b'{"id":"AeJA"}'))["id"]) == "1234.56"


def test_a_bare_key_without_any_types_halts() -> None:
    with pytest.raises(TypesMissingError, match=r"id: decimal\(2\) or bytes or text"):
        decoder({}, ["id", "name"]).decode(Held(None, b'{"id":"AeJA"}'))


@pytest.mark.parametrize(
    "header", [b'{"id":11}', WRAPPED_KEY.replace(b"7", b"11")], ids=["SimpleHeaderConverter", "JsonConverter"]
)
@pytest.mark.parametrize("data", [DELETE, None], ids=["d", "tombstone"])
def test_the_new_key_of_a_key_change(data: bytes | None, header: bytes) -> None:
    change = changed(decoder(TYPES_HERE), data, b'{"id":7}', **{"other": b"x", NEW_KEY: header})
    assert change.key_changed
    assert change.key_columns is not None
    assert value(change.key_columns, change.new_key, "id") == 11
    assert keyed(change)["id"] == 7


@pytest.mark.parametrize("header", [b"Struct{id=11}", None, b"", b"\xff", b"[1]"])
def test_a_new_key_that_cannot_be_read_is_still_a_key_change(header: bytes | None) -> None:
    found = decoder(TYPES_HERE).decode(Held(DELETE, b'{"id":7}', [(NEW_KEY, header)]))
    assert isinstance(found, Change)
    assert (found.key_changed, found.new_key) == (True, None)


def test_of_two_headers_of_one_name_the_first_counts() -> None:
    found = decoder(TYPES_HERE).decode(Held(None, b'{"id":7}', [(NEW_KEY, b'{"id":1}'), (NEW_KEY, b'{"id":2}')]))
    assert isinstance(found, Change)
    assert found.key_columns is not None
    assert value(found.key_columns, found.new_key, "id") == 1


@pytest.mark.parametrize("encoding", ["json", "json-nulls", "json-schema"])
def test_a_real_key_change(encoding: Encoding) -> None:
    types = TYPES["full_id"]
    source = decoder({} if encoding == "json-schema" else types, types)
    found = [source.decode(Held(r.value, r.key, r.headers)) for r in records(encoding, "srv.shop.full_id")]
    keys = [
        (c.op, value(c.key_columns, c.key, "id"), value(c.key_columns, c.new_key, "id") if c.key_changed else None)
        for c in found
        if isinstance(c, Change) and c.key_columns is not None
    ]
    assert keys == [("d", 2, 3), ("tombstone", 2, 3), ("d", 3, None), ("tombstone", 3, None)]


def test_a_real_record_without_key_and_value() -> None:
    types = TYPES["no_pk_full"]
    source = decoder(types)
    last = records("json", "srv.shop.no_pk_full")[-1]
    assert (last.key, last.value) == (None, None)
    change = changed(source, last.value, last.key)
    assert (change.op, change.key) == ("tombstone", None)
