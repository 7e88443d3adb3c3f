"""JSON with schemas, in any order and spacing; the schema is looked at once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stream_sync.formats.connect_json import Unwrapper
from stream_sync.model import Change
from tests.fixtures.warehouse import records as warehouse
from tests.formats.reading import Held, changed, decoder, value, wrapped

FIELDS = [{"type": "int32", "field": "id"}, {"type": "string", "field": "name"}]
ROW = {"id": 1, "name": "Ann"}


def forms() -> list[bytes]:
    parts = json.loads(wrapped(FIELDS, ROW))
    return [
        json.dumps(parts, separators=(",", ":")).encode(),
        json.dumps(parts, indent=2).encode(),
        json.dumps({"payload": parts["payload"], "schema": parts["schema"]}).encode(),
        json.dumps({"schema": parts["schema"], "payload": parts["payload"], "more": 1}, separators=(",", ":")).encode(),
        wrapped(FIELDS, ROW) + b"\n",
        b" " + wrapped(FIELDS, ROW),
    ]


@pytest.mark.parametrize("data", forms(), ids=range(6))
def test_any_order_and_spacing(data: bytes) -> None:
    source = decoder({}, ["id", "name"])
    for _ in range(2):
        change = changed(source, data)
        assert [value(change.columns, change.after, name) for name in ROW] == [1, "Ann"]


def test_forms_may_alternate_and_share_their_columns() -> None:
    source = decoder({}, ["id", "name"])
    assert len({id(changed(source, data).columns) for data in forms() * 2}) == 1


def test_a_schema_is_parsed_once() -> None:
    seen: list[Any] = []

    def count(schema: Any) -> int:
        seen.append(schema)
        return len(seen)

    unwrapper = Unwrapper(count)
    other = [*FIELDS, {"type": "int32", "field": "x"}]
    found = [unwrapper.unwrap(wrapped(fields, ROW)) for fields in (FIELDS, FIELDS, other, FIELDS, other)]
    assert [part[0] for part in found if part] == [1, 1, 2, 1, 2]
    assert len(seen) == 2
    assert all(part is not None and json.loads(part[1])["after"] == ROW for part in found)


def test_what_is_kept_is_bounded() -> None:
    unwrapper: Unwrapper[None] = Unwrapper(lambda _: None)
    for number in range(500):
        unwrapper.unwrap(wrapped([{"type": "string", "field": f"c{number}"}], {}))
    assert max(len(unwrapper._by_prefix), len(unwrapper._by_schema)) <= 64


def test_a_null_schema_is_none() -> None:
    bare = json.loads(wrapped(FIELDS, ROW))["payload"]
    data = json.dumps({"schema": None, "payload": bare}).encode()
    change = changed(decoder({"id": "int", "name": "text"}), data)
    assert value(change.columns, change.after, "name") == "Ann"


@pytest.mark.parametrize("tail", [b"]", b"x", b"}}", b""])
def test_a_broken_end_behind_a_known_schema_is_no_json(tail: bytes) -> None:
    source = decoder({}, ["id", "name"])
    good = wrapped(FIELDS, ROW)
    assert isinstance(source.decode(Held(good)), Change)
    assert getattr(source.decode(Held(good[:-1] + tail)), "code", None) == "invalid_json"


def test_key_and_value_are_wrapped_or_bare_each_for_itself() -> None:
    source = decoder({"id": "int", "name": "text"})
    bare_key = b'{"id":1}'
    wrapped_key = b'{"schema":{"type":"struct","fields":[{"type":"int32","field":"id"}]},"payload":{"id":1}}'
    delete = wrapped(FIELDS, None, op="d", before=ROW)
    bare_delete = json.dumps(json.loads(delete)["payload"]).encode()
    for data in (delete, bare_delete):
        for key in (bare_key, wrapped_key):
            change = changed(source, data, key)
            assert change.key_columns is not None
            assert value(change.key_columns, change.key, "id") == 1
            assert value(change.columns, change.before, "name") == "Ann"


def test_a_real_topic_has_one_columns_object() -> None:
    source = decoder({}, warehouse.CUSTOMERS_TYPES)
    found = [source.decode(Held(r.value, r.key, r.headers)) for r in warehouse.records("customers", "json-schema")]
    assert len({id(change.columns) for change in found if isinstance(change, Change) and change.op != "tombstone"}) == 1
