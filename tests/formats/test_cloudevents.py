"""CloudEvents: the envelope they stand for, and the null values that are no tombstones."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stream_sync.formats.types_missing import TypesMissingError
from stream_sync.model import Change, NotAChange, Undecodable
from tests.fixtures.kinds.records import TYPES, records
from tests.formats.reading import Held, changed, decoder, value, values

ROW = {"id": 7, "name": "Ann"}
TYPES_HERE = {"id": "int", "name": "text"}
CONTEXT = ("__debezium.context.connectorName", b'"postgresql"')
SCHEMA = {
    "type": "struct",
    "fields": [
        {
            "type": "struct",
            "optional": True,
            "field": image,
            "fields": [
                {"type": "int32", "field": "id"},
                {"type": "string", "optional": True, "default": "Nobody", "field": "name"},
            ],
        }
        for image in ("before", "after")
    ],
}


def event(data: Any, op: str | None = "u", ts_ms: Any = "1700000000000", **members: Any) -> bytes:
    """Built after the captures."""
    extension = {} if op is None else {"iodebeziumop": op, "iodebeziumtsms": ts_ms}
    head = {"id": "x", "source": "/debezium/postgresql/wh", "specversion": "1.0", "type": "io.debezium.DataChangeEvent"}
    return json.dumps({**head, **extension, **members, "data": data}).encode()


@pytest.mark.parametrize("wrapped", [False, True])
def test_an_event_is_the_envelope_it_stands_for(wrapped: bool) -> None:
    images = {"before": {**ROW, "name": "An"}, "after": ROW}
    data = {"schema": SCHEMA, "payload": images} if wrapped else images
    change = changed(decoder({} if wrapped else TYPES_HERE, TYPES_HERE), event(data))
    assert (change.op, change.ts_ms) == ("u", 1700000000000)
    assert values(change.columns, change.after, TYPES_HERE) == ROW
    assert value(change.columns, change.before, "name") == "An"


@pytest.mark.parametrize("ts_ms", [None, "soon", "1e3", "9" * 30, "-", [1], 1.5])
def test_a_time_that_is_none_costs_nothing_else(ts_ms: Any) -> None:
    source = decoder(TYPES_HERE)
    found = source.decode(Held(event({"before": None, "after": ROW}, "c", ts_ms), b'{"id":7}'))
    if isinstance(found, Change):
        assert found.ts_ms is None
    else:
        assert isinstance(found, Undecodable)


@pytest.mark.parametrize(
    ("code", "gist", "data"),
    [
        ("wrong_encoding", "data.serializer.type=json", event("AAAAAAEC")),
        ("unknown_shape", "extension.attributes.enable=true", event({"before": None, "after": ROW}, op=None)),
        ("unknown_op", "none of r, c", event({"before": None, "after": ROW}, op="x")),
        ("unknown_shape", "no row in `after`", event({"before": None, "after": None}, op="c")),
        ("invalid_json", "not valid JSON", event({})),
    ],
)
def test_events_that_cannot_be_read_say_why(code: str, gist: str, data: bytes) -> None:
    found = decoder(TYPES_HERE).decode(Held(data, b'{"id":7}'))
    assert isinstance(found, Undecodable)
    assert found.code == code
    assert gist in found.message


def test_types_missing_is_told() -> None:
    with pytest.raises(TypesMissingError, match="name"):
        decoder({"id": "int"}, ["id", "name"]).decode(Held(event({"before": None, "after": ROW}, "c")))


def test_every_null_value_of_the_capture_is_known() -> None:
    """The rows' tombstones, and heartbeats, transactions and messages that look like them."""
    types = TYPES["full_id"]
    source = decoder(types)
    first = records("cloudevents", "srv.shop.full_id")[0]
    source.decode(Held(first.value, first.key, first.headers))
    for record in records("cloudevents"):
        if record.value is not None:
            continue
        found = source.decode(Held(record.value, record.key, record.headers))
        if record.topic.startswith("srv.shop."):
            assert isinstance(found, Change), record.topic
            assert found.op == "tombstone"
        else:
            assert isinstance(found, NotAChange), record.topic


@pytest.mark.parametrize(
    ("key", "expected"),
    [(b'{"serverName":"srv"}', "heartbeat"), (b'{"prefix":"p"}', "message"), (b'{"id":"936:27832288"}', "transaction")],
)
def test_without_context_headers_the_key_tells(key: bytes, expected: str) -> None:
    """As before Debezium 3.2."""
    source = decoder({"id": "text", "name": "text"})
    changed(source, event({"before": None, "after": {"id": "7", "name": "Ann"}}, "c"))
    assert source.decode(Held(None, key)) == NotAChange(expected)
    assert changed(source, None, b'{"id":"7"}').op == "tombstone"


def test_a_table_may_be_keyed_by_such_a_name() -> None:
    for name in ("serverName", "prefix"):
        source = decoder({name: "text"}, key=(name,))
        assert changed(source, None, json.dumps({name: "a"}).encode()).op == "tombstone"


def test_an_id_that_looks_like_a_transaction_is_one_only_beside_cloudevents() -> None:
    source = decoder({"id": "text"})
    assert changed(source, None, b'{"id":"936:27832288"}').op == "tombstone"
    source.decode(Held(event({"before": None, "after": {"id": "1"}}, "c"), None, [CONTEXT]))
    tombstone = source.decode(Held(None, b'{"id":"936:27832288"}', [CONTEXT]))
    assert isinstance(tombstone, Change)
