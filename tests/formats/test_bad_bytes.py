"""Whatever the bytes: a change, no change, or undecodable; in bounded time; and readers raise what they say."""

from __future__ import annotations

import contextlib
import json
import random
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream_sync.formats.decoder import Decoder
from stream_sync.formats.keys import NEW_KEY
from stream_sync.model import Absent, Change, NotAChange, Row, Undecodable, UnrepresentableError, WireValueError
from tests.fixtures.kinds.records import CUSTOMERS_TYPES, Captured, Encoding, records
from tests.formats.reading import Held, decoder, envelope, wrapped

TOPICS = ("srv.shop.customers", "srv.message", "__debezium-heartbeat.srv")
ENCODINGS: tuple[Encoding, ...] = ("json", "json-schema")
CUSTOMERS = [
    record
    for encoding in ENCODINGS
    for topic in TOPICS
    for record in records(encoding, topic)
    if len(record.value or b"") < 20_000
]
DECODERS = [decoder(CUSTOMERS_TYPES), decoder({"*": "json"}, CUSTOMERS_TYPES), decoder({"id": "int"}, key=("id",))]
ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["NaN", "infinity"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def read(source: Decoder, record: Held) -> None:
    """Decodes a record and reads all of it."""
    found = source.decode(record)
    assert isinstance(found, Change | NotAChange | Undecodable)
    with contextlib.suppress(WireValueError):
        source.key_names(record)
    if not isinstance(found, Change):
        return
    images = [(found.columns, found.before), (found.columns, found.after)]
    if found.key_columns is not None:
        images += [(found.key_columns, found.key), (found.key_columns, found.new_key)]
    for columns, row in images:
        for name in CUSTOMERS_TYPES if row is not None else ():
            read_column(columns, row, name)


def read_column(columns: Any, row: Row, name: str) -> None:
    with contextlib.suppress(KeyError):  # a decoder that does not need this column
        wire = columns.raw(name)(row)
        if not isinstance(wire, Absent):
            with contextlib.suppress(WireValueError, UnrepresentableError):
                columns.reader(name)(row)


def damaged(data: bytes, rng: random.Random) -> bytes:
    """A few bits, bytes or pieces changed."""
    spoilt = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(spoilt) or 1)
        match rng.randrange(5):
            case 0 if spoilt:
                spoilt[at] ^= 1 << rng.randrange(8)
            case 1:
                del spoilt[at : at + rng.randint(1, 40)]
            case 2:
                spoilt[at:at] = rng.choice(
                    [b"9" * 30, b"[", b"{", b'"', b"null", b"-", b"\\u0000", b"\xff", b"1e400", b":"]
                )
            case 3:
                spoilt[at:at] = spoilt[: rng.randint(1, 60)]
            case _:
                del spoilt[at:]
    return bytes(spoilt)


@pytest.mark.parametrize("seed", range(8))
def test_damaged_records_never_raise(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(250):
        record: Captured = rng.choice(CUSTOMERS)
        value = record.value if rng.random() < 0.2 or record.value is None else damaged(record.value, rng)
        key = record.key if rng.random() < 0.6 or record.key is None else damaged(record.key, rng)
        headers = [(name, text and damaged(text, rng)) for name, text in record.headers]
        read(rng.choice(DECODERS), Held(value, key, headers))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(list(CUSTOMERS_TYPES)), ODD, max_size=12), st.sampled_from("rcudtmx"), ODD)
def test_values_of_any_type_never_raise(row: dict[str, Any], op: str, odd: Any) -> None:
    complete = {**dict.fromkeys(CUSTOMERS_TYPES), **row}
    for after, before in ((complete, None), (row, complete), (odd, row)):
        data = envelope(after, op, before)  # with NaN, which is no JSON, where a float is one
        for source in DECODERS:
            read(source, Held(data, json.dumps(odd).encode(), [(NEW_KEY, json.dumps(row).encode())]))


@settings(max_examples=100, deadline=None)
@given(ODD, ODD, ODD)
def test_schemas_of_any_shape_never_raise(field: Any, name: Any, kind: Any) -> None:
    fields: Any = [{"type": kind, "name": name, "field": "id", "items": field, "parameters": field}, field]
    for listed in (fields, fields[:1], field):
        data = wrapped(listed, {"id": field})
        read(DECODERS[0], Held(data, data))


@given(st.binary(max_size=60))
@settings(max_examples=300, deadline=None)
def test_bytes_of_any_kind_never_raise(data: bytes) -> None:
    for source in DECODERS:
        read(source, Held(data, data, [(NEW_KEY, data)]))
        read(source, Held(None, data))


def megabyte(before: bytes, piece: bytes, after: bytes = b"") -> bytes:
    return before + piece * (1_000_000 // len(piece)) + after


HUGE = {
    "an int": (b"", b"9", b""),
    "a fraction": (b"0.", b"1", b""),
    "an exponent": (b"1e", b"9", b""),
    "digits in a text": (b'"', b"9", b'.5"'),
    "base64": (b'"', b"f39/", b'"'),
    "lists": (b"", b"[", b""),
    "closed lists": (b"[" * 900, b"1,", b"1" + b"]" * 900),
    "an object": (b"{", b'"a":1,', b'"b":1}'),
    "nested text": (b'"', b"[", b'"'),
    "escapes": (b'"', b"\\u0041", b'"'),
    "codes": (b"[", b"95,95,100,101,98,", b"1]"),
    "long decimals": (b"[", b'"' + b"f39/" * 1300 + b'",', b"1]"),
    "placeholders": (b"[", b'"__debezium_unavailable_value",', b"1]"),
}


@pytest.mark.parametrize("name", HUGE)
def test_a_megabyte_takes_less_than_a_second(name: str) -> None:
    before, piece, after = HUGE[name]
    huge = megabyte(before, piece, after)
    for column in (
        "id",
        "balance",
        "score",
        "created",
        "updated",
        "meta",
        "tags",
        "decs",
        "bin",
        "email",
        "born",
        "pt",
    ):
        data = envelope({column: 0}).replace(
            b'{"' + column.encode() + b'": 0}', b'{"' + column.encode() + b'":' + huge + b"}"
        )
        started = time.process_time()
        read(DECODERS[0], Held(data))
        assert time.process_time() - started < 1.0, column
