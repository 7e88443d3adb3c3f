"""Whatever the bytes: a change, no change, or undecodable; in bounded time; and readers raise what they say."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream_sync.formats.decoder import Decoder
from stream_sync.formats.keys import NEW_KEY
from tests.fixtures.kinds.records import CUSTOMERS_TYPES
from tests.formats.reading import Held, decoder, envelope, wrapped
from tests.fuzz.trial import trial

ENVELOPES = [decoder(CUSTOMERS_TYPES), decoder({"*": "json"}, CUSTOMERS_TYPES), decoder({"id": "int"}, key=("id",))]
ROWS = [decoder(CUSTOMERS_TYPES, format="flattened"), decoder({"*": "json"}, CUSTOMERS_TYPES, format="flattened")]
DECODERS = [*ENVELOPES, *ROWS]
SOON = 10.0
"""CPU seconds. What is promised is 1; a crowded machine takes a multiple, what is not bounded takes minutes."""
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
    trial(source, record, CUSTOMERS_TYPES)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(list(CUSTOMERS_TYPES)), ODD, max_size=12), st.sampled_from("rcudtmx"), ODD)
def test_values_of_any_type_never_raise(row: dict[str, Any], op: str, odd: Any) -> None:
    complete = {**dict.fromkeys(CUSTOMERS_TYPES), **row}
    for after, before in ((complete, None), (row, complete), (odd, row)):
        # With NaN, which is no JSON, where a float is one.
        images = {"before": before, "after": after}
        event = {"specversion": "1.0", "iodebeziumop": op, "iodebeziumtsms": str(odd), "data": images}
        flat = {**row, "__deleted": odd, "__op": op} if isinstance(after, dict) else after
        for data in (envelope(after, op, before), json.dumps(event).encode(), json.dumps(flat).encode()):
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
def test_a_megabyte_is_read_soon(name: str) -> None:
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
        member = b'"' + column.encode() + b'": '
        for source, data in ((DECODERS[0], envelope({column: 0})), (ROWS[0], b"{" + member + b"0}")):
            started = time.process_time()
            read(source, Held(data.replace(member + b"0", member + huge)))
            assert time.process_time() - started < SOON, column
